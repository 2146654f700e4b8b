"""`nbgate scan` measured: what it needs, and its groups of rows. The images are those of the tests.

Scans and copies are run as a person would, in turn, round for round, with nothing known before: the scan with an empty
cache, the copy into an empty folder. Images are not started.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from bench.child import CouldNotMeasure
from bench.commands import COPIER
from bench.growing import growing_rows
from bench.registry import PROGRAM, Registry
from bench.row import Row
from bench.scans import LESS, Scans
from bench.shelf import Shelf
from tests.images import kubeflow
from tests.images.buildah import BuildFailed, CannotBuild
from tests.images.building import images

_FIRST, _SECOND = "jupyterlab", "jupyterlab-extended"
_WITHOUT = "The JupyterLab image without the layer that has its users"
_IMAGES = (_FIRST, _SECOND, *kubeflow.IMAGES)


def unready() -> str:
    """Have the images built that are missing; tell why scans cannot be measured here, nothing where they can."""
    programs = [name for name in (PROGRAM, COPIER) if shutil.which(name) is None]
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
        scans = Scans(registry, folder, rounds)
        first, second = shelf.image(_FIRST), shelf.image(_SECOND)
        seventeen = [shelf.image(name) for name in kubeflow.IMAGES]
        # Its users are in the topmost layer, and no other is fetched. Without that one all are.
        users = list(first.layers)[-1]
        bare, bare_second = (shelf.without(name, users) for name in (_FIRST, _SECOND))
        yield from scans.beside_copies("The JupyterLab image", [first], LESS)
        yield from scans.beside_copies(_WITHOUT, [bare])
        yield from scans.beside_bare_reads(_WITHOUT, bare)
        yield from scans.second("A second image on the JupyterLab image", first, second)
        yield from scans.second("The same two without that layer", bare, bare_second)
        yield from scans.beside_copies("Kubeflow's seventeen images, one cache", seventeen, LESS)
    yield from growing_rows(folder, rounds)
