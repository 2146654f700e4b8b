"""nbgate's own image: built by its Dockerfile from this tree, on the tests' own base, kept as an OCI layout.

A layout lies in a folder named for all that goes into it, so an unchanged tree does not build again. buildah's layers
stay in the cache too: what pip installs is installed anew only when the locked requirements change, or the base.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.images.buildah import Workshop
from tests.images.building import Say, cache_folder, digest, image

TREE = Path(__file__).parents[2]
BASE = "debian"
NAME = "nbgate"
# What the Dockerfile copies, and itself.
PARTS = (
    "Dockerfile",
    "LICENSE",
    "README.md",
    "certs",
    "pyproject.toml",
    "requirements/build.txt",
    "requirements/runtime.txt",
    "webhook",
)
# Layers are found again by content and time of the files; a checkout gives each file the time of the checkout.
MADE_AT = 1_577_836_800
# Each build leaves some 200 MB of layers behind; after that many the storage starts anew.
BUILDS_KEPT = 8


def own_image(say: Say) -> Path:
    """Return the OCI layout of nbgate's image, built if it is missing. Raises what `building.built` raises."""
    base = image(BASE, say)
    home = cache_folder() / NAME
    target = home / key(TREE, digest(base))
    return target if target.is_dir() else _built(home, base, say)


def _built(home: Path, base: Path, say: Say) -> Path:
    with _alone_in(home) as workshop:
        # Of a copy, which stays as it is when somebody goes on working in the tree.
        context = home / ".context"
        _write_context(TREE, context)
        target = home / key(context, digest(base))
        if not target.is_dir():
            say(f"building nbgate's own image into {home}")
            finished = workshop.build_dockerfile(NAME, context, BASE, base)
            for other in home.glob("[0-9a-f]*"):
                shutil.rmtree(other)
            finished.rename(target)
    return target


def key(tree: Path, base: str) -> str:
    """Return 16 hex digits that change with all of a tree that goes into the image; `base` is its base's digest."""
    told = hashlib.sha256(f"{base}\n".encode())
    for path in _files(tree):
        content = path.read_bytes()
        told.update(f"{path.relative_to(tree)} {len(content)}\n".encode() + content)
    return told.hexdigest()[:16]


def _files(tree: Path) -> Iterator[Path]:
    for part in PARTS:
        whole = tree / part
        yield from [whole] if whole.is_file() else sorted(_sources(whole))


def _sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")


def _write_context(tree: Path, context: Path) -> None:
    """Write what the Dockerfile copies: the same for the same content, whatever else is in the tree."""
    shutil.rmtree(context, ignore_errors=True)
    for path in _files(tree):
        copied = context / path.relative_to(tree)
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    for made in (context, *context.rglob("*")):
        made.chmod(0o755 if made.is_dir() else 0o644)
        os.utime(made, (MADE_AT, MADE_AT))


@contextmanager
def _alone_in(home: Path) -> Iterator[Workshop]:
    """Hold the folder's lock, with the layers of earlier builds."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        scratch = home / ".build"
        _start_anew_at_times(scratch)
        yield Workshop(scratch, lock.fileno())


def _start_anew_at_times(scratch: Path) -> None:
    count = scratch / "builds"
    builds = int(count.read_text()) if count.exists() else BUILDS_KEPT
    if builds >= BUILDS_KEPT:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        builds = 0
    shutil.rmtree(scratch / "layout", ignore_errors=True)
    shutil.rmtree(scratch / "secrets", ignore_errors=True)
    count.write_text(str(builds + 1))
