"""One layer's bytes -> LayerContents: what scans look at, kept small whatever the layer holds.

Whiteouts are those of the OCI image-spec, layer.md: `.wh.NAME` hides what lower layers have as NAME, `.wh..wh..opq` all
that they have in its folder; entries of the same layer are never hidden, wherever in the tar they stand. Other names
that begin with `.wh..wh.` are AUFS's own and mean nothing. What is no folder replaces a folder of lower layers as a
whole; that is seen at every place and up to two folders deep above one, `places.py` says which.

Within a layer the last entry of a name wins, and one that is no folder takes away what was below it, as when it is
unpacked. Nothing is followed: what lies behind a symbolic link is read where it lies. But who unpacks a layer follows
the links that it has made before, so what could reach etc/passwd so is refused: with `x -> etc`, x/passwd is the file.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from webhook.scanner.errors import BadContent
from webhook.scanner.layers.contents import (
    HOME_FILES_LIMIT,
    HomeEntry,
    LayerContents,
    Mention,
    Script,
)
from webhook.scanner.layers.decompression import decompress
from webhook.scanner.layers.listing import Listing
from webhook.scanner.layers.mentions import find_mentions
from webhook.scanner.layers.places import (
    HOME,
    PASSWD,
    Place,
    leads_to_place,
    may_hold_places,
    place_of,
)
from webhook.scanner.layers.tarstream import Entry, entries
from webhook.scanner.mediatypes import Compression

# Must grow whenever the same layer would be read as something else, for what was read is cached.
RULES = 2

# Directories with a thousand times as many users as an image has are still smaller.
MAX_PASSWD = 1024 * 1024
# The largest start scripts known, docker-stacks' and Bitnami's, have 20 KiB.
MAX_SCRIPT = 64 * 1024
# Of those that mention something; whole conda distributions have some ten.
MAX_SCRIPTS = 1000
# What is kept of a layer: characters of paths, and 100 for each, about what Python takes for a string. Environments
# with 20,000 programs, or as many files directly in the home, need a fifth.
MAX_KEPT = 16 * 1024 * 1024
_PATH_COST = 100

_MARK = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
# Names that etc/passwd can be a hard link to: `passwd-`, `passwd.orig`. More than that are not remembered.
_MAX_ALIASES = 4


def read_layer(chunks: Iterable[bytes], compression: Compression, where: str) -> LayerContents:
    """Read a layer as stored; the chunks are read to their end, so that whoever verifies them is done.

    `where` begins messages: `layer sha256:…`. Raises BadContent: it is not what it should be, or a limit is passed.
    """
    layer, seen = _Layer(where), hashlib.sha256()
    for entry in entries(_hashed(decompress(chunks, compression, where), seen), where):
        layer.add(entry)
    return replace(layer.contents(), diff_id=f"sha256:{seen.hexdigest()}")


def _hashed(pieces: Iterable[bytes], seen: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        seen.update(piece)
        yield piece


class _Layer:
    """What is kept of the entries so far."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._passwd: bytes | None = None
        self._passwd_link: str | None = None
        self._etc_link: str | None = None
        self._aliases: dict[str, bytes] = {}
        # Hashes, for a layer may have half a million links; of equal ones one too many is refused.
        self._links: set[int] = set()
        self._scripts: Listing[frozenset[Mention]] = Listing()
        self._home = _Home()
        self._hidden: set[str] = set()
        self._kept = 0

    def add(self, entry: Entry) -> None:
        path = entry.name
        self._check_way(entry)
        if _MARK in path and path[path.rfind("/") + 1 :].startswith(_MARK):
            self._add_whiteout(entry)
        elif entry.kind == "folder":
            self._add_folder(path)
        else:
            self._add_other(entry)

    def _check_way(self, entry: Entry) -> None:
        """Refuse what could change passwd by way of a symbolic link that the layer has before. Raises BadContent."""
        path = entry.name
        if self._links and _may_be_passwd(path[path.rfind("/") + 1 :]):
            slash = path.find("/")
            while slash >= 0:
                if hash(path[:slash]) in self._links:
                    raise entry.fault("lies behind a symbolic link of the same layer")
                slash = path.find("/", slash + 1)
        if entry.kind == "symlink":
            self._links.add(hash(path))
        elif self._links:
            self._links.discard(hash(path))

    def contents(self) -> LayerContents:
        files = dict(self._home.files.items())
        return LayerContents(
            passwd=self._passwd,
            # Where the folder itself leads elsewhere, passwd is there too.
            passwd_link=self._passwd_link if self._etc_link is None else f"{self._etc_link}/passwd",
            scripts={p: Script(path=p, mentions=found) for p, found in self._scripts.items()},
            home=self._home.entries(),
            home_files=tuple(files),
            home_sizes=tuple(files.values()),
            hidden=frozenset(self._hidden),
        )

    def _keep(self, path: str) -> None:
        self._kept += len(path) + _PATH_COST
        if self._kept > MAX_KEPT:
            raise BadContent(
                f"{self._where} has more programs, files in the home or whiteouts than are read of a layer, "
                f"{MAX_KEPT >> 20} MiB of names; remove from the image what notebooks do not need"
            )

    def _hide(self, path: str) -> None:
        if path not in self._hidden:
            self._keep(path)
            self._hidden.add(path)

    def _add_whiteout(self, entry: Entry) -> None:
        folder, slash, name = entry.name.rpartition("/")
        if name == _OPAQUE:
            if leads_to_place(folder):
                self._hide(f"{folder}/")
                self._add_folder(folder)  # which it is, also where it has no entry of its own
            return
        if name.startswith(_AUFS):
            return
        removed = name.removeprefix(_MARK)
        if removed in {"", ".", ".."}:
            raise entry.fault("is a whiteout of its own folder or the one above")
        path = f"{folder}{slash}{removed}"
        if leads_to_place(path):
            self._hide(path)

    def _add_folder(self, path: str) -> None:
        if self._home.files.remove(path) or self._scripts.remove(path):
            self._hide(path)
        self._aliases.pop(path, None)
        if path == "etc":
            self._etc_link = None
        elif path == PASSWD:
            self._passwd, self._passwd_link = None, None
            self._hide(path)
        if path.startswith(f"{HOME}/") and self._home.add_name(path):
            self._keep(path)

    def _add_other(self, entry: Entry) -> None:
        path = entry.name
        place = place_of(path)
        if place is None and not may_hold_places(path):
            return
        self._scripts.remove_below(path)
        self._home.remove_below(path)
        self._aliases.pop(path, None)  # it is something else now, whatever it becomes
        if place == "home":
            self._add_home(entry)
            return
        self._add_elsewhere(entry, place)

    def _add_home(self, entry: Entry) -> None:
        path = entry.name
        if self._home.add_name(path):
            self._keep(path)
        if entry.kind not in {"file", "symlink", "hardlink"}:
            self._home.files.remove(path)
            self._hide(path)
        elif self._home.add_file(path, entry.size):
            self._keep(path)

    def _add_elsewhere(self, entry: Entry, place: Place | None) -> None:
        path = entry.name
        if place == "passwd":
            self._add_passwd(entry)
            return
        if path == "etc":
            self._passwd, self._passwd_link = None, None
            self._aliases.clear()
            self._etc_link = entry.link if entry.kind == "symlink" else None
        found = self._mentions(entry, place)
        if not found:
            self._scripts.remove(path)
            self._hide(path)
            return
        self._keep(path)
        self._scripts.put(path, found)
        if len(self._scripts) > MAX_SCRIPTS:
            raise BadContent(
                f"{self._where} has more than {MAX_SCRIPTS} scripts that deal with the port, the prefix or the home, "
                "the most that are read of a layer; remove from the image what notebooks do not need"
            )

    def _mentions(self, entry: Entry, place: Place | None) -> frozenset[Mention]:
        if place in {"script", "setting"} and entry.kind == "hardlink":
            return self._scripts.get(entry.link) or frozenset()
        if entry.kind != "file" or entry.sparse:
            return frozenset()  # a file with holes is no script
        if entry.size <= MAX_PASSWD and entry.name.startswith(PASSWD):
            return self._remember(entry)
        if place not in {"script", "setting"} or entry.size > MAX_SCRIPT:
            return frozenset()
        data = entry.read(MAX_SCRIPT)
        return find_mentions(data) if place == "setting" or data.startswith(b"#!") else frozenset()

    def _remember(self, entry: Entry) -> frozenset[Mention]:
        if len(self._aliases) < _MAX_ALIASES:
            self._aliases[entry.name] = entry.read(MAX_PASSWD)
        return frozenset()

    def _add_passwd(self, entry: Entry) -> None:
        self._passwd, self._passwd_link, self._etc_link = None, None, None
        if entry.kind == "file":
            self._passwd = entry.read(MAX_PASSWD)
        elif entry.kind == "hardlink" and entry.link in self._aliases:
            self._passwd = self._aliases[entry.link]
        elif entry.kind in {"hardlink", "symlink"}:
            self._passwd_link = entry.link
        else:
            raise entry.fault("is a device, or no file of any kind that can be read")


