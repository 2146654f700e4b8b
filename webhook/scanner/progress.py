"""What a person sees while an image is scanned."""

import time
from collections.abc import Callable
from typing import Protocol

from webhook.scanner.errors import Unreachable


class Progress(Protocol):
    """Told how far one image's scan has come; called from the thread that scans it."""

    def stage(self, text: str) -> None:
        """Say what is being done now, in a few words: `reading layers`, `waiting for the server`."""
        ...

    def expect(self, size: int) -> None:
        """Expect this many bytes of layers more; a negative number takes back what need not be read after all."""
        ...

    def advance(self, size: int) -> None:
        """Count bytes of layers that were read."""
        ...


class Silent:
    """Nobody watches."""

    def stage(self, text: str) -> None:
        """Say nothing."""

    def expect(self, size: int) -> None:
        """Expect nothing."""

    def advance(self, size: int) -> None:
        """Count nothing."""


class Checked:
    """Passes on what it is told, and checks before each word whether the scan may go on; the check raises if not."""

    def __init__(self, progress: Progress, check: Callable[[], None]) -> None:
        self._progress, self._check = progress, check

    def stage(self, text: str) -> None:
        """Pass it on."""
        self._check()
        self._progress.stage(text)

    def expect(self, size: int) -> None:
        """Pass it on."""
        self._check()
        self._progress.expect(size)

    def advance(self, size: int) -> None:
        """Pass it on."""
        self._check()
        self._progress.advance(size)


class Limited(Checked):
    """Passes on what it is told, until the time is up: then whatever is told next raises Unreachable.

    Each wait of a scan has its own end, but a registry may be slow in each of a thousand layers.
    """

    def __init__(
        self, progress: Progress, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(progress, self._check_time)
        self._clock = clock
        self._seconds = seconds
        self._until = clock() + seconds

    def _check_time(self) -> None:
        if self._clock() > self._until:
            raise Unreachable(
                f"its scan took longer than {self._seconds / 60:.0f} minutes: scan it from nearer to its "
                "registry, or build it with fewer and smaller layers"
            )
