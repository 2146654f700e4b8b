"""The server on one processor, asked from another: requests a second and how long each takes, beside two floors.

All servers run at once, and are asked in turn, round for round, so that whatever else the machine does meets them all.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.child import Running, free_port, server
from bench.corpus import Reviews, make_reviews, write_folder
from bench.load import Load, put
from bench.row import Aim, Row
from certs.selfsigned import ensure

_CONNECTIONS = (1, 16, 200)
_RATE = Aim(of="ratio", side="at least", limit=0.5)
_P50 = Aim(of="value", side="under", limit=1.0)
_LOOPBACK = ("localhost", "127.0.0.1")
_WORKER, _GTHREAD = "bare, same worker", "bare, gthread"
_ENDPOINTS = ("/validate", "/mutate")

Loads = Mapping[tuple[str, int], Sequence[Load]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One thing to ask: its name in the table, where it is, and the file that is posted to it."""

    name: str
    url: str
    body: Path


class Bench:
    """The servers of one run, and the files that they need, in a folder of their own.

    Args:
        scans: a folder with all scans.

    """

    def __init__(self, folder: Path, scans: Path, *, seconds: int, rounds: int) -> None:
        self._folder = folder
        self._scans = scans
        self._seconds = seconds
        self._rounds = rounds
        self._reviews: Reviews = make_reviews()
        self._certificates = folder / "certs"
        ensure(self._certificates, _LOOPBACK, now=datetime.now(UTC))

    def rows(self) -> Iterator[Row]:
        """Start everything, ask, and end it."""
        few = write_folder(self._folder / "one", 1, in_a_file=1)
        starts: dict[str, list[float]] = {"bare": [], "few": [], "all": []}
        for _ in range(self._rounds):
            for name, command in (("bare", self._floor("worker")), ("few", self._nbgate(few))):
                with ExitStack() as stack:
                    starts[name].append(self._start(stack, command).seconds)
        with ExitStack() as stack:
            nbgate = self._start(stack, self._nbgate(self._scans))
            starts["all"].append(nbgate.seconds)
            worker = self._start(stack, self._floor("worker"))
            gthread = self._start(stack, self._floor("gthread"))
            loads = self._ask(self._targets(nbgate.port, worker.port, gthread.port))
        yield from _start_rows(starts)
        yield from _load_rows(loads)

    def _nbgate(self, scans: Path) -> list[str]:
        program = str(Path(sys.executable).with_name("nbgate"))
        options = ["--tls", str(self._certificates), "--scans", str(scans), "--grace", "0"]
        return [program, "serve", *options, "--listen", "127.0.0.1:{port}"]

    def _floor(self, worker: str) -> list[str]:
        return [sys.executable, "-m", "bench.floor", worker, "{port}", str(self._certificates)]

    def _start(self, stack: ExitStack, command: Sequence[str]) -> Running:
        port = free_port()
        home = self._folder / f"home-{port}"
        home.mkdir(exist_ok=True)
        return stack.enter_context(
            server(
                [word.replace("{port}", str(port)) for word in command],
                port,
                self._reviews.patched,
                home / "log",
                {"NBGATE_HOME": str(home)},
            )
        )

    def _targets(self, nbgate: int, worker: int, gthread: int) -> list[_Target]:
        created, patched = self._folder / "created.json", self._folder / "patched.json"
        created.write_bytes(self._reviews.created)
        patched.write_bytes(self._reviews.patched)
        url = "https://127.0.0.1:{}{}"
        return [
            _Target(name="/validate", url=url.format(nbgate, "/validate"), body=patched),
            _Target(name=_WORKER, url=url.format(worker, "/"), body=patched),
            _Target(name=_GTHREAD, url=url.format(gthread, "/"), body=patched),
            _Target(name="/mutate", url=url.format(nbgate, "/mutate"), body=created),
        ]

    def _ask(self, targets: Sequence[_Target]) -> Loads:
        for target in targets:
            put(target.url, target.body, connections=16, seconds=1)
        loads: dict[tuple[str, int], list[Load]] = {}
        for _ in range(self._rounds):
            for connections in _CONNECTIONS:
                for target in targets:
                    load = put(
                        target.url, target.body, connections=connections, seconds=self._seconds
                    )
                    loads.setdefault((target.name, connections), []).append(load)
        return loads


def _start_rows(starts: Mapping[str, Sequence[float]]) -> Iterator[Row]:
    for name, title in (("few", "1 scan"), ("all", "all scans")):
        samples = starts[name]
        yield Row(
            group="A cold start, to the first answer",
            figure=f"nbgate serve, {title}",
            unit="s",
            samples=samples,
            floor=_WORKER,
            floor_samples=starts["bare"][: len(samples)],
        )


def _load_rows(loads: Loads) -> Iterator[Row]:
    for floor in (_WORKER, _GTHREAD):
        for endpoint in _ENDPOINTS:
            for connections in _CONNECTIONS:
                yield _rate_row(loads, endpoint, floor, connections)
    for endpoint in _ENDPOINTS:
        for connections in _CONNECTIONS:
            yield _time_row(loads, endpoint, connections, 50)
            yield _time_row(loads, endpoint, connections, 99)


def _rate_row(loads: Loads, endpoint: str, floor: str, connections: int) -> Row:
    return Row(
        group="Requests a second, on one processor, over TLS",
        figure=_figure(endpoint, connections),
        unit="/s",
        samples=[load.rate for load in loads[endpoint, connections]],
        floor=floor,
        floor_samples=[load.rate for load in loads[floor, connections]],
        aim=_RATE,
    )


def _time_row(loads: Loads, endpoint: str, connections: int, percentile: int) -> Row:
    def times(name: str) -> list[float]:
        found = loads[name, connections]
        return [load.p50 if percentile == 50 else load.p99 for load in found]

    return Row(
        group="Milliseconds from request to answer",
        figure=f"{_figure(endpoint, connections)}: p{percentile}",
        unit="ms",
        samples=times(endpoint),
        floor=_WORKER,
        floor_samples=times(_WORKER),
        aim=_P50 if percentile == 50 and connections == 1 else None,
    )


def _figure(endpoint: str, connections: int) -> str:
    return f"{endpoint}, {connections} connection{'s' if connections > 1 else ''}"
