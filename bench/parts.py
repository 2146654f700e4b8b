"""The parts of the measurement, and which of them can be measured here."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import apiserver, gofloor, scanner
from bench.apirows import pod_rows
from bench.decisionrows import decision_rows
from bench.endurance import endurance_rows
from bench.loading import loading_rows
from bench.row import Row
from bench.scanner import scanner_rows
from bench.server import Bench


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much is measured.

    Attributes:
        index: scans in the largest index that decisions are timed with.
        scans: that are loaded from a folder.
        seconds: of load in each run.
        rounds: of load on each server, and of scans.
        requests: while a worker's memory is looked at.

    """

    index: int
    scans: int
    seconds: int
    rounds: int
    requests: int


def _server(folder: Path, settings: Settings) -> Iterator[Row]:
    scans, seconds, rounds = settings.scans, settings.seconds, settings.rounds
    return Bench(folder, scans=scans, seconds=seconds, rounds=rounds).rows()


PARTS: Mapping[str, Callable[[Path, Settings], Iterator[Row]]] = {
    "decision": lambda _, settings: decision_rows(settings.index),
    "loading": lambda folder, settings: loading_rows(folder, settings.scans),
    "server": _server,
    "endurance": lambda folder, settings: endurance_rows(folder, settings.requests),
    # many, and short ones
    "apiserver": lambda folder, settings: pod_rows(folder, 3 * settings.rounds),
    "scanner": lambda folder, settings: scanner_rows(folder, settings.rounds),
}
_UNREADY: Mapping[str, Callable[[], str]] = {
    "apiserver": apiserver.unready,
    "scanner": scanner.unready,
    "the floor in Go": gofloor.unready,
}


def left_out() -> Mapping[str, str]:
    """Tell what cannot be measured here, and why; what is needed and can be built is built first."""
    reasons = {name: unready() for name, unready in _UNREADY.items()}
    return {name: reason for name, reason in reasons.items() if reason}
