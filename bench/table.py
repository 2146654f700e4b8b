"""The rows as text for people: plain columns, the same on a terminal and in a file."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.row import Aim, Row

_TITLES = ("", "value", "low..high", "floor", "ratio", "aim", "met")
Cells = tuple[str, ...]


def render(rows: Sequence[Row]) -> str:
    """Write the table; `low..high` is the range of the rounds of which the value is the median."""
    cells = [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in (_TITLES, *cells)) for i in range(len(_TITLES))]
    by_row = dict(zip(map(id, rows), cells, strict=True))
    lines = [_line(_TITLES, widths)]
    for (group, floor), members in groupby(rows, key=lambda row: (row.group, row.floor)):
        lines += ["", f"{group}; floor: {floor}" if floor else group]
        lines += [_line(by_row[id(row)], widths) for row in members]
    return "\n".join(lines)


def _cells(row: Row) -> Cells:
    floor = row.floor_value
    low, high = min(row.samples), max(row.samples)
    return (
        f"  {row.figure}",
        f"{_number(row.value)} {row.unit}",
        f"{_number(low)}..{_number(high)}" if len(row.samples) > 1 else "",
        "" if floor is None else _number(floor),
        "" if row.ratio is None else f"{row.ratio:.2f}",
        "" if row.aim is None else _aim(row.aim, row.unit),
        {None: "", True: "yes", False: "NO"}[row.met],
    )


def _aim(aim: Aim, unit: str) -> str:
    sign = "<" if aim.side == "under" else ">="
    return f"{sign} {_number(aim.limit)} {'x floor' if aim.of == 'ratio' else unit}"


def _number(value: float) -> str:
    """Write three digits, or the whole number where it has more."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _line(cells: Cells, widths: Sequence[int]) -> str:
    return "  ".join(_aligned(cells, widths)).rstrip()


def _aligned(cells: Cells, widths: Sequence[int]) -> Iterator[str]:
    for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        # words to the left, figures to the right
        yield cell.ljust(width) if index in {0, 5, 6} else cell.rjust(width)
