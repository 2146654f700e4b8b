"""Scans in one registry, and what they are measured beside: copies, bare reads, the sizes of what must be fetched."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.child import measure
from bench.commands import Run, copy, scan
from bench.registry import Registry
from bench.row import Aim, Row
from bench.shelf import Image

INSIDE = "bench.scaninside"
BARE = "fetched by http.client, hashed and unpacked"
LESS = Aim(of="ratio", side="under", limit=1.0)
_COPY = "skopeo copy to a folder"
_OWN = "its own layers, manifest and config"
_NO_MORE = Aim(of="ratio", side="under", limit=1.01)
_NONE = Aim(of="value", side="under", limit=1.0)


class Scans:
    """Measures scans; what one learns of layers is in a folder of its own."""

    def __init__(self, registry: Registry, folder: Path, rounds: int) -> None:
        self._registry, self._folder = registry, folder
        self._rounds = range(rounds)
        self._homes = 0

    def beside_copies(
        self, group: str, images: Sequence[Image], aim: Aim | None = None
    ) -> Iterator[Row]:
        """Scan images with one command, and copy them one after the other."""
        self._pair(images)  # programs and images are in memory then
        scans, copies, imported = [], [], []
        for _ in self._rounds:
            scanned, copied = self._pair(images)
            scans.append(scanned)
            copies.append(copied)
            imported.append(self._inside(images)["seconds"])
        layers = {digest for image in images for digest in image.layers}
        rows = [
            Row(
                group=group,
                figure="time, as typed",
                unit="s",
                samples=[run.seconds for run in scans],
                floor_samples=[run.seconds for run in copies],
                aim=aim,
            ),
            Row(
                group=group,
                figure="time, everything imported",
                unit="s",
                samples=imported,
                floor_samples=[run.seconds for run in copies],
            ),
            Row(
                group=group,
                figure="bytes fetched",
                unit="bytes",
                samples=[run.size for run in scans],
                floor_samples=[run.size for run in copies],
                aim=aim,
            ),
            Row(
                group=group,
                figure="layers fetched",
                unit="layers",
                samples=[_count(layers, run) for run in scans],
                floor_samples=[_count(layers, run) for run in copies],
            ),
        ]
        yield from (replace(row, floor=_COPY) for row in rows)

    def beside_bare_reads(self, group: str, image: Image) -> Iterator[Row]:
        """Scan an image of which all layers must be read."""
        urls = [self._registry.blob_url(image.repository, digest) for digest in image.layers]
        reads, scans = [], []
        for _ in self._rounds:
            reads.append(measure(INSIDE, "read", str(self._home()), *urls))
            scans.append(self._inside([image]))
        for figure, unit, key in (
            ("time, everything imported", "s", "seconds"),
            ("memory, at most", "MiB", "most"),
        ):
            yield Row(
                group=group,
                figure=figure,
                unit=unit,
                samples=[scanned[key] for scanned in scans],
                floor=f"its layers {BARE}",
                floor_samples=[read[key] for read in reads],
            )

    def second(self, group: str, first: Image, second: Image) -> Iterator[Row]:
        """Scan an image that is built on another one, with what was learnt of that one."""
        runs = []
        for _ in self._rounds:
            home = self._home()
            scan(self._registry, [first.reference], home)
            runs.append(scan(self._registry, [second.reference], home))
        own = sum(second.layers[digest] for digest in second.layers.keys() - first.layers.keys())
        yield Row(
            group=group,
            figure="bytes fetched",
            unit="bytes",
            samples=[run.size for run in runs],
            floor=_OWN,
            floor_samples=[own + second.others for _ in runs],
            aim=_NO_MORE,
        )
        yield Row(
            group=group,
            figure="layers of the first fetched again",
            unit="layers",
            samples=[_count(first.layers, run) for run in runs],
            floor=_OWN,
            aim=_NONE,
        )

    def _pair(self, images: Sequence[Image]) -> tuple[Run, Run]:
        names = [image.reference for image in images]
        scanned = scan(self._registry, names, self._home())
        copies = [copy(self._registry, name, self._folder) for name in names]
        fetched = [fetch for each in copies for fetch in each.fetched]
        return scanned, Run(seconds=sum(each.seconds for each in copies), fetched=fetched)

    def _inside(self, images: Sequence[Image]) -> dict[str, Any]:
        return measure(INSIDE, "scan", str(self._home()), *(image.reference for image in images))

    def _home(self) -> Path:
        """Name a folder in which nothing is known."""
        self._homes += 1
        return self._folder / f"home-{self._homes}"


def _count(layers: Iterable[str], run: Run) -> int:
    """Count how often these layers were fetched."""
    paths = [fetch.path for fetch in run.fetched]
    return sum(path.endswith(f"/blobs/{digest}") for path in paths for digest in layers)
