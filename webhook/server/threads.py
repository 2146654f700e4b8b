"""The threads that answer requests: a few, started at once, that take what is to be done in its order."""

import contextlib
import queue
import threading
from collections.abc import Callable
from functools import partial


class Threads:
    """Does work in threads, and keeps nothing of what comes of it: the work itself tells whom it concerns.

    concurrent.futures makes a Future with its locks for each piece of work, and takes three times as long to hand it
    over.
    """

    def __init__(self, count: int) -> None:
        """Start all threads now: one that could not be started later, for want of memory, would end the worker."""
        self._work: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        # None keeps the process alive: a worker whose main loop failed would else never end, nor be replaced.
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        """Have a thread call `work` when its turn has come; never waits."""
        self._work.put(partial(work, *arguments))

    def shutdown(self, *, wait: bool) -> None:
        """Let the threads end when all that was submitted is done; `wait` until they have."""
        for _ in self._threads:
            self._work.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            # what can be told of a failure was told where it happened; the thread goes on
            with contextlib.suppress(BaseException):
                work()
            del work  # else a request's bytes would stay until the next one comes
