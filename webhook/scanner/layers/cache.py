"""What was read of layers, on disk by their digests, so that images which share a base pay for it once.

One file a layer; the least recently used ones go when all together are too large. Any number of processes may share the
folder: files are replaced in one step and removed whole, and one that is gone is no entry.

What stands in the folder decides which image may run, so it counts only while nobody else can write there. Whatever is
wrong with the folder or the disk, scans go on without: `tell` is told once, and layers are read anew.
"""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from webhook.core.reference import check_digest
from webhook.scanner.layers.cacheformat import NoEntry, decode, encode
from webhook.scanner.layers.contents import LayerContents
from webhook.stores.files import write_file

# Some 10 KiB a layer, and ten layers an image: hundreds of images, most of which share their bases.
LIMIT = 64 * 1024 * 1024
# What a killed process left half-written; none writes for that long.
_ABANDONED = 3600  # seconds


def _say_nothing(_text: str) -> None:
    pass


class Layers(Protocol):
    """What was read of layers before."""

    def get(self, digest: str) -> LayerContents | None:
        """Give what was read of the layer with this digest; None where it is not known."""
        ...

    def put(self, digest: str, contents: LayerContents) -> None:
        """Keep what was read of the layer with this digest."""
        ...


class LayerCache:
    """A folder of what was read of layers; made when something is first put into it, for its owner alone."""

    def __init__(
        self, folder: Path, limit: int = LIMIT, tell: Callable[[str], None] = _say_nothing
    ) -> None:
        """Use `folder` for at most `limit` bytes; `tell` gets one line, once, for each reason not to use it."""
        self._folder = folder
        self._limit = limit
        self._tell = tell
        self._told: set[str] = set()

    def get(self, digest: str) -> LayerContents | None:
        """Give what was read of the layer with this digest; None where it is not known."""
        path = self._path(digest)
        if not self._usable():
            return None
        try:
            with path.open("rb") as file:
                data = file.read(self._limit + 1)
            contents = decode(digest, data)
            os.utime(path)
        except FileNotFoundError:
            return None
        except NoEntry:
            _remove(path)
            return None
        except OSError as error:
            self._say(f"cannot be used, {error.strerror or error}; mend it or name another")
            return None
        return contents

    def put(self, digest: str, contents: LayerContents) -> None:
        """Keep what was read of the layer with this digest, and drop what was not used for longest."""
        path, data = self._path(digest), encode(digest, contents)
        if len(data) > self._limit:
            return
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._usable():
                write_file(path, data)
                self._make_room()
        except OSError as error:
            self._say(f"cannot be written, {error.strerror or error}; free space or name another")

    def _path(self, digest: str) -> Path:
        check_digest(digest)  # it becomes a file's name
        return self._folder / f"{digest.replace(':', '-')}.json"

    def _usable(self) -> bool:
        try:
            found = self._folder.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            self._say(f"cannot be read, {error.strerror or error}; name another")
            return False
        if not stat.S_ISDIR(found.st_mode):
            self._say("is no folder; name another")
        elif found.st_uid != os.geteuid():
            self._say("belongs to another user, who could forge results; name another")
        elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            self._say("can be written by others, who could forge results; chmod 700 and empty it")
        else:
            return True
        return False

    def _say(self, clause: str) -> None:
        if clause not in self._told:
            self._told.add(clause)
            self._tell(f"layers are not cached: {self._folder} {clause}")

    def _make_room(self) -> None:
        files = sorted(_files(self._folder), key=lambda file: file[1])
        total = sum(size for _, _, size in files)
        abandoned = time.time() - _ABANDONED
        for path, used, size in files:
            written = path.suffix == ".json"
            if (written and total > self._limit) or (not written and used < abandoned):
                _remove(path)
                total -= size


def _files(folder: Path) -> list[tuple[Path, float, int]]:
    """List path, time of last use and size of every file; those that go meanwhile are left out."""
    found = []
    with os.scandir(folder) as listing:
        for item in listing:
            try:
                status = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((Path(item.path), status.st_mtime, status.st_size))
    return found


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError:
        return  # another process was quicker, or nothing may be written: it is no entry anyway
