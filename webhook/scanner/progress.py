"""What a person sees while an image is scanned."""

from typing import Protocol


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
