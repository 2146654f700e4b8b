r"""An audit record as one line of JSON: bounded, and printable whatever users wrote.

Characters that are not printable (control characters, Unicode's bidirectional controls) stand in it only as `\uXXXX`
escapes, so a line read raw in a terminal does nothing there, and a parser still reads what was written.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from webhook.core.audit import Record
from webhook.server.auditsink import AuditError

# With its newline. A record has some 1.5 KB; the largest that core.audit builds of text that is mostly escapes, 100
# violations and 32 groups of 512 characters each, exceeds this, and is then cut.
LINE_LIMIT = 64 * 1024

# What is cut, in turn: only violations can be so many that dropping the last of them tells an auditor the least less.
_LISTS = ("violations", "groups", "warnings", "exemptions", "patch")
_MARGIN = 32  # for one entry of `omitted`


def encode(record: Record) -> bytes:
    """Write a record as one line with its newline, at most LINE_LIMIT bytes.

    A longer one loses the last items of its lists, violations first, of which one always stays; `omitted` then says
    how many of each are missing, as `{"violations": 40}`.

    Raises:
        AuditError: the record holds what JSON cannot, or is too long without its lists.
    """
    try:
        line = _line(record)
    except TypeError as error:
        raise AuditError(f"an audit record is no JSON: {error}: please report it") from None
    return line if len(line) <= LINE_LIMIT else _shortened(record)


def _shortened(record: Record) -> bytes:
    omitted: dict[str, int] = {}
    short = {**record, "omitted": omitted}
    for name in _LISTS:
        items = short.get(name) or ()
        room = LINE_LIMIT - _MARGIN - len(_line({**short, name: []}))
        kept = max(_fitting(items, room), min(len(items), 1 if name == "violations" else 0))
        if kept < len(items):
            short[name], omitted[name] = items[:kept], len(items) - kept
        line = _line(short)
        if len(line) <= LINE_LIMIT:
            return line
    raise AuditError(
        f"an audit record is longer than {LINE_LIMIT} bytes even without its lists: please report it"
    )


def _fitting(items: Sequence[Any], room: int) -> int:
    """Count the leading items that fit into `room` bytes; a line's newline stands for the comma."""
    for count, item in enumerate(items):
        room -= len(_line(item))
        if room < 0:
            return count
    return len(items)


def _line(value: object) -> bytes:
    written = orjson.dumps(value)
    text = written.decode()
    if text.isprintable():
        return written + b"\n"
    # outside of texts orjson writes nothing that is not printable, so an escape always stands inside one
    escapes = {ord(c): _escaped(c) for c in set(text) if not c.isprintable()}
    return text.translate(escapes).encode() + b"\n"


def _escaped(character: str) -> str:
    """Escape a character as JSON does: its UTF-16 code units, two beyond U+FFFF (RFC 8259, section 7)."""
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
