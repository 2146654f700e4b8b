"""One writer at a time in a directory, between threads and between processes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from certs.errors import BusyDirectoryError
from certs.files import unwritable

LOCK_FILE = ".lock"

# Writing takes milliseconds: whoever holds the lock for longer is stuck, and waiting does not help.
PATIENCE = 10.0
_PAUSE = 0.02


@contextmanager
def locked(directory: Path, *, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the directory's lock, waiting for at most `patience` seconds.

    The lock is flock(2) on `.lock`: the kernel drops it when its holder dies, so the file stays and
    means nothing by itself. Raise BusyDirectoryError or UnwritableFileError.
    """
    path = directory / LOCK_FILE
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o600)
    except OSError as error:
        raise unwritable(path, error) from error
    try:
        _acquire(descriptor, path, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, deadline: float) -> None:
    while not _try(descriptor, path):
        if time.monotonic() >= deadline:
            raise BusyDirectoryError(
                f"{path}: another process holds this lock; end it, or use another directory"
            )
        time.sleep(_PAUSE)


def _try(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise unwritable(path, error) from error
    return True
