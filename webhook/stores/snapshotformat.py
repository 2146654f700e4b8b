"""What was last known of the cluster, as bytes: pure, values in, bytes out, and back.

    nbgate-snapshot 1 <version of nbgate>           a line of text
    {"fields": […], "policy": …, "heard": …}        a line of JSON
    {"outcomes": […], "rows": [[…], …]}             a line of JSON for some hundred scans
    <sha256 of all that stands above, in hex>       a line of text

JSON, for a disk is not trusted to hold code, as pickle would have it; and compact arrays of what a `Scan` is, not the
documents, so that 50,000 scans are 25 MB and read in half a second. The last line tells a file that is torn or edited.
Another version of nbgate, or one that keeps other fields, passes the file over: it can list the cluster anew.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from itertools import islice
from math import isfinite
from operator import attrgetter
from typing import Any

import orjson

from webhook.core.policy import PolicyDocument, read_policy
from webhook.core.scan import Outcome, Scan
from webhook.core.verdict import ScanIndex, build_index

_MAGIC = b"nbgate-snapshot 1 "
_FIELDS = tuple(one.name for one in fields(Scan))
_values_of = attrgetter(*_FIELDS)
_OUTCOMES = _FIELDS.index("outcomes")
_MANIFESTS = _FIELDS.index("manifests")
# Words of a few: one object for each serves all scans.
_WORDS = tuple(_FIELDS.index(name) for name in ("verdict", "serving", "phase"))
_A_LINE = 250  # scans; half a millisecond to write, in which other threads wait


class NotUsable(ValueError):
    """The bytes are no snapshot that can be used; the message says why, as a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was known.

    Attributes:
        policy: None where the default policy held because there was no other.
        modes: `warn` or `audit` by namespace.
        heard: by the name of each part that is kept, `scans`, `policy` or `modes`, when it was last known to be true,
            in seconds since the epoch.
    """

    scans: ScanIndex = field(default_factory=ScanIndex)
    policy: PolicyDocument | None = None
    modes: Mapping[str, str] = field(default_factory=dict)
    heard: Mapping[str, float] = field(default_factory=dict)


def write(kept: Kept, version: str) -> Iterator[bytes]:
    """Write it, piece by piece, for this version of nbgate."""
    digest = hashlib.sha256()
    for line in _lines(kept, version):
        digest.update(line)
        yield line
    yield digest.hexdigest().encode() + b"\n"


def _lines(kept: Kept, version: str) -> Iterator[bytes]:
    yield _MAGIC + version.encode() + b"\n"
    policy = kept.policy
    head = {
        "fields": _FIELDS,
        # What is not set stays so, and null where it was written means something.
        "policy": policy and policy.model_dump(mode="json", by_alias=True, exclude_unset=True),
        "modes": dict(kept.modes),
        "heard": dict(kept.heard),
    }
    yield orjson.dumps(head, option=orjson.OPT_APPEND_NEWLINE)
    scans = kept.scans.scans()
    while some := tuple(islice(scans, _A_LINE)):
        yield orjson.dumps(_table(some), option=orjson.OPT_APPEND_NEWLINE)


def _table(scans: Iterable[Scan]) -> dict[str, Any]:
    numbers: dict[int, int] = {}
    outcomes: list[list[tuple[str, str] | None]] = []
    rows = []
    for scan in scans:
        row = list(_values_of(scan))
        number = numbers.setdefault(id(scan.outcomes), len(outcomes))
        if number == len(outcomes):
            outcomes.append([(o.result, o.message) if o else None for o in scan.outcomes])
        row[_OUTCOMES] = number
        rows.append(row)
    return {"outcomes": outcomes, "rows": rows}


def checksum(data: bytes) -> str:
    """Give the last line, which names this snapshot and no other."""
    return data.rstrip(b"\n").rpartition(b"\n")[2].decode("ascii", "replace")


def read(data: bytes, version: str) -> Kept:
    """Read what `write` wrote for the same version. Raises NotUsable."""
    first, _, _ = data[:200].partition(b"\n")
    if not first.startswith(_MAGIC):
        raise NotUsable("is no snapshot of nbgate's")
    if first != _MAGIC + version.encode():
        raise NotUsable("was written by another version of nbgate")
    end = data.rstrip(b"\n").rfind(b"\n") + 1
    if hashlib.sha256(memoryview(data)[:end]).hexdigest() != checksum(data):
        raise NotUsable("is torn, or was edited: its checksum is another")
    try:
        return _read(data[: end - 1].split(b"\n")[1:])
    except NotUsable:
        raise
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise NotUsable(f"does not hold what it should ({type(error).__name__})") from error


def _read(lines: list[bytes]) -> Kept:
    head = orjson.loads(lines[0])
    if tuple(head["fields"]) != _FIELDS:
        raise NotUsable("was written by another version of nbgate")
    policy = head["policy"]
    return Kept(
        scans=build_index(_scans(lines[1:])),
        policy=None if policy is None else read_policy(policy),
        modes={str(name): str(mode) for name, mode in head["modes"].items()},
        heard=moments(head["heard"]),
    )


def moments(heard: Mapping[str, Any]) -> dict[str, float]:
    """Read when each part was last known to be true. Raises what Python does for another type, ValueError for "nan"."""
    read = {str(part): float(at) for part, at in heard.items()}
    if not all(map(isfinite, read.values())):
        raise ValueError("is no time: what is as old as that would never be too old")
    return read


def _scans(lines: Iterable[bytes]) -> Iterator[Scan]:
    words: dict[str, str] = {}
    shared: dict[tuple[Outcome | None, ...], tuple[Outcome | None, ...]] = {}
    for line in lines:
        table = orjson.loads(line)
        outcomes = []
        for row in table["outcomes"]:
            one = tuple(pair and Outcome(*pair) for pair in row)
            outcomes.append(shared.setdefault(one, one))
        for row in table["rows"]:
            row[_OUTCOMES] = outcomes[row[_OUTCOMES]]
            row[_MANIFESTS] = tuple(row[_MANIFESTS])
            for place in _WORDS:
                row[place] = words.setdefault(row[place], row[place])
            yield Scan(**dict(zip(_FIELDS, row, strict=True)))
