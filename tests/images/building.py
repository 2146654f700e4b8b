"""The images of the tests: built once, kept as OCI layouts outside the tree, pushed where a test wants them.

    python -m tests.images.building [NAME...]

builds what is missing, of all or of these. A layout holds one image, tagged `latest`. It lies in a folder named for
the recipe's key, so one that is there is right: it was put there whole, by a rename, and nothing changes it. That of
another key goes away when a recipe's new image comes. What is half made lies in `.build`, whose lock every program of
the build inherits: who gets the lock is alone, and what lies there then belongs to nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.images.buildah import Workshop
from tests.images.catalogue import names, recipe
from tests.images.recipe import Recipe

Say = Callable[[str], None]


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def cache_folder() -> Path:
    """Return the folder with all layouts: NBGATE_IMAGE_CACHE, by default `~/.cache/nbgate/images`."""
    chosen = os.environ.get("NBGATE_IMAGE_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache/nbgate/images"


def image(name: str, say: Say = _to_standard_error) -> Path:
    """Return the OCI layout of that image, built if it is missing. Raises what `built` raises."""
    return built([recipe(name)], cache_folder(), say)[0]


def images(*wanted: str, say: Say = _to_standard_error) -> dict[str, Path]:
    """Return the OCI layouts of these images, by default of all: quicker than one at a time, where many are missing."""
    chosen = wanted or names()
    layouts = built([recipe(name) for name in chosen], cache_folder(), say)
    return dict(zip(chosen, layouts, strict=True))


def built(recipes: list[Recipe], cache: Path, say: Say) -> list[Path]:
    """Return these recipes' layouts in the folder `cache`; `say` is told of each that must be built.

    Raises BuildFailed or CannotBuild.
    """
    layouts = [layout for each in recipes if (layout := _found(cache, each))]
    if len(layouts) == len(recipes):
        return layouts
    with _alone_in(cache) as workshop:
        return [_build(each, cache, workshop, say) for each in recipes]


def push(layout: Path, destination: str) -> str:
    """Push a layout's image to `127.0.0.1:PORT/name:tag` over plain HTTP, unchanged; return its digest."""
    command = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]
    subprocess.run(
        [*command, "--dest-tls-verify=false", f"oci:{layout}:latest", f"docker://{destination}"],
        check=True,
        timeout=300,
    )
    return digest(layout)


def digest(layout: Path) -> str:
    """Return the digest of a layout's image, or of its index."""
    [descriptor] = json.loads((layout / "index.json").read_bytes())["manifests"]
    found: str = descriptor["digest"]
    return found


def _layout(cache: Path, recipe: Recipe, base: Path | None) -> Path:
    return cache / recipe.name / recipe.key(digest(base) if base else None)


def _found(cache: Path, recipe: Recipe) -> Path | None:
    """Return the recipe's layout, if it and those below it are there."""
    base = _found(cache, recipe.base) if recipe.base else None
    if recipe.base and not base:
        return None
    layout = _layout(cache, recipe, base)
    return layout if layout.is_dir() else None


@contextmanager
def _alone_in(cache: Path) -> Iterator[Workshop]:
    """Hold the cache's lock, with an empty folder to build in."""
    cache.mkdir(parents=True, exist_ok=True)
    scratch = cache / ".build"
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield Workshop(scratch, lock.fileno())
        finally:
            # After an interrupt some program may still be writing there; the next run removes what that leaves.
            shutil.rmtree(scratch, ignore_errors=True)


def _build(recipe: Recipe, cache: Path, workshop: Workshop, say: Say) -> Path:
    """Return the layout of a recipe, built on those below it where it is missing."""
    base = _build(recipe.base, cache, workshop, say) if recipe.base else None
    target = _layout(cache, recipe, base)
    if target.is_dir():
        return target
    say(f"building the test image {recipe.name} into {target.parent}: once")
    finished = workshop.build(recipe, base)
    target.parent.mkdir(exist_ok=True)
    finished.rename(target)
    for other in target.parent.iterdir():
        if other != target:
            shutil.rmtree(other)
    return target


if __name__ == "__main__":
    for name, layout in images(*sys.argv[1:]).items():
        print(name, layout)  # noqa: T201  # the one line that this command is for
