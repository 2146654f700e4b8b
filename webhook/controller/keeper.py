"""Holds this replica's claims while their images are scanned, and gives all of them back when it ends."""

import threading
import time
from collections.abc import Callable

from webhook.controller.claim import Held, quietly

_LOOK = 0.25  # seconds between two looks at which claims are to be renewed
_RENEWALS = 3  # in the time that a claim lasts: two may fail


class Keeper:
    """The claims of one replica, renewed by a thread of its own.

    Args:
        length: seconds that a claim lasts which is not renewed.
        report: told of what goes wrong with one.

    Attributes:
        stopping: every scan is to end now.
    """

    def __init__(self, length: float, report: Callable[[str], object]) -> None:
        self.stopping = threading.Event()
        self._every = length / _RENEWALS
        self._report = report
        self._due: dict[Held, float] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="nbgate-claims", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def held(self) -> int:
        """How many images are ours now."""
        return len(self._due)

    def start(self) -> None:
        """Start the thread; it is no reason for the process to live."""
        self._thread.start()

    def keep(self, held: Held) -> None:
        """Renew a claim from now on."""
        with self._lock:
            self._due[held] = time.monotonic() + self._every

    def drop(self, held: Held) -> None:
        """Renew it no more."""
        with self._lock:
            self._due.pop(held, None)

    def stop(self, patience: float) -> None:
        """Give all claims back at once; wait at most so many seconds for the API server to take it.

        Nobody waits for what scans the images: it unwinds meanwhile, and finds that its claim is gone.
        """
        self.stopping.set()
        deadline = time.monotonic() + patience
        with self._lock:
            held = list(self._due)
        threads = [
            threading.Thread(target=self._give_back, args=(one,), daemon=True) for one in held
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _give_back(self, held: Held) -> None:
        problem = quietly(held.release)
        if problem:
            self._report(f"{held.name} is not given back, its claim runs out: {problem}")

    def _run(self) -> None:
        while not self.stopping.wait(_LOOK):
            with self._lock:
                now = time.monotonic()
                due = [held for held, at in self._due.items() if at <= now]
            for held in due:
                self._renew(held)

    def _renew(self, held: Held) -> None:
        problem = quietly(held.renew)
        if problem:
            self._report(f"the claim of {held.name} is not renewed: {problem}")
        with self._lock:
            if held in self._due:
                # After a failure sooner: the next try may be the last that comes in time.
                pause = self._every / 4 if problem else self._every
                self._due[held] = time.monotonic() + pause
