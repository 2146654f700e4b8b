"""Folders for readers that take a path, in memory where the machine has that: thousands are made in a run."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MEMORY = "/dev/shm"


@contextmanager
def fresh_folder() -> Iterator[Path]:
    """Make an empty folder, and remove it with all that is in it."""
    place = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="nbgate-fuzz-", dir=place) as folder:
        yield Path(folder)
