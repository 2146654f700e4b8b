"""LayerContents from the topmost layer down -> Files. Pure.

What an upper layer has, removes or replaces hides what lower ones have at and below that path. Two things are not
seen, for they would take every folder and file of a layer to be kept: that a folder replaced a lower layer's file
(tools mark such a folder as opaque, and then it is seen), and what of more than HOME_FILES_LIMIT files that one layer
has in the home upper layers removed or replaced one by one. The counts of `home` are then too high, never too low.
"""

from webhook.scanner.errors import BadContent
from webhook.scanner.layers.contents import HomeEntry, LayerContents, Script
from webhook.scanner.layers.files import Files
from webhook.scanner.layers.places import HOME, PASSWD

# Characters of all paths that are kept of all layers, and 100 for each, as in reading.py: four times what one layer may
# have, and less than 100 MiB of memory.
MAX_KEPT = 64 * 1024 * 1024
_PATH_COST = 100


class Merge:
    """What the layers so far show together; layers are added from the topmost down.

    Attributes:
        passwd_known: no lower layer can change what is known of passwd.
    """

    def __init__(self) -> None:
        self._hidden: set[str] = set()
        self._kept = 0
        self.passwd_known = False
        self._passwd: bytes | None = None
        self._passwd_link: str | None = None
        self._scripts: dict[str, Script] = {}
        self._home_files: dict[str, int] = {}
        self._names: set[str] = set()
        self._unlisted: dict[str, HomeEntry] = {}

    def add(self, layer: LayerContents) -> None:
        """Add the layer below those that were added. Raises BadContent where all of them together are too much."""
        self._add_passwd(layer)
        self._scripts |= {p: s for p, s in layer.scripts.items() if not self._is_hidden(p)}
        self._add_home(layer)
        for path in (*layer.hidden, *layer.scripts, *layer.home_files):
            self._hide(path.removesuffix("/"))

    def files(self, *, complete: bool) -> Files:
        """Give what is visible; `complete` says that there are no more layers."""
        return Files(
            complete=complete,
            passwd_known=complete or self.passwd_known,
            passwd=self._passwd,
            passwd_link=self._passwd_link,
            scripts=dict(sorted(self._scripts.items())),
            home=self._home(),
            home_files=tuple(sorted(self._home_files)),
        )

    def _is_hidden(self, path: str) -> bool:
        if not self._hidden:
            return False
        if path in self._hidden or "" in self._hidden:  # the root itself, where all of it is opaque
            return True
        slash = path.find("/")
        while slash >= 0:
            if path[:slash] in self._hidden:
                return True
            slash = path.find("/", slash + 1)
        return False

    def _hide(self, path: str) -> None:
        if path not in self._hidden:
            self._keep(path)
            self._hidden.add(path)

    def _keep(self, path: str) -> None:
        self._kept += len(path) + _PATH_COST
        if self._kept > MAX_KEPT:
            raise BadContent(
                f"its layers together have more than {MAX_KEPT >> 20} MiB of names of programs, files in the home and "
                "whiteouts, the most that are read of an image; remove what notebooks do not need"
            )

    def _add_passwd(self, layer: LayerContents) -> None:
        if self.passwd_known or self._is_hidden(PASSWD):
            self.passwd_known = True
            return
        self._passwd, self._passwd_link = layer.passwd, layer.passwd_link
        self.passwd_known = (
            layer.passwd is not None
            or layer.passwd_link is not None
            or not layer.hidden.isdisjoint({PASSWD, "etc", "etc/", "/"})
        )

    def _add_home(self, layer: LayerContents) -> None:
        listed: dict[str, tuple[int, int]] = {}
        for path, size in zip(layer.home_files, layer.home_sizes, strict=True):
            name = path[len(HOME) + 1 :].partition("/")[0]
            files, total = listed.get(name, (0, 0))
            listed[name] = (files + 1, total + size)
            if not self._is_hidden(path):
                self._home_files[path] = size
        for name, entry in layer.home.items():
            if self._is_hidden(f"{HOME}/{name}"):
                continue
            if name not in self._names:
                self._keep(name)
                self._names.add(name)
            files, size = listed.get(name, (0, 0))
            if entry.files > files:
                self._count(name, entry.files - files, entry.size - size)

    def _count(self, name: str, files: int, size: int) -> None:
        before = self._unlisted.get(name, HomeEntry(files=0, size=0))
        self._unlisted[name] = HomeEntry(files=before.files + files, size=before.size + size)

    def _home(self) -> dict[str, HomeEntry]:
        counts = {name: [0, 0] for name in sorted(self._names)}
        for name, entry in self._unlisted.items():
            counts[name] = [entry.files, entry.size]
        for path, size in self._home_files.items():
            count = counts[path[len(HOME) + 1 :].partition("/")[0]]
            count[0] += 1
            count[1] += size
        return {name: HomeEntry(files=files, size=size) for name, (files, size) in counts.items()}
