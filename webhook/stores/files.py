"""Files read bounded and whole, and written so that no reader ever sees half of one."""

import os
import secrets
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# 20,000 ImageScans of 1.5 KiB in one List, a fifth of what nbgate is made for, fit. As values they take some ten times
# that, about 320 MiB: the most that a pod with a limit of 512 MiB can take for the moment of reading.
SIZE_LIMIT = 32 * 1024 * 1024

# device, inode, size, and the times of the last change to the bytes and to the inode, in ns
Identity = tuple[int, int, int, int, int]


class UnreadableFile(Exception):
    """A file cannot be read now; the message says why, as a clause, and the cure."""


@dataclass(frozen=True, slots=True)
class Content:
    """The whole of a file, and its identity while it was read."""

    data: bytes
    identity: Identity


def identity_of(found: os.stat_result) -> Identity:
    """Give what changes whenever a file is written, replaced or pointed elsewhere."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def read_file(path: Path | str, limit: int = SIZE_LIMIT) -> Content:
    """Read a regular file of at most `limit` bytes that nobody writes meanwhile; links are followed.

    Raises:
        UnreadableFile: it is missing, too large, no regular file or changing, or the system refuses it.
    """
    try:
        # Without O_NONBLOCK, opening a named pipe waits for its writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise UnreadableFile(_refusal(error)) from error
    try:
        return _read(descriptor, limit)
    except OSError as error:
        raise UnreadableFile(_refusal(error)) from error
    finally:
        os.close(descriptor)


def _read(descriptor: int, limit: int) -> Content:
    before = os.fstat(descriptor)
    if stat.S_ISDIR(before.st_mode):
        raise UnreadableFile("is a folder; name a file")
    if not stat.S_ISREG(before.st_mode):
        raise UnreadableFile("is no regular file; copy its content into one")
    if before.st_size > limit:
        raise UnreadableFile(too_large(before.st_size, limit))
    data = b""
    while len(data) < before.st_size and (piece := os.read(descriptor, before.st_size - len(data))):
        data += piece
    # Not by ctime: that of a file which is replaced, and so read whole, changes as it loses its name.
    after = os.fstat(descriptor)
    unchanged = after.st_size == before.st_size and after.st_mtime_ns == before.st_mtime_ns
    if len(data) != before.st_size or not unchanged:
        raise UnreadableFile("changed while it was read; try again when its writer is done")
    return Content(data, identity_of(before))


def too_large(size: int, limit: int) -> str:
    """Say that a file is larger than is read."""
    return f"has {size} bytes, more than the {limit} that are read of one file; split it"


def _refusal(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "is not there, or is a link to what is not there; create it, or name another"
    if isinstance(error, PermissionError):
        return "may not be read; grant this user read permission"
    return f"cannot be read: {error.strerror or error}; check the disk and the path"


def write_file(path: Path, data: bytes) -> None:
    """Replace a file in one step: `write_pieces` with one piece. Raises OSError."""
    write_pieces(path, (data,))


def write_pieces(path: Path, pieces: Iterable[bytes]) -> None:
    """Replace a file in one step; when this returns, the bytes are on disk, though not yet its name in the folder.

    Readers see the old file or the new one. `sync_folder` makes the name last; one call serves many files.
    Raises OSError; the old file is then as it was.
    """
    # A hidden name, so that no folder of documents takes it for one, and in the same folder, so that rename is atomic.
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Make names last that were written to or removed from a folder. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
