"""Loading: seconds and memory from a folder of scans to an index of them, and decisions on indexes of three sizes."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import decision
from bench.child import measure
from bench.corpus import write_folder
from bench.row import Aim, Row

IN_A_FILE = 1000
_SECONDS = Aim(of="value", side="under", limit=10.0)
_MEMORY = Aim(of="value", side="under", limit=300.0)
_MODULE = "bench.inside"


def decision_rows(folder: Path, count: int) -> list[Row]:
    """Time decisions with a thousandth and a tenth of the scans loaded, and with all of them."""
    rows: list[Row] = []
    for size in sorted({max(count // 1000, 10), max(count // 10, 10), count}):
        scans = write_folder(folder / str(size), size, in_a_file=IN_A_FILE)
        rows += decision.rows(size, measure(_MODULE, "decide", str(scans))["timings"])
    return rows


def loading_rows(folder: Path, count: int, rounds: int) -> Iterator[Row]:
    """Load the same scans from files of a thousand and from files of one; each round also reads them with orjson."""
    for in_a_file in (IN_A_FILE, 1):
        scans = write_folder(folder / f"by-{in_a_file}", count, in_a_file=in_a_file)
        reads, loads = [], []
        for _ in range(rounds):
            reads.append(measure(_MODULE, "read", str(scans)))
            loads.append(measure(_MODULE, "load", str(scans)))
        yield from _cost_rows(f"{count:,} scans, {in_a_file:,} in a file", reads, loads)
        if in_a_file == 1:
            yield _size_row(count, loads)


def _cost_rows(
    title: str, reads: Sequence[dict[str, Any]], loads: Sequence[dict[str, Any]]
) -> Iterator[Row]:
    yield _row(f"{title}: time", "s", "seconds", reads, loads, _SECONDS)
    yield _row(f"{title}: memory, after", "MiB", "resident", reads, loads, _MEMORY)
    yield _row(f"{title}: memory, at most", "MiB", "most", reads, loads, _MEMORY)


def _row(
    figure: str,
    unit: str,
    key: str,
    reads: Sequence[dict[str, Any]],
    loads: Sequence[dict[str, Any]],
    aim: Aim,
) -> Row:
    return Row(
        group="Loading, in a fresh process",
        figure=figure,
        unit=unit,
        samples=[load[key] for load in loads],
        floor="orjson.loads of each file",
        floor_samples=[read[key] for read in reads],
        aim=aim,
    )


def _size_row(count: int, loads: Sequence[dict[str, Any]]) -> Row:
    return Row(
        group="Memory in the index",
        figure="one scan",
        unit="bytes",
        samples=[loads[-1]["bytes"] / count],
        floor="name, image and digests as text",
        floor_samples=[loads[-1]["names"] / count],
    )
