"""One bounded read and one atomic replacement: the only places that open a certificate's files."""

import os
import stat
from pathlib import Path

from certs.errors import UnreadableFileError, UnwritableFileError

# A Secret holds at most 1 MiB (Kubernetes, MaxSecretSize), so no file of a mounted one is larger.
LARGEST_FILE = 1024 * 1024

# A pipe must not make us wait for its writer; on regular files O_NONBLOCK does nothing.
_READING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK

_CREATING = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def read(path: Path, *, shown: Path | None = None) -> bytes:
    """Return a regular file's bytes. Raise UnreadableFileError, also when it is missing.

    `shown` is what an error calls the file where that is not its path.
    """
    content = read_if_there(path, shown=shown)
    if content is None:
        raise UnreadableFileError(
            f"{shown or path}: no such file; mount the Secret that holds it, "
            "or issue it with nbgate certs issue"
        )
    return content


def read_if_there(path: Path, *, shown: Path | None = None) -> bytes | None:
    """Return a regular file's bytes, or None when there is none. Raise UnreadableFileError."""
    try:
        content = _read_regular(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(shown or path, error) from error
    if content is None:
        raise UnreadableFileError(f"{shown or path}: not a regular file; put the PEM file there")
    if len(content) > LARGEST_FILE:
        raise UnreadableFileError(
            f"{shown or path}: over {LARGEST_FILE} bytes, more than a Secret can hold; "
            "put the right file there"
        )
    return content


def replace(path: Path, content: bytes, *, mode: int) -> None:
    """Replace a file as one step: a reader sees all of the old bytes or all of the new ones.

    The bytes are on disk before the name points at them. The caller holds the directory's lock: the
    temporary name is always the same, so what a crash leaves behind is cleared by the next write.
    Raise UnwritableFileError.
    """
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.unlink(missing_ok=True)
        _write_new(temporary, content, mode)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error


def make_private_directory(directory: Path) -> None:
    """Create a directory for its owner alone (0700); one that exists is left as it is."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(directory, error) from error


def unwritable(path: Path, error: OSError) -> UnwritableFileError:
    """Translate an error of the operating system, with the cure."""
    return UnwritableFileError(
        f"{path}: cannot be written ({error.strerror}); "
        "choose a directory that this user may write, and that has space"
    )


def _read_regular(path: Path) -> bytes | None:
    """Return at most one byte more than the limit, or None for what is no regular file."""
    descriptor = os.open(path, _READING)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(LARGEST_FILE + 1)
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> UnreadableFileError:
    return UnreadableFileError(
        f"{path}: cannot be read ({error.strerror}); "
        "let this user read it, or name another directory"
    )


def _write_new(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, _CREATING, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        os.fchmod(descriptor, mode)  # whatever the umask is
        stream.write(content)
        stream.flush()
        os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
