"""Manifests that a person names on the command line: files, or - for standard input."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from webhook.cli.exits import BadInput
from webhook.stores.documents import Broken, parse_documents
from webhook.stores.problem import printable

# A namespace full of notebooks with their managed fields: 32 MiB hold about five thousand.
_LIMIT = 32 * 1024 * 1024
_STANDARD_INPUT = Path("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document and where it came from; `number` is 0 where the file holds only one."""

    name: str
    number: int
    document: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}, document {self.number}" if self.number else self.name


def read_source(path: Path) -> list[Source]:
    """Read the documents of a file. Raises BadInput with everything that is wrong with it."""
    name = "standard input" if path == _STANDARD_INPUT else printable(path)
    pieces = parse_documents(_read(path, name))
    broken = [piece for piece in pieces if isinstance(piece, Broken)]
    if broken:
        raise BadInput("\n".join(_told(name, piece) for piece in broken))
    return [
        Source(name=name, number=piece.number, document=piece.content)
        for piece in pieces
        if not isinstance(piece, Broken)
    ]


def _told(name: str, piece: Broken) -> str:
    where = f"{name}, document {piece.number}" if piece.number else name
    return "; ".join(f"{where}: {fault}" for fault in piece.faults)


def _read(path: Path, name: str) -> bytes:
    try:
        if path == _STANDARD_INPUT:
            if sys.stdin is None:
                raise BadInput(f"{name} is closed: name a file")
            return _bounded(sys.stdin.buffer, name)
        with path.open("rb") as stream:
            return _bounded(stream, name)
    except OSError as error:
        raise BadInput(f"{name}: {error.strerror}: name a file that can be read") from error


def _bounded(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise BadInput(f"{name} is larger than {_LIMIT} bytes: split it")
    return data
