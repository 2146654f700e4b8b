"""A JSON document as the results in docs/performance.md: what differs in one word shares a line of the table."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from bench.table import number, ratio, written_aim

Document = Mapping[str, Any]
_VERSIONS = {
    "nbgate": "nbgate",
    "python": "Python",
    "gunicorn": "gunicorn",
    "orjson": "orjson",
    "openssl": "OpenSSL",
    "go": "Go",
    "skopeo": "skopeo",
    "kubernetes": "Kubernetes",
}
_HEAD = "| figure | value | floor | ratio | aim | met |\n|---|---|---|---|---|---|"


def render_markdown(document: Document) -> str:
    """Write what was measured on and when, and the table."""
    return f"{_facts(document)}\n\n{_table(document['rows'])}"


def _facts(known: Document) -> str:
    versions = ", ".join(f"{title} {known[name]}" for name, title in _VERSIONS.items())
    text = (
        f"{known['measuredAt'][:10]}, {known['processors']} processors ({known['processor']}), "
        f"{known['memoryMiB']:,} MiB of memory, Linux {known['kernel']}; {versions}; "
        f"load by {known['load']}; load average {known['loadAverage']:.1f} before and "
        f"{known['loadAverageAfter']:.1f} after {known['seconds']:.0f} seconds, of {known['rounds']} rounds."
    )
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _table(rows: Iterable[Document]) -> str:
    """A figure's name is `what, under which circumstance`; those share a line by what comes first."""
    lines = [_HEAD]
    for group, members in groupby(rows, key=lambda row: str(row["group"])):
        lines.append(f"| **{group}** | | | | | |")
        lines += [_line(what, alike) for what, alike in _alike(members)]
    return "\n".join(lines)


def _alike(rows: Iterable[Document]) -> Iterator[tuple[str, Sequence[Document]]]:
    """Put together what differs in the last part of the name alone, in the order in which it first came."""
    found: dict[tuple[str, str], list[Document]] = {}
    for row in rows:
        what, _, _ = row["figure"].rpartition(", ")
        found.setdefault((what or row["figure"], row["floor"] or ""), []).append(row)
    for (what, _), alike in found.items():
        yield what, alike


def _line(what: str, rows: Sequence[Document]) -> str:
    first = rows[0]
    if what != first["figure"]:
        what += f": {_circumstances(rows)}"
    cells = (
        what,
        f"{_joined(number(row['value']) for row in rows)} {first['unit']}",
        _floor(rows),
        _joined(ratio(row["ratio"]) for row in rows if row["ratio"] is not None),
        _aims(rows),
        _met(rows),
    )
    return f"| {' | '.join(cells)} |"


def _floor(rows: Sequence[Document]) -> str:
    """Give the floor's values, once where they are all the same, and its name."""
    values = [number(row["floorValue"]) for row in rows if row["floorValue"] is not None]
    if not values:
        return ""
    told = values[:1] if len(set(values)) == 1 else values
    return f"{_joined(told)}: {rows[0]['floor']}"


def _aims(rows: Sequence[Document]) -> str:
    """Give the aims, once where they are all the same, and for which of the rows where it is not for all."""
    judged = [row for row in rows if row["aim"]]
    aims = _joined(dict.fromkeys(_aim(row) for row in judged))
    return aims if len(judged) in {0, len(rows)} else f"{aims} ({_circumstances(judged)})"


def _aim(row: Document) -> str:
    aim = row["aim"]
    return written_aim(aim["of"], aim["side"], aim["limit"], row["unit"])


def _met(rows: Sequence[Document]) -> str:
    judged = [row for row in rows if row["met"] is not None]
    missed = [row for row in judged if not row["met"]]
    if not judged:
        return ""
    if not missed:
        return "yes"
    return "**no**" if len(missed) == len(judged) else f"**not** {_circumstances(missed)}"


def _circumstances(rows: Sequence[Document]) -> str:
    """Join what follows the last comma of figures: `1 connection`, `16 connections` are `1 · 16 connections`."""
    told = [row["figure"].rpartition(", ")[2] for row in rows]
    numbers, _, things = zip(*(words.partition(" ") for words in told), strict=True)
    alike = len({thing.removesuffix("s") for thing in things}) == 1
    return f"{_joined(numbers)} {things[-1]}".rstrip() if alike else _joined(told)


def _joined(words: Iterable[str]) -> str:
    return " · ".join(words)
