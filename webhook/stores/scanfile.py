"""One file of ImageScan documents: read, written, removed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from webhook.core.document import Fault, InvalidDocument
from webhook.core.scan import Scan, ScanDocument, compact, read_scan_document
from webhook.stores.documents import Broken, Parsed, is_json, parse_documents
from webhook.stores.files import sync_folder, write_file
from webhook.stores.problem import Problem, problem_of
from webhook.stores.tree import shown

# A file of 20,000 wrong documents tells of the first and how many there are.
_PROBLEM_LIMIT = 100

# metadata.name as Kubernetes has it (DNS-1123 subdomain), as far as a file's name has room beside ".json": NAME_MAX is
# 255. No name of this form has a "/", or begins with ".".
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,240}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class FileScans:
    """What a file of ImageScans holds.

    Attributes:
        scans: the readable documents, compact, in the file's order.
        problems: what is wrong with the others.
        unreadable: how many of the others are no readable ImageScan; a file that cannot be read at all counts as one.
        foreign: how many of those are of another kind.
    """

    scans: tuple[Scan, ...] = ()
    problems: tuple[Problem, ...] = ()
    unreadable: int = 0
    foreign: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """A readable document of a file, and where it stands: its number from 1, or 0 where it is the only one."""

    number: int
    content: Mapping[str, Any]
    document: ScanDocument


@dataclass(frozen=True, slots=True)
class Reject:
    """A document that is no readable ImageScan, because it is broken or, `foreign`, because it is of another kind."""

    number: int
    faults: tuple[Fault, ...]
    foreign: bool = False


def read_scans(data: bytes, path: Path | str) -> FileScans:
    """Read a file's bytes; whatever is wrong with one document leaves the others readable."""
    scans: list[Scan] = []
    rejects: list[Reject] = []
    for piece in read_entries(data, path):
        if isinstance(piece, Entry):
            scans.append(compact(piece.document))
        else:
            rejects.append(piece)
    foreign = sum(reject.foreign for reject in rejects)
    problems = _problems(rejects, path)
    return FileScans(tuple(scans), problems, len(rejects), foreign)


def _problems(rejects: list[Reject], path: Path | str) -> tuple[Problem, ...]:
    every = (problem_of(path, r.number, fault) for r in rejects for fault in r.faults)
    found = list(islice(every, _PROBLEM_LIMIT + 1))
    if len(found) > _PROBLEM_LIMIT:
        more = (
            f"{len(rejects)} documents cannot be read; mend the first to see more of their faults"
        )
        found[_PROBLEM_LIMIT:] = [problem_of(path, 0, Fault("", more))]
    return tuple(found)


def read_entries(data: bytes, path: Path | str) -> Iterator[Entry | Reject]:
    """Read the documents of a file one by one; a .json file holds JSON, so that half of one never looks whole."""
    if str(path).endswith(".json") and not is_json(data):
        yield Reject(0, (Fault("", "is not JSON; begin it with { or [, or name it .yaml"),))
        return
    for piece in parse_documents(data):
        yield Reject(piece.number, piece.faults) if isinstance(piece, Broken) else _entry(piece)


def _entry(piece: Parsed) -> Entry | Reject:
    kind = piece.content.get("kind")
    if isinstance(kind, str) and kind != "ImageScan":
        problem = f"is {shown(kind)}, not ImageScan; keep the document elsewhere"
        return Reject(piece.number, (Fault("kind", problem),), foreign=True)
    try:
        return Entry(piece.number, piece.content, read_scan_document(piece.content))
    except InvalidDocument as error:
        return Reject(piece.number, error.faults)


def write_scan(folder: Path, scan: ScanDocument | Mapping[str, Any]) -> Path:
    """Write a document to `<metadata.name>.json`, in one step: no reader sees half of it, and it outlasts a crash.

    The folder is made if it is missing. Gives the file's path.

    Raises:
        InvalidDocument: the document breaks its format, or its name can name no file.
        OSError: the disk is full, or the folder may not be written.
    """
    path = put_scan(folder, scan)
    sync_folder(folder)
    return path


def put_scan(folder: Path, scan: ScanDocument | Mapping[str, Any]) -> Path:
    """Write a document as `write_scan` does, but leave `sync_folder` to the caller: once for many."""
    if isinstance(scan, ScanDocument):
        return _put(folder, scan.metadata.name, _content(scan))
    return _put(folder, read_scan_document(scan).metadata.name, scan)


def _put(folder: Path, name: str, content: Mapping[str, Any]) -> Path:
    path = scan_path(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(path, orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE))
    return path


def remove_scan(folder: Path, name: str) -> bool:
    """Remove `<name>.json`; tell whether it was there. Raises InvalidDocument and OSError as `write_scan` does."""
    try:
        scan_path(folder, name).unlink()
    except FileNotFoundError:
        return False
    sync_folder(folder)
    return True


def scan_path(folder: Path, name: str) -> Path:
    """Give the file that a document of this name is written to. Raises InvalidDocument for what can name no file."""
    if not _NAME.fullmatch(name):
        problem = 'must be lower-case letters, digits, "-" and ".", as Kubernetes has it'
        raise InvalidDocument(Fault("metadata.name", f"{problem}, at most 242 characters"))
    return folder / f"{name}.json"


def _content(document: ScanDocument) -> dict[str, Any]:
    return document.model_dump(mode="json", by_alias=True, exclude_none=True)
