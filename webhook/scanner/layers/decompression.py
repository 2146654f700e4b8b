"""A layer's bytes as stored -> the bytes of its tar, streaming: a few MiB of memory whatever the layer holds.

    gzip   RFC 1952: one member after another, as pigz and eStargz write them; zeros may follow the last one, as tape
           drives and some tools pad files
    zstd   RFC 8878: one frame after another, skippable ones among them, as zstd:chunked writes them

Runtimes know a compressed layer by its first bytes, whatever its media type says (containers/image, pkg/compression;
containerd, archive/compression). Bytes can be made that are a tar to one reader and compressed to another. So a plain
tar must not begin as something compressed does, and zstd not with a skippable frame, by which not all of them know it.

What is stored small can be large: deflate shrinks zeros to a 1030th, zstd to less than a 10,000th. So there are bounds.

    RATIO    Layers of programs and libraries shrink to between a half and a fifth (the two that this was measured with:
             2.1 and 5.4 times), text to a tenth. What shrinks to less than a 200th is zeros, or as good as zeros.
    FREE     A small layer that holds one preallocated database or swap file is honest, however well it shrinks. Up to
             this size unpacking takes a second, so nobody needs to judge it.
    LIMIT    The largest images known, whole stacks for machine learning, have some 40 GiB in all their layers.
    MEMBERS  eStargz begins a member for each file and for each 4 MiB of it; tarstream.py reads no more than half as
             many entries. Each costs some 12 µs, however short it is: 12 seconds at most for all of them.
    WINDOW   A zstd frame says how much of its past the decoder must keep, up to 3.75 TiB. RFC 8878, section 3.1.1.1.2,
             asks decoders to keep 8 MiB, which is what `zstd -19` needs; the Go library of BuildKit and podman asks
             for 32 MiB at most.
"""

import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from webhook.scanner.errors import BadContent
from webhook.scanner.mediatypes import Compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

RATIO = 200
FREE = 256 * 1024 * 1024
LIMIT = 64 * 1024 * 1024 * 1024
MEMBERS = 1_000_000
WINDOW_LOG = 25  # 32 MiB

# The most that is given out at once, and the most that is fed at once: what is fed is copied for each member in it.
PIECE = 1024 * 1024
_FEED = 64 * 1024

# How a layer must not begin: a plain tar as bzip2, gzip, xz, zstd or one of zstd's skippable frames.
_OTHERWISE: dict[Compression, re.Pattern[bytes]] = {
    "none": re.compile(rb"BZh|\x1f\x8b|\xfd7zXZ|\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"),
    "gzip": re.compile(rb"(?!)"),
    "zstd": re.compile(rb"[\x50-\x5f]\x2a\x4d\x18"),
}
_BEGIN_LENGTH = 6


class _Member(Protocol):
    """One gzip member or zstd frame."""

    @property
    def ended(self) -> bool: ...

    @property
    def rest(self) -> bytes:
        """What was fed beyond its end."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Gzip:
    """A gzip member; its CRC and length are verified by zlib."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        # What zlib holds back when all input is consumed comes with the next: a member ends with its checksum.
        while data and not self._stream.eof:
            yield self._stream.decompress(data, PIECE)
            data = self._stream.unconsumed_tail


class _Zstd:
    """A zstd frame, skippable ones included; its checksum, where it has one, is verified by libzstd."""

    def __init__(self) -> None:
        limit: dict[int, int] = {zstd.DecompressionParameter.window_log_max: WINDOW_LOG}
        self._stream = zstd.ZstdDecompressor(options=limit)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    @property
    def rest(self) -> bytes:
        return self._stream.unused_data

    def feed(self, data: bytes) -> Iterator[bytes]:
        yield self._stream.decompress(data, PIECE)
        while not (self._stream.eof or self._stream.needs_input):
            yield self._stream.decompress(b"", PIECE)


class _Feed:
    """Chunks of any size as pieces of at most `size` bytes, counted."""

    def __init__(self, chunks: Iterable[bytes], size: int) -> None:
        self.count = 0
        self._chunks = chunks
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            for start in range(0, len(chunk), self._size):
                piece = chunk[start : start + self._size]
                self.count += len(piece)
                yield piece


def decompress(chunks: Iterable[bytes], compression: Compression, where: str) -> Iterator[bytes]:
    """Give a layer's tar in pieces of at most 1 MiB; the chunks are read to their end.

    `where` names the layer in messages. Raises BadContent: it is not what its type says, it is cut off, or it unpacks
    to more than a layer may.
    """
    chunks = _begun(chunks, compression, where)
    if compression == "none":
        feed = _Feed(chunks, PIECE)
        return _bounded(feed, feed, where)
    feed = _Feed(chunks, _FEED)
    members = _members(feed, _Gzip if compression == "gzip" else _Zstd, where)
    return _bounded(_translated(members, compression, where), feed, where)


def _begun(chunks: Iterable[bytes], compression: Compression, where: str) -> Iterator[bytes]:
    """Pass chunks on, the first of them once it is known that they begin as their type says."""
    left, begin = iter(chunks), b""
    while len(begin) < _BEGIN_LENGTH and (chunk := next(left, None)) is not None:
        begin += chunk
    if _OTHERWISE[compression].match(begin):
        raise BadContent(
            f"{where} begins as no {'plain tar' if compression == 'none' else compression} should, though its media "
            "type says so, and runtimes would not agree what it holds; build the image anew, with another tool"
        )
    yield begin
    yield from left


def _bounded(pieces: Iterable[bytes], feed: _Feed, where: str) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > FREE and size > RATIO * feed.count:
            raise BadContent(
                f"{where} is a decompression bomb: its first {feed.count} bytes unpack to more than {RATIO} times as "
                "many; build the image without files that are nothing but zeros"
            )
        if size > LIMIT:
            raise BadContent(
                f"{where} unpacks to more than {LIMIT >> 30} GiB, the most that is read of a layer; "
                "split it, or keep data out of the image"
            )
        if piece:
            yield piece


def _translated(pieces: Iterator[bytes], compression: str, where: str) -> Iterator[bytes]:
    try:
        yield from pieces
    except (zlib.error, zstd.ZstdError) as error:
        if "too much memory" in str(error):
            raise BadContent(
                f"{where} is compressed with a window of more than {1 << (WINDOW_LOG - 20)} MiB; "
                "compress it without --ultra and --long"
            ) from error
        raise BadContent(
            f"{where} is no {compression}, or a broken one, though its media type says {compression}; "
            "push the image again"
        ) from error


def _members(feed: _Feed, begin: Callable[[], _Member], where: str) -> Iterator[bytes]:
    member: _Member | None = None
    count, padded = 0, False
    for fed in feed:
        data = fed
        while data:
            if member is None:
                # Only gzip has padding; zeros for a zstd frame are as wrong as all else, which libzstd says.
                stripped = data.lstrip(b"\0") if count and begin is _Gzip else data
                padded = padded or len(stripped) < len(data)
                if not stripped:
                    break
                data, count = stripped, _counted(count, padded=padded, where=where)
                member = begin()
            yield from member.feed(data)
            if not member.ended:
                break
            data, member = member.rest, None
    if member is not None:
        raise BadContent(
            f"{where} is cut off: its compressed stream does not end; push the image again"
        )


def _counted(count: int, *, padded: bool, where: str) -> int:
    if padded:
        raise BadContent(
            f"{where} has something behind its end and the zeros that pad it; push the image again"
        )
    if count == MEMBERS:
        raise BadContent(
            f"{where} is made of more than {MEMBERS} compressed streams; compress it as a whole"
        )
    return count + 1
