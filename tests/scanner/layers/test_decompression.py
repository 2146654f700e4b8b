import bz2
import gzip
import lzma
import random
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scanner.layers.tars import cut_into
from webhook.scanner.errors import BadContent
from webhook.scanner.layers import decompression
from webhook.scanner.layers.decompression import PIECE, decompress
from webhook.scanner.mediatypes import Compression

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

WHERE = "layer sha256:0"
TEXT = b"".join(b"line %d of a layer\n" % n for n in range(5000))
PACK: dict[Compression, Callable[[bytes], bytes]] = {
    "none": bytes,
    "gzip": gzip.compress,
    "zstd": zstd.compress,
}
COMPRESSED: tuple[Compression, ...] = ("gzip", "zstd")


def unpack(data: bytes, compression: Compression, size: int = 4096) -> bytes:
    return b"".join(decompress(cut_into(data, size), compression, WHERE))


def refusal(data: bytes, compression: Compression) -> str:
    with pytest.raises(BadContent) as caught:
        unpack(data, compression)
    message = str(caught.value)
    assert message.startswith(WHERE)
    assert message.isprintable()
    return message


def zeros(count: int) -> Iterator[bytes]:
    """Pack MiBs of zeros as gzip, without holding them."""
    stream = zlib.compressobj(wbits=31)
    for _ in range(count):
        yield stream.compress(bytes(1 << 20))
    yield stream.flush()


@pytest.mark.parametrize("compression", PACK)
@pytest.mark.parametrize("size", [1, 3, 1000, 1 << 20])
def test_what_was_packed_comes_out_whatever_the_chunks(compression: Compression, size: int) -> None:
    assert unpack(PACK[compression](TEXT), compression, size) == TEXT


@pytest.mark.parametrize("compression", COMPRESSED)
@given(parts=st.lists(st.binary(max_size=300), max_size=6), size=st.integers(1, 400))
def test_streams_that_follow_one_another_are_read_as_one(
    compression: Compression, parts: list[bytes], size: int
) -> None:
    packed = b"".join(PACK[compression](part) for part in parts)
    assert unpack(packed, compression, size) == b"".join(parts)


@pytest.mark.parametrize("compression", PACK)
def test_nothing_is_given_out_in_pieces_of_more_than_a_mebibyte(compression: Compression) -> None:
    data = random.Random(1).randbytes(3 << 20) + bytes(20 << 20)
    pieces = list(decompress([PACK[compression](data)], compression, WHERE))
    assert max(map(len, pieces)) <= PIECE
    assert b"".join(pieces) == data


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 257])
@pytest.mark.parametrize("compression", COMPRESSED)
def test_what_fills_pieces_exactly_is_not_lost(compression: Compression, length: int) -> None:
    assert len(unpack(PACK[compression](bytes(length)), compression)) == length


def test_zeros_behind_a_gzip_are_padding() -> None:
    packed = gzip.compress(TEXT) + bytes(5000)
    for size in (1, 700, 1 << 20):
        assert unpack(packed, "gzip", size) == TEXT


def test_zeros_before_a_gzip_are_none() -> None:
    assert "is no gzip" in refusal(bytes(10) + gzip.compress(TEXT), "gzip")


def test_skippable_zstd_frames_are_skipped() -> None:
    skippable = struct.pack("<II", 0x184D2A5F, 7) + b"ignored"
    packed = zstd.compress(TEXT) + skippable + zstd.compress(b"more") + skippable
    for size in (1, 700, 1 << 20):
        assert unpack(packed, "zstd", size) == TEXT + b"more"


