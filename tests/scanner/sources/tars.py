"""Tar files made by hand, right or wrong in any way."""

import io
import tarfile
from pathlib import Path

import orjson

from tests.scanner.memory import Json, digest_of

BLOCK = 512
END = bytes(2 * BLOCK)


def header(
    name: bytes = b"file",
    size: bytes = b"00000000000",
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
) -> bytes:
    """Write one header with its right checksum."""
    block = bytearray(BLOCK)
    for offset, value in ((0, name), (124, size), (156, kind), (157, link), (257, magic)):
        block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name: bytes, data: bytes, kind: bytes = b"0", link: bytes = b"") -> bytes:
    """Write a header and its bytes, filled up to whole blocks."""
    filled = data + bytes(-len(data) % BLOCK)
    return header(name, b"%011o" % len(data), kind, link) + filled


def tar_of(members: dict[str, bytes], kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Write regular files with Python's own tarfile."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=kind) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def saved(
    *layers: bytes,
    names: tuple[str, ...] = ("team/notebook:v1",),
    diff_ids: list[str] | None = None,
) -> dict[str, bytes]:
    """Give the members of an archive of one image, as docker save names them."""
    told = [digest_of(layer) for layer in layers] if diff_ids is None else diff_ids
    config = orjson.dumps(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": {"User": "1000"},
            "rootfs": {"type": "layers", "diff_ids": told},
        }
    )
    paths = [f"{number}/layer.tar" for number in range(len(layers))]
    entry: Json = {"Config": "config.json", "RepoTags": list(names), "Layers": paths}
    return {
        "config.json": config,
        **dict(zip(paths, layers, strict=True)),
        "manifest.json": orjson.dumps([entry]),
    }


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
