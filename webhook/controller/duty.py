"""What the leader does again and again, and the thread that each duty has."""

import threading
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from webhook.controller.mandate import Lost, Mandate
from webhook.core.words import cut
from webhook.kubeerrors import KubeError

# Seconds between two looks at whether it is time: short beside a retry of the Lease, and nothing beside a processor.
_LOOK = 0.1
# A duty that failed is tried again after its own pause, but not sooner and not later than so many seconds.
_AGAIN = (2.0, 15.0)


class Duty(Protocol):
    """What is done by the leader, and by nobody else.

    Attributes:
        name: for messages; one word.
        every: seconds between the end of a run and the next.
    """

    name: str
    every: float

    def run(self, now: float) -> None:
        """Do it once; `now` is in seconds since the epoch. Raises KubeError, which is reported; it is tried again."""


@runtime_checkable
class Halting(Protocol):
    """A duty that holds something between its runs, such as a watch."""

    def halt(self) -> None:
        """Let go of it: this replica does not lead any more. Called by the thread that runs the duty."""


class Service:
    """Runs one duty, from `start` until `stopping` is set, whenever the mandate holds."""

    def __init__(
        self,
        duty: Duty,
        mandate: Mandate,
        stopping: threading.Event,
        report: Callable[[str], object],
    ) -> None:
        self._duty, self._mandate, self._stopping = duty, mandate, stopping
        self._report = report
        self._problem = ""
        self._due = 0.0  # by the monotonic clock
        self._serving = False

    def run(self) -> None:
        """Serve until told to stop: the body of a thread."""
        while not self._stopping.wait(_LOOK):
            if not self._mandate.holds:
                self._halt()
            elif time.monotonic() >= self._due:
                self._serving = True
                pause = self._once()
                self._due = time.monotonic() + pause
        self._halt()

    def _once(self) -> float:
        """Run the duty; give the seconds to rest. The same problem is told once."""
        problem = self._problem_of_run()
        if problem and problem != self._problem:
            self._report(problem)
        self._problem = problem
        every, (soonest, latest) = self._duty.every, _AGAIN
        return min(max(every, soonest), latest) if problem else every

    def _problem_of_run(self) -> str:
        try:
            self._duty.run(time.time())
        except Lost:
            return ""  # no fault of the duty's; it is halted next
        except KubeError as error:
            return f"{self._duty.name}: {error}"
        except Exception as error:  # noqa: BLE001 - a fault of ours in one run ends neither the duty nor the others
            said = f"{type(error).__name__}: {cut(str(error), 200)}"
            return f"{self._duty.name}: {said}; this is a fault of nbgate's, please report it"
        return ""

    def _halt(self) -> None:
        """Let the duty let go, once; a new term begins with a run at once."""
        if self._serving and isinstance(self._duty, Halting):
            self._duty.halt()
        self._serving, self._due = False, 0.0
