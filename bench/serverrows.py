"""What the runs against the servers say, as rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bench.load import Load
from bench.row import Aim, Row

CONNECTIONS = (1, 16, 200)
WORKER, GTHREAD = "a bare function, same worker class", "a bare function, gunicorn's gthread"
_ENDPOINTS = ("/validate", "/mutate")
_RATE = Aim(of="ratio", side="at least", limit=0.5)
_P50 = Aim(of="value", side="under", limit=1.0)
_MEMORY = Aim(of="value", side="under", limit=300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of load, and the seconds that its server had of a processor meanwhile."""

    load: Load
    processor: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Seconds from a start to the first answer: of the bare server, and of nbgate with one scan and with all."""

    bare: list[float]
    one: list[float]
    full: list[float]


Runs = Mapping[tuple[str, int], Sequence[Run]]


def start_rows(starts: Starts) -> Iterator[Row]:
    """Give the rows of cold starts."""
    for samples, title in ((starts.one, "1 scan"), (starts.full, "all scans")):
        yield Row(
            group="A cold start, to the first answer",
            figure=f"nbgate serve, {title}",
            unit="s",
            samples=samples,
            floor=WORKER,
            floor_samples=starts.bare[: len(samples)],
        )


def memory_row(nbgate: float, bare: float) -> Row:
    """Give the row of the server's memory."""
    return Row(
        group="Memory of a worker, at most",
        figure="nbgate serve, all scans",
        unit="MiB",
        samples=[nbgate],
        floor=WORKER,
        floor_samples=[bare],
        aim=_MEMORY,
    )


def load_rows(runs: Runs) -> Iterator[Row]:
    """Give the rows of requests a second, of the processor's time for each, and of how long each took."""
    for floor, endpoint, connections in product((WORKER, GTHREAD), _ENDPOINTS, CONNECTIONS):
        group = "Requests a second, on one processor, over TLS"
        yield _row(group, "/s", _rate, runs, endpoint, connections, floor=floor, aim=_RATE)
    for endpoint, connections in product(_ENDPOINTS, CONNECTIONS):
        group = "Processor time for a request"
        yield _row(group, "µs", _cost, runs, endpoint, connections)
    for endpoint, connections in product(_ENDPOINTS, CONNECTIONS):
        aim = _P50 if connections == 1 else None
        yield _row("From request to answer, p50", "ms", _p50, runs, endpoint, connections, aim=aim)
    for endpoint, connections in product(_ENDPOINTS, CONNECTIONS):
        yield _row("From request to answer, p99", "ms", _p99, runs, endpoint, connections)


def _rate(run: Run) -> float:
    return run.load.rate


def _cost(run: Run) -> float:
    return run.processor / run.load.requests * 1e6


def _p50(run: Run) -> float:
    return run.load.p50


def _p99(run: Run) -> float:
    return run.load.p99


def _row(
    group: str,
    unit: str,
    of: Callable[[Run], float],
    runs: Runs,
    endpoint: str,
    connections: int,
    *,
    floor: str = WORKER,
    aim: Aim | None = None,
) -> Row:
    return Row(
        group=group,
        figure=f"{endpoint}, {connections} connection{'s' if connections > 1 else ''}",
        unit=unit,
        samples=[of(run) for run in runs[endpoint, connections]],
        floor=floor,
        floor_samples=[of(run) for run in runs[floor, connections]],
        aim=aim,
    )