@pytest.mark.parametrize(
    ("begin", "type_"),
    [
        (gzip.compress(TEXT), "none"),
        (zstd.compress(TEXT), "none"),
        (bz2.compress(TEXT), "none"),
        (lzma.compress(TEXT), "none"),
        (struct.pack("<II", 0x184D2A50, 7) + b"ignored" + TEXT, "none"),
        (struct.pack("<II", 0x184D2A5F, 7) + b"ignored" + zstd.compress(TEXT), "zstd"),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_what_runtimes_would_read_otherwise_than_its_media_type_says_is_refused(
    begin: bytes, type_: Compression, size: int
) -> None:
    with pytest.raises(BadContent, match=r"layer sha256:0 begins as no .* should"):
        unpack(begin, type_, size)


@pytest.mark.parametrize("compression", COMPRESSED)
def test_every_truncation_is_refused(compression: Compression) -> None:
    packed = PACK[compression](b"some bytes that are worth packing" * 3)
    for length in range(1, len(packed)):
        assert "is cut off" in refusal(packed[:length], compression)


@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_blob_without_bytes_is_an_empty_tar(compression: Compression) -> None:
    assert unpack(b"", compression) == b""


@pytest.mark.parametrize("compression", COMPRESSED)
@pytest.mark.parametrize("data", [b"no compressed stream at all", TEXT, b"\x00" * 99])
def test_other_bytes_are_refused_and_the_media_type_named(
    compression: Compression, data: bytes
) -> None:
    assert f"media type says {compression}" in refusal(data, compression)


@pytest.mark.parametrize(
    "behind", [b"garbage", b"\0\0garbage", bytes(70_000) + b"x", bytes(9) + gzip.compress(b"a")]
)
def test_what_stands_behind_a_gzip_is_refused(behind: bytes) -> None:
    refusal(gzip.compress(TEXT) + behind, "gzip")


def test_a_wrong_checksum_is_refused() -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-8] ^= 1
    assert "a broken one" in refusal(bytes(packed), "gzip")


def count_until_refused(pieces: Iterator[bytes], words: str) -> int:
    size = 0
    with pytest.raises(BadContent, match=words):  # noqa: PT012 - what came before the error is counted
        for piece in pieces:
            size += len(piece)
    return size


def test_a_gzip_bomb_is_refused_at_256_mebibytes_and_named() -> None:
    words = r"^layer sha256:0 is a decompression bomb: .* more than 200 times as many"
    size = count_until_refused(decompress(zeros(400), "gzip", WHERE), words)
    assert 255 << 20 <= size <= 256 << 20


def test_zeros_are_read_while_they_are_few() -> None:
    assert sum(map(len, decompress(zeros(256), "gzip", WHERE))) == 256 << 20


def test_a_zstd_bomb_is_refused() -> None:
    bomb = [zstd.compress(bytes(32 << 20)) * 9]
    count_until_refused(decompress(bomb, "zstd", WHERE), "is a decompression bomb")


def window(log: int) -> bytes:
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: log,
        zstd.CompressionParameter.content_size_flag: 0,
    }
    stream = zstd.ZstdCompressor(options=options)
    return stream.compress(TEXT) + stream.flush()


def test_a_window_of_32_mebibytes_is_read_and_a_larger_one_refused() -> None:
    assert unpack(window(25), "zstd") == TEXT
    assert "window of more than 32 MiB" in refusal(window(26), "zstd")


def test_a_frame_that_asks_for_terabytes_is_refused() -> None:
    frame = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xFF]) + b"\x01\x00\x00"
    assert "window of more than 32 MiB" in refusal(frame, "zstd")


def test_a_million_streams_are_read_and_more_refused() -> None:
    one = gzip.compress(b"a")
    many = (one * 1000 for _ in range(decompression.MEMBERS // 1000 + 1))
    words = "more than 1000000 compressed streams"
    assert count_until_refused(decompress(many, "gzip", WHERE), words) == decompression.MEMBERS


def test_a_tar_of_64_gibibytes_is_read_and_more_refused() -> None:
    chunk = bytes(64 << 20)
    words = "unpacks to more than 64 GiB"
    pieces = decompress((chunk for _ in range(1025)), "none", WHERE)
    assert count_until_refused(pieces, words) == 64 << 30


@pytest.mark.parametrize("compression", COMPRESSED)
@given(data=st.binary(max_size=200), at=st.integers(0, 80), size=st.integers(1, 200))
def test_any_bytes_are_unpacked_or_refused(
    compression: Compression, data: bytes, at: int, size: int
) -> None:
    good = PACK[compression](b"something to unpack")
    for mutated in (data, good[:at] + data + good[at:], good[:at] + data):
        with suppress(BadContent):
            unpack(mutated, compression, size)
