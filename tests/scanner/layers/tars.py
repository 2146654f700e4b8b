"""Tars, made by Python's tarfile or block by block, whole or wrong."""

import io
import tarfile
from collections.abc import Iterable, Iterator

from webhook.scanner.layers.tarstream import Kind, entries

Member = tuple[tarfile.TarInfo, bytes]
Format = int

ZEROS = bytes(512)
END = ZEROS * 2
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
TYPES: dict[Kind, bytes] = {
    "folder": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "fifo": tarfile.FIFOTYPE,
    "other": b"V",
}


def file(name: str, data: bytes = b"", **pax: str) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.pax_headers = len(data), pax
    return info, data


def special(kind: Kind, name: str, link: str = "") -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = TYPES[kind], link
    return info, b""


def folder(name: str) -> Member:
    return special("folder", name)


def symlink(name: str, target: str) -> Member:
    return special("symlink", name, target)


def hardlink(name: str, target: str) -> Member:
    return special("hardlink", name, target)


def device_like() -> tuple[Member, Member]:
    """What base images have in /dev."""
    return special("device", "dev/null"), special("fifo", "dev/pipe")


def tar(*members: Member, format: Format = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002 - as tarfile calls it
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def header(name: bytes, *, size: int = 0, flag: bytes = b"0", **fields: bytes) -> bytes:
    """Make a header of POSIX's format; `fields` are written where they belong, `magic` and `rest` too."""
    block = bytearray(512)
    places = {"link": 157, "magic": 257, "prefix": 345, "rest": 386, "size": 124, "trailer": 508}
    block[: len(name)] = name
    block[100:124] = b"0000644\0000000000\0000000000\0"
    block[124:156] = b"%011o\0%011o\0        " % (size, 0)
    block[156:157] = flag
    for field, value in {"magic": b"ustar\x0000", **fields}.items():
        start = places[field]
        block[start : start + len(value)] = value
    return signed(bytes(block))


def signed(block: bytes) -> bytes:
    """Write a header's right checksum into it."""
    blank = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(blank) + block[156:]


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def extension(flag: bytes, data: bytes) -> bytes:
    """Make a header of GNU's long names (L, K) or pax (x, g) with its data."""
    magic = b"ustar  \0" if flag in b"LK" else b"ustar\x0000"
    return header(b"ext", size=len(data), flag=flag, magic=magic) + padded(data)


def record(key: str, value: str | bytes) -> bytes:
    """Make a pax record, its length included."""
    raw = value if isinstance(value, bytes) else value.encode()
    rest = b" " + key.encode() + b"=" + raw + b"\n"
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


Seen = tuple[str, Kind, int, str, bytes | None]


def read_all(chunks: Iterable[bytes], limit: int = 1 << 20) -> list[Seen]:
    """Read every entry, files with their content where they can be read."""
    return [
        (
            e.name,
            e.kind,
            e.size,
            e.link,
            e.read(limit) if readable(e.kind, sparse=e.sparse) else None,
        )
        for e in entries(chunks, "layer x")
    ]


def readable(kind: Kind, *, sparse: bool) -> bool:
    return kind == "file" and not sparse


def names(data: bytes) -> list[str]:
    return [entry.name for entry in entries([data], "layer x")]


def cut_into(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))
