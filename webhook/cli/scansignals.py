"""Signals that end a command, as events in a queue: its main thread meets them where it waits, and nowhere else."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, `kill`, and the terminal that is closed.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_to(put: Callable[[int], None]) -> Iterator[None]:
    """Hand each ending signal's number to `put`, which must be fit for a signal handler; then as before.

    One that is ignored stays ignored, as SIGHUP is under nohup. Only the main thread may do this.
    """

    def handle(number: int, _frame: FrameType | None) -> None:
        put(number)

    heeded = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
