"""What the runs against the servers say, as rows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from bench.measure import Measure, Run, cost, counted, p50, p99, rate
from bench.row import Aim, Row

CONNECTIONS = (1, 16, 200)
GTHREAD = "a bare WSGI function, gunicorn's gthread"
GO = "a Go handler, net/http"
WORKER = "a constant for the decision, same worker"
_ENDPOINTS = ("/validate", "/mutate")
CROWD = max(CONNECTIONS)
# The part of a floor's requests a second that nbgate is to reach. The constant shows what the decision costs.
_PARTS = {GTHREAD: 0.7, GO: 0.4}
_P50 = Aim(of="value", side="under", limit=1.0)
_P99 = Aim(of="ratio", side="under", limit=3.0)
_MEMORY = Aim(of="value", side="under", limit=300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Starts:
    """Seconds from a start to readiness: of the bare server, and of nbgate without a scan and with all."""

    bare: list[float]
    none: list[float]
    full: list[float]


Runs = Mapping[tuple[str, int], Sequence[Run]]


def start_rows(starts: Starts, count: int) -> Iterator[Row]:
    """Give the rows of cold starts."""
    for samples, title in ((starts.none, "0 scans"), (starts.full, f"{count:,} scans")):
        yield Row(
            group="From a cold start to readiness",
            figure=f"nbgate serve, {title}",
            unit="s",
            samples=samples,
            floor=WORKER,
            floor_samples=starts.bare[: len(samples)],
        )


def memory_row(nbgate: float, bare: float, count: int) -> Row:
    """Give the row of the server's memory."""
    return Row(
        group="Memory of a worker, at most",
        figure=f"nbgate serve, {count:,} scans",
        unit="MiB",
        samples=[nbgate],
        floor=WORKER,
        floor_samples=[bare],
        aim=_MEMORY,
    )


def load_rows(runs: Runs) -> Iterator[Row]:
    """Give the rows of requests a second, of how long each took, and of the processor's time for it."""
    for measure, aim in _MEASURES:
        known = [floor for floor in _FLOORS if (floor, CROWD) in runs]
        for floor, endpoint, connections in product(known, _ENDPOINTS, CONNECTIONS):
            figure = f"{endpoint}, {counted(connections, 'connection')}"
            found, bare = runs[endpoint, connections], runs[floor, connections]
            yield measure.row(figure, found, floor, bare, aim(floor, connections))


def _rate_aim(floor: str, _: int) -> Aim | None:
    part = _PARTS.get(floor)
    return Aim(of="ratio", side="at least", limit=part) if part else None


def _p50_aim(floor: str, connections: int) -> Aim | None:
    return _P50 if connections == 1 and floor == GTHREAD else None


def _p99_aim(floor: str, connections: int) -> Aim | None:
    return _P99 if connections == CROWD and floor in _PARTS else None


_FLOORS = (GTHREAD, GO, WORKER)
_MEASURES: Sequence[tuple[Measure, Callable[[str, int], Aim | None]]] = (
    (rate("Requests a second, on one processor, over TLS"), _rate_aim),
    (p50("From request to answer, p50"), _p50_aim),
    (p99("From request to answer, p99"), _p99_aim),
    (cost("Processor time for a request"), lambda _floor, _connections: None),
)
