"""Loading: seconds and memory from a folder of scans to an index of them."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.child import measure
from bench.corpus import write_folder
from bench.row import Aim, Row

IN_A_FILE = 1000
_SECONDS = Aim(of="value", side="under", limit=10.0)
_MEMORY = Aim(of="value", side="under", limit=300.0)
_MODULE = "bench.inside"

Cost = Mapping[str, float]


def loading_rows(folder: Path, count: int) -> Iterator[Row]:
    """Load the same scans from files of a thousand and from files of one, and read them with orjson."""
    for in_a_file in (IN_A_FILE, 1):
        scans = write_folder(folder / f"by-{in_a_file}", count, in_a_file=in_a_file)
        read, load = (measure(_MODULE, mode, str(scans)) for mode in ("read", "load"))
        yield from _cost_rows(count, in_a_file, read, load)


def _cost_rows(count: int, in_a_file: int, read: Cost, load: Cost) -> Iterator[Row]:
    for key, what, unit, aim in (
        ("seconds", "time", "s", _SECONDS),
        ("resident", "memory after", "MiB", _MEMORY),
        ("most", "memory at most", "MiB", _MEMORY),
    ):
        yield Row(
            group=f"Loading {count:,} scans, in a fresh process",
            figure=f"{what}, {in_a_file:,} in a file",
            unit=unit,
            samples=[load[key]],
            floor="orjson.loads of each file",
            floor_samples=[read[key]],
            aim=aim,
        )
