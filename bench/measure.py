"""What is told of runs of load: how many requests a second, how long each took, what it cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.load import Load
from bench.row import Aim, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of load, and the seconds of a processor that went with it.

    Attributes:
        processor: of all that was asked.
        webhook: of the webhook in it, where there is one behind what was asked.

    """

    load: Load
    processor: float
    webhook: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One figure of a run."""

    group: str
    unit: str
    of: Callable[[Run], float]

    def row(
        self, figure: str, runs: Sequence[Run], floor: str, bare: Sequence[Run], aim: Aim | None
    ) -> Row:
        """Put the figure of runs beside that of the floor's."""
        return Row(
            group=self.group,
            figure=figure,
            unit=self.unit,
            samples=[self.of(run) for run in runs],
            floor=floor,
            floor_samples=[self.of(run) for run in bare],
            aim=aim,
        )


def counted(number: int, what: str) -> str:
    """Write a number of things: 1 client, 16 clients."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def rate(group: str) -> Measure:
    """Requests a second."""
    return Measure(group=group, unit="/s", of=lambda run: run.load.rate)


def p50(group: str) -> Measure:
    """Milliseconds that half of the requests took at most."""
    return Measure(group=group, unit="ms", of=lambda run: run.load.p50)


def p99(group: str) -> Measure:
    """Milliseconds that 99 of 100 requests took at most."""
    return Measure(group=group, unit="ms", of=lambda run: run.load.p99)


def cost(group: str) -> Measure:
    """Microseconds of a processor for each request."""
    return Measure(group=group, unit="µs", of=lambda run: run.processor / run.load.requests * 1e6)


def share(group: str) -> Measure:
    """Microseconds of a processor that the webhook alone had for each request."""
    return Measure(group=group, unit="µs", of=lambda run: run.webhook / run.load.requests * 1e6)
