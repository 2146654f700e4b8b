"""`nbgate scan` beside `skopeo copy`: seconds, and the bytes that the registry's own log counts for both.

Both are run as a person would, in turn, round for round, with nothing known before: the scan with an empty cache, the
copy into an empty folder. Images are not started. `growing.py` has what becomes of memory.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.child import CouldNotMeasure, measure
from bench.commands import Run, copier_missing, copy, scan
from bench.growing import growing_rows
from bench.registry import PROGRAM, Registry
from bench.row import Aim, Row
from bench.shelf import Image, Shelf
from tests.images import kubeflow
from tests.images.buildah import BuildFailed, CannotBuild
from tests.images.building import images

_FIRST, _SECOND = "jupyterlab", "jupyterlab-extended"
_IMAGES = (_FIRST, _SECOND, *kubeflow.IMAGES)
_COPY = "skopeo copy to a folder"
_LESS = Aim(of="ratio", side="under", limit=1.0)
_NO_MORE = Aim(of="ratio", side="under", limit=1.01)
_NONE = Aim(of="value", side="under", limit=1.0)


def unready() -> str:
    """Have the images built that are missing; tell why scans cannot be measured here, nothing where they can."""
    programs = [PROGRAM] if shutil.which(PROGRAM) is None else []
    programs += ["skopeo"] if copier_missing() else []
    if programs:
        return f"it needs {' and '.join(programs)}, which tests/install-packages installs"
    try:
        images(*_IMAGES)
    except (CannotBuild, BuildFailed) as error:
        return f"it needs images to scan: {error}"
    return ""


def scanner_rows(folder: Path, rounds: int) -> Iterator[Row]:
    """Measure scans of the tests' images. Raises CouldNotMeasure."""
    if reason := unready():
        raise CouldNotMeasure(f"scanner: {reason}")
    folder.mkdir(parents=True)
    with Registry(folder / "registry") as registry:
        shelf = Shelf(registry, images(*_IMAGES))
        bench = _Bench(registry, folder, rounds)
        first = shelf.image(_FIRST)
        yield from bench.alone("A scan of the JupyterLab image", first, _LESS)
        yield from bench.alone("The same without its top layer, all read", shelf.lowered(_FIRST))
        yield from bench.second(first, shelf.image(_SECOND))
        yield from bench.together([shelf.image(name) for name in kubeflow.IMAGES])
    yield from growing_rows(folder, rounds)


class _Bench:
    """Scans and copies, in turn; each scan keeps what it learns of layers in a folder of its own."""

    def __init__(self, registry: Registry, folder: Path, rounds: int) -> None:
        self._registry, self._folder, self._rounds = registry, folder, rounds
        self._homes = 0

    def alone(self, group: str, image: Image, aim: Aim | None = None) -> Iterator[Row]:
        """Scan one image of which nothing is known."""
        self._pair([image])  # once, so that both programs are in memory
        pairs = [self._pair([image]) for _ in range(self._rounds)]
        warm = [self._inside(image) for _ in range(self._rounds)]
        copied = [copied.seconds for _, copied in pairs]
        yield from _beside_copies(group, pairs, aim)
        yield Row(
            group=group,
            figure="time, everything imported",
            unit="s",
            samples=warm,
            floor=_COPY,
            floor_samples=copied,
        )
        yield Row(
            group=group,
            figure="layers fetched",
            unit="layers",
            samples=[_of(image.layers, scanned) for scanned, _ in pairs],
            floor=_COPY,
            floor_samples=[_of(image.layers, copied) for _, copied in pairs],
            aim=aim,
        )

    def second(self, first: Image, second: Image) -> Iterator[Row]:
        """Scan an image on another one's base, with what was learnt of that one."""
        runs = []
        for _ in range(self._rounds):
            home = self._home()
            scan(self._registry, [first.reference], home)
            runs.append(scan(self._registry, [second.reference], home))
        own = second.size - sum(second.layers[each] for each in second.layers.keys() & first.layers)
        group, floor = "A second image on the same base", "its own layer, manifest and config"
        yield Row(
            group=group,
            figure="bytes fetched",
            unit="bytes",
            samples=[run.size for run in runs],
            floor=floor,
            floor_samples=[own for _ in runs],
            aim=_NO_MORE,
        )
        yield Row(
            group=group,
            figure="layers of the base fetched",
            unit="layers",
            samples=[_of(first.layers, run) for run in runs],
            floor=floor,
            aim=_NONE,
        )

    def together(self, kubeflows: Sequence[Image]) -> Iterator[Row]:
        """Scan many images at once, as the command does by itself, and copy them one after the other."""
        pairs = [self._pair(kubeflows) for _ in range(self._rounds)]
        group = "Kubeflow's seventeen images, which share bases"
        yield from _beside_copies(group, pairs, _LESS)
        blobs = {digest: size for image in kubeflows for digest, size in image.blobs.items()}
        yield Row(
            group=group,
            figure="bytes fetched",
            unit="bytes",
            samples=[scanned.size for scanned, _ in pairs],
            floor="each blob of them once",
            floor_samples=[sum(blobs.values()) for _ in pairs],
        )

    def _pair(self, wanted: Sequence[Image]) -> tuple[Run, Run]:
        names = [image.reference for image in wanted]
        scanned = scan(self._registry, names, self._home())
        copies = [copy(self._registry, name, self._folder) for name in names]
        fetched = [fetch for each in copies for fetch in each.fetched]
        return scanned, Run(seconds=sum(each.seconds for each in copies), fetched=fetched)

    def _inside(self, image: Image) -> float:
        found = measure("bench.scaninside", "scan", image.reference, str(self._home()))
        return float(found["seconds"])

    def _home(self) -> Path:
        """Name a folder in which nothing is known."""
        self._homes += 1
        return self._folder / f"home-{self._homes}"


def _beside_copies(group: str, pairs: Sequence[tuple[Run, Run]], aim: Aim | None) -> Iterator[Row]:
    yield Row(
        group=group,
        figure="time, as typed",
        unit="s",
        samples=[scanned.seconds for scanned, _ in pairs],
        floor=_COPY,
        floor_samples=[copied.seconds for _, copied in pairs],
        aim=aim,
    )
    yield Row(
        group=group,
        figure="bytes fetched",
        unit="bytes",
        samples=[scanned.size for scanned, _ in pairs],
        floor=_COPY,
        floor_samples=[copied.size for _, copied in pairs],
        aim=aim,
    )


def _of(layers: Mapping[str, int], run: Run) -> int:
    """Count the fetches of these layers."""
    return sum(fetch.path.rpartition("/")[2] in layers for fetch in run.fetched)
