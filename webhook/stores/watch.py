"""The loop that keeps a store fresh: a thread of its own, started and stopped by whoever owns the store."""

import sys
import threading
import time
from collections.abc import Callable

# A look at a small folder takes a millisecond: it is had twice a second. One at 100,000 files takes some 0.4 s, and a
# tenth of one processor is what it may cost, so it comes every 4 s. What counts is the thread's own time on a
# processor: on a busy machine a look waits for its turn, which costs nobody. And of two looks the shorter counts: to
# read everything at first, or after the line to the cluster was broken, takes long only once.
INTERVAL = 0.5
_REST = 9.0  # times as long as the last two looks worked, the shorter of them
_LONGEST = 5.0


class Watcher:
    """Calls `refresh` again and again until it is stopped; an error of it is told and the next call comes all the same.

    Args:
        refresh: what to call; what it returns does not matter here.
        on_error: told of each exception that `refresh` raises.
        interval: seconds between the end of a call and the next; after two that work for long it rests for longer.
    """

    def __init__(
        self,
        refresh: Callable[[], object],
        on_error: Callable[[Exception], object],
        *,
        interval: float = INTERVAL,
    ) -> None:
        self._refresh = refresh
        self._on_error = on_error
        self._interval = interval
        self._worked = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; it is no reason for the process to live. Raises RuntimeError if it was started before."""
        if self._thread is not None:
            raise RuntimeError("a Watcher is started once; make another")
        self._thread = threading.Thread(target=self._run, name="nbgate-watch", daemon=True)
        self._thread.start()

    def stop(self, timeout: float | None = None) -> bool:
        """End the loop and wait for the call that is under way; tell whether it has ended within `timeout` seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout)
        return not self.alive

    def _run(self) -> None:
        while not self._stopping.wait(self._once()):
            pass

    def _once(self) -> float:
        """Call once; give the seconds to rest."""
        started = time.thread_time()
        try:
            self._refresh()
        except Exception as error:  # noqa: BLE001 - the loop outlives whatever one look meets
            self._tell(error)
        before, self._worked = self._worked, time.thread_time() - started
        return max(self._interval, min(_REST * min(before, self._worked), _LONGEST))

    def _tell(self, error: Exception) -> None:
        try:
            self._on_error(error)
        except Exception:  # noqa: BLE001 - nor does it end because nobody can be told
            sys.excepthook(*sys.exc_info())
