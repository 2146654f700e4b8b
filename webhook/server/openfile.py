"""One file of whole lines, open for appending, that other processes append to as well."""

import errno
import os
import stat
import threading
import weakref
from collections.abc import Callable
from pathlib import Path


class OpenFile:
    """A descriptor, and how far what was written through it is on disk.

    The descriptor closes when nothing refers to this object any more: a thread that still waits for its sync keeps a
    rotated file open. `write` and `mark` are the caller's to serialise; `sync` may be called by any thread.
    """

    def __init__(self, descriptor: int, sync: Callable[[int], None]) -> None:
        self._descriptor = descriptor
        self._fdatasync = sync
        weakref.finalize(self, os.close, descriptor)
        found = os.fstat(descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._written = 0
        self._synced = 0
        self._lost = 0
        self._fault = OSError()
        self._turn = threading.Lock()

    def stands_at(self, path: Path) -> bool:
        """Tell whether this is the file that the path leads to now."""
        try:
            found = os.stat(path)  # noqa: PTH116 - Path.stat() takes twice the time, and this is done for every record
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    @property
    def linked(self) -> bool:
        """Whether any path leads to this file: it was not deleted, at most moved."""
        return os.fstat(self._descriptor).st_nlink > 0

    def write(self, line: bytes) -> int:
        """Append one line in one write and return its number, for `sync`. Raises OSError.

        Where the file ends within a line (a full disk or a power failure cut it, whoever wrote it), the new line
        begins on its own. Processes on one machine cannot mix their lines: Linux holds the inode's lock while it
        writes with O_APPEND; network file systems do not promise it.
        """
        data = b"\n" + line if self._ends_torn() else line
        written = os.write(self._descriptor, data)
        if written < len(data):
            # the second write tells why the first one stopped, and if it succeeds, the torn line is closed
            os.write(self._descriptor, b"\n")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._written += 1
        return self._written

    def _ends_torn(self) -> bool:
        """Look at the last byte; once more if the file grew, for another process may be in the middle of a write.

        One that is in the middle at both looks leads to an empty line, which readers pass over.
        """
        size = os.fstat(self._descriptor).st_size
        if self._is_end(size):
            return False
        grown = os.fstat(self._descriptor).st_size
        return grown == size or not self._is_end(grown)

    def _is_end(self, size: int) -> bool:
        return not size or os.pread(self._descriptor, 1, size - 1) in (b"\n", b"")

    def sync(self, number: int) -> None:
        """Return when the line of that number is on disk. Raises OSError.

        One sync serves all lines that were written before it began: threads that wait for their turn mostly find that
        their line was synced while they did. A failed one is told to each of them, for the kernel tells it only once.
        """
        with self._turn:
            if self._synced < number:
                goal = self._written
                try:
                    self._fdatasync(self._descriptor)
                except OSError as error:
                    self._lost, self._fault = goal, error
                self._synced = goal
            if number <= self._lost:
                raise OSError(self._fault.errno, self._fault.strerror)


def open_file(path: Path, sync: Callable[[int], None]) -> OpenFile:
    """Open a file for appending, made with mode 0600, as is its folder with 0700, where they are missing.

    Raises OSError; anything but a regular file is refused, for a pipe would block and a device forget.
    """
    try:
        descriptor = os.open(path, _FLAGS, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, _FLAGS, 0o600)
    opened = OpenFile(descriptor, sync)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "Not a regular file")
    _sync_folder(path.parent)
    return opened


# O_NONBLOCK means nothing to a regular file, and keeps a pipe from blocking before it can be refused.
_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _sync_folder(folder: Path) -> None:
    """Bring a new file's name to disk; without it, its lines can be there and not be found (fsync(2))."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network and user-space file systems cannot
            raise
    finally:
        os.close(descriptor)
