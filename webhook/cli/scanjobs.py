"""Many images, a few at a time: one that fails stops no other, and a signal ends all of them in order.

A signal lets no further image begin, and unwinds those that run at their next word of progress, so that a probe removes
what it started. After GRACE seconds, or a second signal, nothing is waited for any more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import Generic, Protocol, TypeVar

from webhook.cli.scansignals import signals_to
from webhook.cli.scanwanted import Wanted
from webhook.core.words import cut
from webhook.scanner.errors import ScanError
from webhook.scanner.progress import Checked, Progress

T = TypeVar("T")

# Removing a container or a pod takes seconds. What is left then is removed by the warden of podman's probe, which
# outlives us, or ends with the pod's own deadline.
GRACE = 10.0
# Seconds between two looks: a signal that comes just before the main thread waits, or to another thread, ends no wait,
# and is handled only when the main thread does something again.
_TICK = 0.2
_PROBLEM_LIMIT = 500  # characters: a sentence with an address in it


class Stopped(BaseException):
    """Unwinds the scan of one image after a signal. No Exception: nothing may take it for a fault of the image."""


class Watcher(Protocol):
    """What a person sees of several scans."""

    def watch(self, name: str) -> AbstractContextManager[Progress]:
        """Begin to show one image; called from the thread that scans it."""
        ...

    def say(self, line: str) -> None:
        """Say something that stays."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(Generic[T]):
    """One image that was scanned, or could not be.

    Attributes:
        result: None where it could not be scanned.
        problem: why not; empty where it was.
    """

    wanted: Wanted
    result: T | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Left:
    """A thread has nothing more to do."""


class Crew(Generic[T]):
    """The threads that scan. `run` once.

    Attributes:
        stopped_by: the signal that ended the run early; None where none did.
    """

    def __init__(self, scan: Callable[[Wanted, Progress], T], watcher: Watcher) -> None:
        self.stopped_by: int | None = None
        self._scan = scan
        self._watcher = watcher
        self._stopping = Event()
        # `put` of a SimpleQueue is reentrant, so that a signal handler may call it (Python's queue documentation).
        self._events: SimpleQueue[Ended[T] | _Left | int] = SimpleQueue()

    def run(self, images: Sequence[Wanted], jobs: int) -> Iterator[Ended[T]]:
        """Scan all, and give each as it ends; must be called from the main thread, for it minds signals."""
        waiting: SimpleQueue[Wanted] = SimpleQueue()
        for wanted in images:
            waiting.put(wanted)
        running = min(jobs, len(images))
        with signals_to(self._events.put):
            for number in range(running):
                # Daemons: one that hangs does not keep the process when it was told to end.
                Thread(
                    target=self._work, args=(waiting,), name=f"scan-{number}", daemon=True
                ).start()
            yield from self._gather(running)

    def _gather(self, running: int) -> Iterator[Ended[T]]:
        patience: float | None = None
        while running:
            try:
                event = self._events.get(timeout=_TICK)
            except Empty:
                if patience is not None and time.monotonic() >= patience:
                    return
                continue
            match event:
                case Ended():
                    yield event
                case _Left():
                    running -= 1
                case _ if self.stopped_by is not None:
                    return
                case signal:
                    self.stopped_by, patience = signal, time.monotonic() + GRACE
                    self._stopping.set()
                    self._watcher.say(
                        "stopping, and removing what was started; again to leave at once"
                    )

    def _work(self, waiting: "SimpleQueue[Wanted]") -> None:
        try:
            while not self._stopping.is_set():
                self._events.put(self._one(waiting.get_nowait()))
        except (Empty, Stopped):
            pass
        finally:
            self._events.put(_Left())

    def _one(self, wanted: Wanted) -> Ended[T]:
        try:
            with self._watcher.watch(wanted.shown) as progress:
                result = self._scan(wanted, _Stoppable(progress, self._stopping))
        except ScanError as error:
            return Ended(wanted=wanted, problem=cut(str(error), _PROBLEM_LIMIT))
        except Exception as error:  # noqa: BLE001 - the last resort for one image: the others go on
            told = f"internal error, please report it: {type(error).__name__}: {error}"
            return Ended(wanted=wanted, problem=cut(told, _PROBLEM_LIMIT))
        return Ended(wanted=wanted, result=result)


class _Stoppable(Checked):
    """Passes progress on; once stopping, its next word unwinds the scan.

    Only the first: what a scan says while it removes what it started must not unwind that too.
    """

    def __init__(self, progress: Progress, stopping: Event) -> None:
        super().__init__(progress, self._check_stop)
        self._stopping = stopping
        self._unwound = False

    def _check_stop(self) -> None:
        if self._stopping.is_set() and not self._unwound:
            self._unwound = True
            raise Stopped
