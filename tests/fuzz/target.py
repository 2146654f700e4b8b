"""A target: one reader of bytes from outside, as a function that asserts what must hold of whatever it is given."""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

# Processor time for one input of at most LONGEST bytes: a thousand times what the slowest honest one takes, so that a
# busy machine passes and a reader that goes round, or goes back and forth, does not.
SECONDS = 8.0
LONGEST = 32 * 1024


class TooSlowError(Exception):
    """A reader took longer over one input than any input may take."""


def _nothing() -> Iterable[bytes]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader.

    Attributes:
        check: reads the bytes; raises for whatever its reader may not do. What a reader says it may raise is caught
            in there, so that everything that comes out is a finding.
        seeds: inputs that are made when they are asked for: recorded reviews, certificates and keys, tars.
        words: pieces of its format, which no mutation finds by itself.
        keeps: what a long run finds may stand in a repository; certificates and keys may not.
        examples: how many inputs the short run tries: about half a second's worth.
    """

    name: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]] = _nothing
    words: tuple[bytes, ...] = ()
    keeps: bool = True
    examples: int = 150

    def check_in_time(self, data: bytes) -> None:
        """Check an input. Raises TooSlowError past SECONDS of this process's time."""
        with processor_time(SECONDS):
            self.check(data)


@contextmanager
def processor_time(seconds: float) -> Iterator[None]:
    """Interrupt what takes more of this process's time; expressions that match for ever can be interrupted too.

    Raises TooSlowError. To be used in the main thread.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"it took more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def one_line(text: str, limit: int = 2000) -> None:
    """Assert that a message is something, fits one line of a log, and is bounded."""
    assert text
    assert text.isprintable(), ascii(text)
    assert len(text) <= limit, len(text)
