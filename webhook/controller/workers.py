"""Threads that take images from the backlog, one at a time each."""

import threading
import time

import structlog

from webhook.controller.turn import Work

_log = structlog.get_logger("nbgate.controller")

_PATIENCE = 1.0  # seconds that a worker waits for work before it looks whether it is to end
_AFTER_A_FAULT = 60.0  # seconds before an image is tried again that met a fault of ours


class Workers:
    """The threads.

    Args:
        number: how many.
    """

    def __init__(self, work: Work, number: int) -> None:
        self._work = work
        self._threads = [
            threading.Thread(target=self._run, name=f"nbgate-worker-{which}", daemon=True)
            for which in range(number)
        ]

    @property
    def alive(self) -> bool:
        """Whether all of them run."""
        return all(thread.is_alive() for thread in self._threads)

    def start(self) -> None:
        """Start them; they are no reason for the process to live."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> None:
        """Take nothing any more, and give all claims back, for which the API server has so many seconds."""
        self._work.backlog.close()
        self._work.keeper.stop(patience)

    def join(self, patience: float) -> None:
        """Wait so many seconds for scans to unwind after `stop`; what started pods removes them."""
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._work.keeper.stopping.is_set():
            record = self._work.backlog.take(_PATIENCE)
            if record is None:
                continue
            delay = _AFTER_A_FAULT
            try:
                delay = self._work.turn(record.name)
            except Exception:  # noqa: BLE001 - one image must not end the worker of all others
                _log.exception("internal error, please report it", scan=record.name)
            finally:
                self._work.backlog.done(record.name, delay)
