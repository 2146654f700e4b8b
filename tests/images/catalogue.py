"""All images of the tests, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.images import indexes, kubeflow
from tests.images.recipe import CONTAINERFILE, File, Recipe

FOLDER = Path(__file__).with_name("recipes")

_FROM = re.compile(rb"^FROM (?:scratch|localhost/(?P<base>[a-z0-9-]+))$", re.MULTILINE)


class UnknownImage(Exception):
    """There is no recipe of that name, or its Containerfile builds on no recipe."""


def names() -> tuple[str, ...]:
    """Return the names of all images, sorted."""
    folders = (found.parent.name for found in FOLDER.glob(f"*/{CONTAINERFILE}"))
    return tuple(sorted({*folders, *kubeflow.IMAGES}))


@cache
def recipe(name: str) -> Recipe:
    """Return the recipe of that name. Raises UnknownImage."""
    files = _read(FOLDER / name)
    if not files and name in kubeflow.IMAGES:
        files = kubeflow.files(name)
    if CONTAINERFILE not in files:
        raise UnknownImage(f"no recipe {name} in {FOLDER}; there are {', '.join(names())}")
    return recipe_of(name, files)


def recipe_of(name: str, files: Mapping[str, File]) -> Recipe:
    """Return the recipe that these files make. Raises UnknownImage."""
    found = _FROM.search(files[CONTAINERFILE].content)
    if not found:
        raise UnknownImage(
            f"recipe {name}: its {CONTAINERFILE} has neither FROM scratch nor FROM localhost/NAME"
        )
    base = recipe(found["base"].decode()) if found["base"] else None
    return Recipe(name=name, base=base, files=files, finish=indexes.FINISHES.get(name))


def _read(folder: Path) -> dict[str, File]:
    """Read a recipe's folder, but for what running its Python on this machine left there."""
    return {
        str(path.relative_to(folder)): File(
            content=path.read_bytes(), executable=bool(path.stat().st_mode & 0o100)
        )
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
