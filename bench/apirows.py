"""What pods created through the API server say, as rows."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

from bench.apiserver import (
    ALLOWED,
    CLIENTS,
    CONSTANT,
    GATE,
    NONE,
    RIGHT,
    WORKER,
    Runs,
    create_pods,
)
from bench.measure import cost, counted, p50, p99, rate, share
from bench.row import Aim, Row

_NAMES = {
    NONE: "no webhook",
    ALLOWED: "a bare WSGI function, `allowed`",
    CONSTANT: "a bare WSGI function, nbgate's answers",
    WORKER: "nbgate's answers for the decision, same worker",
    GATE: "nbgate",
    RIGHT: "nbgate, nothing to patch",
}
# What is put beside what. The aim is held beside gunicorn as it comes, where both give the API server the same work.
_AIMED = ((GATE, CONSTANT), (RIGHT, ALLOWED))
_SAME_WORK = (*_AIMED, (GATE, WORKER))
_PAIRS = (*_SAME_WORK, (GATE, ALLOWED), (CONSTANT, ALLOWED), (ALLOWED, NONE))
_RATE = rate("Pods created a second, through a real API server")
_MEASURES = (
    (_RATE, _PAIRS),
    (p50("Until a pod is created, p50"), _PAIRS),
    (p99("Until a pod is created, p99"), _PAIRS),
    (cost("Processor time for a pod, of API server, etcd and webhook"), _PAIRS),
    (share("Processor time for a pod, of the webhook alone, which is called twice"), _SAME_WORK),
)
_AIM = Aim(of="ratio", side="at least", limit=0.9)


def pod_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Create pods, and give the rows."""
    yield from rows(create_pods(folder, rounds))


def rows(runs: Runs) -> Iterator[Row]:
    """Give the rows of pods a second, of how long each took, and of what it cost."""
    for measure, pairs in _MEASURES:
        for (name, floor), clients in product(pairs, CLIENTS):
            figure = f"{_NAMES[name]}, {counted(clients, 'client')}"
            aim = _AIM if measure is _RATE and (name, floor) in _AIMED else None
            yield measure.row(figure, runs[name, clients], _NAMES[floor], runs[floor, clients], aim)
