"""Decisions on indexes of several sizes, each in a fresh process, and what a scan takes of memory there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.child import measure
from bench.row import Aim, Row

SIZES = (100, 10_000)  # and the largest, which one may choose
_QUICK = Aim(of="value", side="under", limit=200.0)
# The processor's caches hold a small index and not a large one.
_FLAT = Aim(of="ratio", side="under", limit=1.25)
_NAMES = {
    "validate": "validate, allowed",
    "mutate": "mutate, three changes",
    "refuse": "validate, denied",
}
Found = Mapping[str, Any]


def decision_rows(largest: int) -> Iterator[Row]:
    """Measure indexes of 100, of 10,000 and of `largest` scans."""
    sizes = sorted({*(size for size in SIZES if size < largest), largest})
    found = {size: measure("bench.inside", "decide", str(size)) for size in sizes}
    for size in sizes:
        yield from _timed(size, found[size])
    for size in sizes[1:]:
        yield from _compared(size, found[size], sizes[0], found[sizes[0]])
    for size in sizes:
        yield from _held(size, found[size])


def _timed(count: int, found: Found) -> Iterator[Row]:
    for name, title in _NAMES.items():
        yield Row(
            group="One decision: read, decide, write the answer",
            figure=f"{title}, {count:,} scans",
            unit="µs",
            samples=found["timings"][name],
            floor="orjson.loads",
            floor_samples=found["timings"]["read"],
            aim=_QUICK,
        )


def _compared(count: int, found: Found, least: int, smallest: Found) -> Iterator[Row]:
    for name, title in _NAMES.items():
        yield Row(
            group="One decision, in times of orjson.loads in the same process",
            figure=f"{title}, {count:,} scans",
            unit="x",
            samples=_relative(found, name),
            floor=f"with {least:,} scans",
            floor_samples=_relative(smallest, name),
            aim=_FLAT,
        )


def _relative(found: Found, name: str) -> Sequence[float]:
    """Give the rounds' own ratios: the processes run one after the other, and the machine drifts."""
    timings = found["timings"]
    return [taken / read for taken, read in zip(timings[name], timings["read"], strict=True)]


def _held(count: int, found: Found) -> Iterator[Row]:
    for key, by in (("counted", "its parts counted"), ("kernel", "as the kernel counts")):
        # a hundred are less than the kernel gives at a time
        if found[key] is not None and not (key == "kernel" and count <= SIZES[0]):
            yield Row(
                group="Memory of one scan in the index",
                figure=f"of {count:,}, {by}",
                unit="bytes",
                samples=[found[key] / count],
                floor="name, image and digests as text",
                floor_samples=[found["names"] / count],
            )
