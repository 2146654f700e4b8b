"""Chunks of any size -> headers and bodies of a tar, taken or skipped, none of them copied that nobody wants."""

from collections.abc import Iterable

from webhook.core.words import clean
from webhook.scanner.errors import BadContent
from webhook.scanner.layers.tarheaders import BLOCK, Malformed

_ZEROS = bytes(BLOCK)


class Blocks:
    """Bytes of chunks, taken or skipped; knows how much of the current entry's body is left."""

    def __init__(self, chunks: Iterable[bytes], where: str) -> None:
        self._chunks = iter(chunks)
        self._where = where
        self._buffer = b""
        self._position = 0
        self._before = 0  # bytes of the chunks before this one
        self._body = 0
        self._padding = 0

    def fault(self, clause: str) -> BadContent:
        """Make the error that says what is wrong with the tar."""
        return BadContent(
            f"{self._where}: {clean(clause)}; build the image anew, with another tool"
        )

    def unreadable(self, fault: Malformed) -> BadContent:
        """Make the error that says why, and where, the tar cannot be read any further."""
        at = self._before + self._position
        return self.fault(f"its tar cannot be read, near byte {at}: {fault}")

    def set_body(self, size: int) -> None:
        """Say that what follows is a body of this size, padded to whole blocks."""
        self._body = size
        self._padding = -size % BLOCK

    def body(self) -> bytes:
        """Take the body. Raises Malformed."""
        data = self.take(self._body)
        self._body = 0
        return data

    def finish_body(self) -> None:
        """Skip what is left of the body. Raises Malformed."""
        if left := self._body + self._padding:
            self._skip(left)
            self._body = self._padding = 0

    def header(self) -> bytes | None:
        """Take the next header; None at the archive's end. Raises Malformed."""
        end = self._position + BLOCK
        if end <= len(self._buffer):
            block = self._buffer[self._position : end]
            self._position = end
        elif not self._more():
            return None
        else:
            block = self.take(BLOCK)
        if block != _ZEROS:
            return block
        if self._more() and self.take(BLOCK) != _ZEROS:
            raise Malformed("a single block of zeros stands where two would end it")
        return None

    def take(self, size: int) -> bytes:
        """Take exactly so many bytes. Raises Malformed."""
        end = self._position + size
        if end <= len(self._buffer):
            data = self._buffer[self._position : end]
            self._position = end
            return data
        pieces, missing = [], size
        while missing:
            if not self._more():
                raise Malformed("it is cut off")
            piece = self._buffer[self._position : self._position + missing]
            self._position += len(piece)
            missing -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def drain(self) -> None:
        """Read the chunks to their end."""
        for _ in self._chunks:
            pass

    def _skip(self, size: int) -> None:
        end = self._position + size
        while end > len(self._buffer):
            end -= len(self._buffer)
            self._position = len(self._buffer)
            if not self._more():
                raise Malformed("it is cut off")
        self._position = end

    def _more(self) -> bool:
        """Make sure that there is a byte at the position, or say that there is none any more."""
        while self._position == len(self._buffer):
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self._before += len(self._buffer)
            self._buffer, self._position = chunk, 0
        return True
