"""One regular file that a layout or an archive is read from; open, so that it stays the same file."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from webhook.scanner.errors import BadContent, NotFound, SourceError

_CHUNK = 256 * 1024  # bytes: few calls, and nothing beside a layer's own buffers


class LocalFile:
    """A file open for reading at any place, by several threads at once.

    `where` begins every message: `oci:images`. With `inside`, a link that leads out of that folder is refused; others
    are followed. Opening waits for nobody, whatever the name stands for.

    Raises:
        NotFound: there is no such file.
        BadContent: it is no regular file, or lies outside.
        SourceError: the system refuses it.
    """

    def __init__(self, path: Path, where: str, inside: Path | None = None) -> None:
        self._where = where
        self._path = path
        try:
            real = self._resolved(inside)
            # Without O_NONBLOCK, opening a named pipe waits for its writer for ever.
            flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW
            self._descriptor = os.open(real, flags)
        except OSError as error:
            raise self._refusal(error) from error
        found = os.fstat(self._descriptor)
        self.size = found.st_size
        if not stat.S_ISREG(found.st_mode):
            self.close()
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "no regular file"
            raise BadContent(f"{where}: {path.name} is {kind}: name what skopeo or podman wrote")

    def read(self, offset: int, size: int) -> bytes:
        """Read exactly `size` bytes. Raises BadContent where the file ends before, SourceError."""
        data = b"".join(self.chunks(offset, size))
        if len(data) < size:
            raise BadContent(f"{self._where}: {self._path.name} ends too early: copy it anew")
        return data

    def chunks(self, offset: int, size: int) -> Iterator[bytes]:
        """Read `size` bytes in pieces; fewer where the file ends. Raises SourceError."""
        end = offset + size
        while offset < end:
            try:
                piece = os.pread(self._descriptor, min(_CHUNK, end - offset), offset)
            except OSError as error:
                raise self._refusal(error) from error
            if not piece:
                return
            yield piece
            offset += len(piece)

    def close(self) -> None:
        """Close it; it is not read again."""
        os.close(self._descriptor)

    def _resolved(self, inside: Path | None) -> Path:
        path = Path(os.path.realpath(self._path, strict=True))
        # A layout is handed on as a folder. A link out of it would let a stranger's layout name any file of this
        # machine: what is in it would be read, and its digest told.
        if inside is not None and not path.is_relative_to(os.path.realpath(inside)):
            raise BadContent(
                f"{self._where}: {self._path.name} is a link out of the folder: "
                "copy the layout with what it links to, cp -rL"
            )
        return path

    def _refusal(self, error: OSError) -> SourceError:
        name = self._path.name
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return NotFound(f"{self._where}: there is no {name}: check the path")
        if isinstance(error, PermissionError):
            return SourceError(
                f"{self._where}: {name} may not be read: grant this user read rights"
            )
        reason = error.strerror or "it failed"
        return SourceError(f"{self._where}: {name} cannot be read: {reason}; check the disk")
