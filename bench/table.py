"""The rows as text for people: plain columns, the same on a terminal and in a file."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import floor, log10

from bench.row import Row

_TITLES = ("", "value", "low..high", "floor", "ratio", "aim", "met")
Cells = tuple[str, ...]


def render(rows: Sequence[Row]) -> str:
    """Write the table; `low..high` is the range of the rounds of which the value is the median."""
    cells = [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in (_TITLES, *cells)) for i in range(len(_TITLES))]
    by_row = dict(zip(map(id, rows), cells, strict=True))
    lines = [_line(_TITLES, widths)]
    for (group, beside), members in groupby(rows, key=lambda row: (row.group, row.floor)):
        lines += ["", f"{group}; floor: {beside}" if beside else group]
        lines += [_line(by_row[id(row)], widths) for row in members]
    return "\n".join(lines)


def _cells(row: Row) -> Cells:
    beside = row.floor_value
    low, high = min(row.samples), max(row.samples)
    return (
        f"  {row.figure}",
        f"{number(row.value)} {row.unit}",
        f"{number(low)}..{number(high)}" if len(row.samples) > 1 else "",
        "" if beside is None else number(beside),
        "" if row.ratio is None else ratio(row.ratio),
        _aim(row),
        {None: "", True: "yes", False: "NO"}[row.met],
    )


def _aim(row: Row) -> str:
    aim = row.aim
    return "" if aim is None else written_aim(aim.of, aim.side, aim.limit, row.unit)


def written_aim(of: str, side: str, limit: float, unit: str) -> str:
    """Write an aim: < 200 µs."""
    sign = "<" if side == "under" else ">="
    return f"{sign} {number(limit)} {'x floor' if of == 'ratio' else unit}"


def ratio(value: float) -> str:
    """Write two places, or the first digit that is not 0."""
    return f"{value:.2f}" if value >= 0.01 or not value else f"{value:.{-floor(log10(value))}f}"


def number(value: float) -> str:
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
