"""What an image is built from, and the key of what comes out."""

from __future__ import annotations

import hashlib
import inspect
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

CONTAINERFILE = "Containerfile"
PREPARE = "prepare"

# To be raised when `building.py` makes another image of the same files.
_FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of a recipe, as it lies in the build's context."""

    content: bytes
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How to build one image.

    Attributes:
        base: what its Containerfile builds on; None for one from scratch.
        files: by their path in the build's context: the Containerfile, what it copies, and where there is one the
            program `prepare`, which is run in the context before the build, on the machine itself.
        finish: what changes the finished OCI layout, in place, where a Containerfile cannot say it.
    """

    name: str
    base: Recipe | None
    files: Mapping[str, File]
    finish: Callable[[Path], None] | None = None

    def key(self, base: str | None) -> str:
        """Return 16 hex digits that change with anything that goes into the image; `base` is the digest of its base.

        Not the base's key: the same recipe makes another image tomorrow, and whoever builds on it shares its layers.
        """
        told = hashlib.sha256(f"{_FORMAT} {platform.machine()} {self.name} {base}\n".encode())
        for path, file in sorted(self.files.items()):
            told.update(f"{path} {file.executable} {len(file.content)}\n".encode() + file.content)
        if self.finish:
            told.update(inspect.getsource(inspect.getmodule(self.finish) or self.finish).encode())
        return told.hexdigest()[:16]
