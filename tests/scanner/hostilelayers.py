"""Layers that are made to hurt whoever reads them."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

MEBIBYTE = 1 << 20


def tar_of(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Write a layer as gzip, entry by entry as they are given."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in entries:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(written.getvalue(), 1)


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


def one(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", data: bytes = b"") -> bytes:
    """Write a layer of one entry."""
    return tar_of((entry(name, kind, link), data))


def squeezed(chunks: Iterator[bytes], level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return b"".join([*map(packer.compress, chunks), packer.flush()])


def gzip_bomb() -> bytes:
    """A GiB of zeros in one file, one MiB packed."""
    info = entry("bomb")
    info.size = 1024 * MEBIBYTE

    def chunks() -> Iterator[bytes]:
        yield info.tobuf(tarfile.PAX_FORMAT)
        for _ in range(1024):
            yield bytes(MEBIBYTE)

    return squeezed(chunks(), 6)


def a_million_entries() -> bytes:
    block = b"".join(entry(f"f{n:03}").tobuf(tarfile.GNU_FORMAT) for n in range(1000))
    return squeezed((block for _ in range(1000)), 1)


LAYERS: Mapping[str, tuple[Callable[[], bytes], str]] = MappingProxyType(
    {
        "gzip bomb": (gzip_bomb, "bomb"),
        "absolute path": (lambda: one("/etc/passwd"), "'/etc/passwd'"),
        "dots": (lambda: one("../../etc/passwd"), "../../etc/passwd"),
        "dots inside": (lambda: one("home/../../etc/passwd"), "home/../../etc/passwd"),
        "hard link out": (
            lambda: one("etc/passwd", tarfile.LNKTYPE, "../../../etc/passwd"),
            "../../../etc/passwd",
        ),
        "device": (lambda: one("etc/passwd", tarfile.CHRTYPE), "etc/passwd"),
        "fifo": (lambda: one("etc/passwd", tarfile.FIFOTYPE), "etc/passwd"),
        "a million entries": (a_million_entries, "entries"),
        "huge passwd": (lambda: one("etc/passwd", data=bytes(64 * MEBIBYTE)), "etc/passwd"),
        "no tar": (lambda: gzip.compress(b"x" * 4096), "its tar cannot be read"),
        "no gzip": (lambda: b"\x1f\x8b" + bytes(100), "gzip"),
        "half a tar": (lambda: gzip.compress(entry("x").tobuf()[:300]), "it is cut off"),
    }
)
