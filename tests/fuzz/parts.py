r"""Several files in one input, as text that survives mutation: parts between lines of `%%`, which name one another.

    @d2@  the digest of part 2 as it is stored      @s2@  its size      @u2@  the digest of its tar, unpacked

A part that begins with `!tar`, `!tar+gzip` or `!tar+zstd` and a newline is a layer, written line by line as
`tarlines` has it; one that begins with `!sum` is a tar whose headers get their right checksums. Placeholders stand in
parts that are text; the parts that they name come later.
"""

import gzip
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.tarlines import tar_of_lines, with_checksums
from tests.scanner.memory import digest_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SEPARATOR = b"\n%%\n"
_MOST = 12
_PLACEHOLDER = re.compile(rb"@([dsu])([0-9]{1,2})@")


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _as_it_is(data: bytes) -> bytes:
    return data


def _zstd(data: bytes) -> bytes:
    return zstd.compress(data, 1)


_PACKED: dict[bytes, Callable[[bytes], bytes]] = {
    b"!tar\n": _as_it_is,
    b"!tar+gzip\n": _gzip,
    b"!tar+zstd\n": _zstd,
}
_SUM = b"!sum\n"


@dataclass(frozen=True, slots=True)
class Part:
    """One file: its bytes as stored, and the digest of what they unpack to."""

    data: bytes
    unpacked: str

    def named(self, what: bytes) -> bytes:
        """Give what a placeholder stands for."""
        if what == b"s":
            return b"%d" % len(self.data)
        return (digest_of(self.data) if what == b"d" else self.unpacked).encode()


def parts_of(data: bytes) -> list[Part]:
    """Take an input apart, the last first, for parts name later ones."""
    pieces = data.split(SEPARATOR, _MOST - 1)
    found: dict[int, Part] = {}
    for number in reversed(range(len(pieces))):
        found[number] = _part(pieces[number], found)
    return [found[number] for number in range(len(pieces))]


def joined(*pieces: bytes) -> bytes:
    """Write parts as one input."""
    return SEPARATOR.join(pieces)


def _part(piece: bytes, later: dict[int, Part]) -> Part:
    for head, pack in _PACKED.items():
        if piece.startswith(head):
            tar = tar_of_lines(piece[len(head) :])
            return Part(pack(tar), digest_of(tar))
    if piece.startswith(_SUM):
        tar = with_checksums(piece[len(_SUM) :])
        return Part(tar, digest_of(tar))

    def known(found: re.Match[bytes]) -> bytes:
        part = later.get(int(found[2]))
        return found[0] if part is None else part.named(found[1])

    text = _PLACEHOLDER.sub(known, piece)
    return Part(text, digest_of(text))