def _may_be_passwd(name: str) -> bool:
    """Tell whether something of that name, in whatever folder, could be etc/passwd, its folder or an alias of it."""
    plain = name.removeprefix(_MARK)
    return plain == "etc" or plain.startswith("passwd") or name == _OPAQUE


class _Home:
    """What is under the home: names directly in it, files up to a limit, and what is beyond that counted."""

    def __init__(self) -> None:
        self.files: Listing[int] = Listing()
        self._names: set[str] = set()
        self._more: dict[str, tuple[int, int]] = {}

    def add_name(self, path: str) -> bool:
        name = _name(path)
        if name in self._names:
            return False
        self._names.add(name)
        return True

    def add_file(self, path: str, size: int) -> bool:
        """Add a file or link; tell whether it is among those that are listed."""
        if path in self.files or len(self.files) < HOME_FILES_LIMIT:
            self.files.put(path, size)
            return True
        name = _name(path)
        count, total = self._more.get(name, (0, 0))
        self._more[name] = (count + 1, total + size)
        return False

    def remove_below(self, path: str) -> None:
        """Forget what was below a path that is no folder any more.

        Files that are counted only are forgotten with their name directly under the home; deeper they stay counted.
        """
        self.files.remove_below(path)
        if f"{HOME}/".startswith(f"{path}/"):
            self._names.clear()
            self._more.clear()
        elif path.startswith(f"{HOME}/") and path.count("/") == 2:
            self._more.pop(_name(path), None)

    def entries(self) -> dict[str, HomeEntry]:
        counts = {name: self._more.get(name, (0, 0)) for name in sorted(self._names)}
        for path, size in self.files.items():
            files, total = counts[_name(path)]
            counts[_name(path)] = (files + 1, total + size)
        return {name: HomeEntry(files=files, size=size) for name, (files, size) in counts.items()}


def _name(path: str) -> str:
    return path[len(HOME) + 1 :].partition("/")[0]
