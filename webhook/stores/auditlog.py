"""Reading an audit log: a stream of entries, whatever else stands in the file.

A log may hold what is no record: a line that a full disk or a power failure tore, lines of other programs where
standard output was collected, a record of a later version. Each such line becomes an `Unreadable` that says where and
why, and reading goes on. Empty lines are passed over.
"""

import gzip
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any, Protocol, cast, get_args

import orjson

from webhook.core.decision import Word
from webhook.core.document import parse_time
from webhook.core.reading import Malformed, boolean, integer, kind_of, objects, text
from webhook.core.words import clean

# Four times what nbgate writes; a line beyond it is no record of any version.
LINE_LIMIT = 256 * 1024
_DEPTH_LIMIT = (
    32  # a record nests no deeper than its patch's values, some 10; bounds every recursion over it
)
_WORDS = frozenset(get_args(Word))


class LogError(Exception):
    """A log cannot be read; the message names it, why, and the cure."""


class NoLog(LogError):
    """There is no such log, or it may not be read."""


class BrokenLog(LogError):
    """Reading failed in the middle: the disk or the file system."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One violation of an entry: the rule's id and what it led to, `Deny`, `Warn` or `Audit`."""

    requirement: str
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One audit record, read. What a record lacks is empty; no text holds a character that is not printable.

    Attributes:
        record: all of it, as it was written.
        time: seconds since the epoch.
        image: as the user wrote it.
        canonical: the image written out; empty where it is no reference.
        digest: what the image resolved to; empty where that is not known.
        suppressed: identical refusals that were counted instead of recorded.
    """

    record: Mapping[str, Any]
    time: float
    decision: Word
    dry_run: bool
    user: str
    namespace: str
    notebook: str
    image: str
    canonical: str
    digest: str
    reasons: tuple[Reason, ...]
    exemptions: tuple[str, ...]
    suppressed: int

    @property
    def count(self) -> int:
        """How many requests it stands for."""
        return 1 + self.suppressed


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A line that is no record, and why; `place` is FILE:LINE."""

    place: str
    problem: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"


class Lines(Protocol):
    """A binary stream, as far as it is needed here."""

    def readline(self, size: int, /) -> bytes:
        """Read up to and with a line's end, but no more than `size` bytes."""


def read_log(path: Path) -> Iterator[Entry | Unreadable]:
    """Read a log file, compressed by gzip or not, whatever its name.

    Raises:
        NoLog: it is not there, not a file, or may not be read.
        BrokenLog: the disk failed.
    """
    with _open(path) as opened:
        if opened.peek(2)[:2] != _GZIP:
            yield from read_stream(opened, str(path))
            return
        with gzip.GzipFile(fileobj=opened) as unpacked:
            yield from read_stream(unpacked, str(path))


_GZIP = b"\x1f\x8b"  # RFC 1952, section 2.3.1; no line of JSON begins so


def _open(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise NoLog(f"{path}: {error.strerror}: name an audit log that is there") from None


def read_stream(source: Lines, name: str) -> Iterator[Entry | Unreadable]:
    """Read an open log to its end; `name` stands in places. Raises BrokenLog."""
    number = 1
    try:
        while line := source.readline(LINE_LIMIT + 1):
            place = f"{name}:{number}"
            if len(line) > LINE_LIMIT:
                yield Unreadable(place=place, problem=f"is longer than {LINE_LIMIT} bytes")
                _skip_line(source, line)
            elif not line.isspace():
                yield read_line(line, place)
            number += 1
    except (EOFError, gzip.BadGzipFile, zlib.error):
        # what comes after cannot be unpacked, so this is the end of this file, not of the reading
        yield Unreadable(
            place=f"{name}:{number}", problem="the compressed data is cut off or broken here"
        )
    except OSError as error:
        raise BrokenLog(f"{name}:{number}: {error.strerror or error}: check its disk") from None


def _skip_line(source: Lines, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = source.readline(LINE_LIMIT)


def read_line(line: bytes, place: str) -> Entry | Unreadable:
    """Read one line."""
    try:
        document = orjson.loads(line)
    except orjson.JSONDecodeError:
        whole = line.endswith(b"\n")
        problem = "is not JSON" if whole else "is not JSON: it is cut off, or being written now"
        return Unreadable(place=place, problem=problem)
    if not isinstance(document, dict):
        return Unreadable(place=place, problem=f"is {kind_of(document)}, not an audit record")
    try:
        return _entry(document if _is_clean(line) else _cleaned(document, _DEPTH_LIMIT))
    except Malformed as error:
        return Unreadable(place=place, problem=clean(f"is not an audit record: {error}"))


def _is_clean(line: bytes) -> bool:
    """Tell at a tenth of the cost of cleaning that there is nothing to clean, nor brackets enough to nest too deep."""
    if b"\\" in line or line.count(b"{") + line.count(b"[") > _DEPTH_LIMIT:
        return False
    return line.rstrip(b"\r\n").decode().isprintable()


def _cleaned(value: Any, depth: int) -> Any:
    """Replace what is not printable in every text, so that no output of an entry can move a terminal's cursor."""
    if isinstance(value, str):
        return clean(value)
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise Malformed("", f"it is nested more than {_DEPTH_LIMIT} deep")
    if isinstance(value, list):
        return [_cleaned(item, depth - 1) for item in value]
    return {clean(key): _cleaned(item, depth - 1) for key, item in value.items()}


def _entry(record: Mapping[str, Any]) -> Entry:
    return Entry(
        record=record,
        time=_time(record),
        decision=_decision(record),
        dry_run=boolean(record, "dryRun") or False,
        user=text(record, "user") or "",
        namespace=text(record, "namespace") or "",
        notebook=text(record, "notebook") or "",
        image=text(record, "image") or "",
        canonical=text(record, "canonicalImage") or "",
        digest=text(record, "digest") or "",
        reasons=tuple(_reason(item) for item in objects(record, "violations") or ()),
        exemptions=_exemptions(record),
        suppressed=_suppressed(record),
    )


def _time(record: Mapping[str, Any]) -> float:
    try:
        return parse_time(text(record, "time") or "")
    except ValueError as error:
        if isinstance(error, Malformed):
            raise
        raise Malformed("time", str(error)) from None


def _decision(record: Mapping[str, Any]) -> Word:
    word = text(record, "decision")
    if word not in _WORDS:
        raise Malformed("decision", f"must be one of {', '.join(get_args(Word))}")
    return cast("Word", word)


def _reason(violation: Mapping[str, Any]) -> Reason:
    return Reason(
        requirement=text(violation, "requirement") or "", action=text(violation, "action") or ""
    )


def _exemptions(record: Mapping[str, Any]) -> tuple[str, ...]:
    names = record.get("exemptions")
    if names is None:
        return ()
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Malformed("exemptions", "must be a list of text")
    return tuple(names)


def _suppressed(record: Mapping[str, Any]) -> int:
    suppressed = integer(record, "suppressed") or 0
    if suppressed < 0:
        raise Malformed("suppressed", "must not be negative")
    return suppressed
