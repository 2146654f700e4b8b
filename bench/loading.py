"""Loading: seconds and memory from a folder of scans to an index of them, and decisions on indexes of three sizes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench import decision
from bench.child import measure
from bench.corpus import write_folder
from bench.row import Aim, Row

IN_A_FILE = 1000
_SECONDS = Aim(of="value", side="under", limit=10.0)
_MEMORY = Aim(of="value", side="under", limit=300.0)
_MODULE = "bench.inside"

Cost = Mapping[str, float]


def decision_rows(folder: Path, count: int) -> Iterator[Row]:
    """Time decisions with a thousandth and a tenth of the scans loaded, and with all of them."""
    sizes = sorted({max(count // 1000, 10), max(count // 10, 10), count})
    for size in sizes:
        scans = write_folder(folder / str(size), size, in_a_file=IN_A_FILE)
        found = measure(_MODULE, "decide", str(scans))
        yield from decision.rows(size, found["timings"])
        if size == count:
            yield _size_row(count, found["size"])


def loading_rows(folder: Path, count: int) -> Iterator[Row]:
    """Load the same scans from files of a thousand and from files of one, and read them with orjson."""
    for in_a_file in (IN_A_FILE, 1):
        scans = write_folder(folder / f"by-{in_a_file}", count, in_a_file=in_a_file)
        read, load = (measure(_MODULE, mode, str(scans)) for mode in ("read", "load"))
        yield from _cost_rows(f"{count:,} scans, {in_a_file:,} in a file", read, load)


def _cost_rows(title: str, read: Cost, load: Cost) -> Iterator[Row]:
    for key, what, unit, aim in (
        ("seconds", "time", "s", _SECONDS),
        ("resident", "memory, after", "MiB", _MEMORY),
        ("most", "memory, at most", "MiB", _MEMORY),
    ):
        yield Row(
            group="Loading, in a fresh process",
            figure=f"{title}: {what}",
            unit=unit,
            samples=[load[key]],
            floor="orjson.loads of each file",
            floor_samples=[read[key]],
            aim=aim,
        )


def _size_row(count: int, size: Mapping[str, int]) -> Row:
    return Row(
        group="Memory in the index",
        figure="one scan",
        unit="bytes",
        samples=[size["bytes"] / count],
        floor="name, image and digests as text",
        floor_samples=[size["names"] / count],
    )
