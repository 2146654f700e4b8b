"""A simple model of unpacking layers over one another, to compare the scanner with, and layers drawn at random.

Layers are as tools write them: nothing lies below what is no folder, and no folder stands where a lower layer has a
file, unless it is opaque (merging.py says why).
"""

from dataclasses import dataclass, field

from hypothesis import strategies as st

from tests.scanner.layers.tars import Member, file, folder, special, symlink
from webhook.scanner.layers.contents import HomeEntry
from webhook.scanner.layers.mentions import find_mentions
from webhook.scanner.layers.places import HOME, place_of

PATHS = (
    *("etc", "etc/passwd", "etc/services.d", "etc/services.d/a", "etc/services.d/a/run"),
    *("bin", "bin/s", "init", "opt", "opt/x", "opt/x/bin", "opt/x/bin/s", "usr/local"),
    *("usr/local/bin/s", "home", "home/jovyan", "home/jovyan/a", "home/jovyan/a/b"),
    *("home/jovyan/a/b/c", "home/jovyan/a/b0", "home/jovyan/a0", "home/jovyan/.z"),
)
CONTENTS = (b"", b"#!/bin/sh", b"#!/bin/sh\n8888", b"#!/bin/sh\n$NB_PREFIX")


@dataclass(slots=True)
class Node:
    member: Member
    layer: int

    @property
    def is_folder(self) -> bool:
        return self.member[0].isdir()


@dataclass(slots=True)
class Unpacked:
    """What lies where, after layers from the lowest up."""

    nodes: dict[str, Node] = field(default_factory=dict)
    layers: int = 0

    def apply(self, members: list[Member]) -> list[Member]:
        """Unpack a layer; give back what of it can be unpacked, which is the layer."""
        self.layers += 1
        whiteouts = [m for m in members if ".wh." in m[0].name and self._remove(m[0].name)]
        for opaque in [m[0].name for m in whiteouts if m[0].name.endswith("/.wh..wh..opq")]:
            self._put(folder(opaque.rpartition("/")[0]))
        return whiteouts + [m for m in members if ".wh." not in m[0].name and self._put(m)]

    def _remove(self, whiteout: str) -> bool:
        parent, slash, name = whiteout.rpartition("/")
        if any(self._is_file(above) for above in _above(parent)):
            return False
        if name == ".wh..wh..opq":
            path = parent
        elif self._is_file(parent):
            return False
        else:
            path = f"{parent}{slash}{name.removeprefix('.wh.')}"
        self._clear(path)
        self.nodes.pop(path, None)
        return True

    def _is_file(self, path: str) -> bool:
        return path in self.nodes and not self.nodes[path].is_folder

    def _clear(self, path: str) -> None:
        below = f"{path}/" if path else ""
        for other in [other for other in self.nodes if other.startswith(below)]:
            del self.nodes[other]

    def _put(self, member: Member) -> bool:
        path = member[0].name
        parents = _above(path)
        if any(self._is_file(parent) for parent in parents):
            return False
        there = self.nodes.get(path)
        if member[0].isdir() and there and not there.is_folder and there.layer != self.layers:
            return False
        for parent in parents:
            self.nodes.setdefault(parent, Node(folder(parent), self.layers))
        if not member[0].isdir():
            self._clear(path)
        self.nodes[path] = Node(member, self.layers)
        return True

    def passwd(self) -> tuple[bytes | None, str | None]:
        for path, suffix in (("etc", "/passwd"), ("etc/passwd", "")):
            node = self.nodes.get(path)
            if node and node.member[0].issym():
                return None, node.member[0].linkname + suffix
        node = self.nodes.get("etc/passwd")
        return (node.member[1] if node and node.member[0].isreg() else None), None

    def scripts(self) -> dict[str, frozenset[str]]:
        files = {p: n.member[1] for p, n in self.nodes.items() if n.member[0].isreg()}
        found = {
            p: find_mentions(data)
            for p, data in files.items()
            if place_of(p) in {"script", "setting"}
        }
        return {path: frozenset(words) for path, words in found.items() if words}

    def home_files(self) -> dict[str, int]:
        below = {p: n.member[0] for p, n in self.nodes.items() if p.startswith(f"{HOME}/")}
        return {p: info.size for p, info in below.items() if info.isreg() or info.issym()}

    def home(self) -> dict[str, HomeEntry]:
        names = {p.split("/")[2] for p in self.nodes if p.startswith(f"{HOME}/")}
        files = self.home_files()
        return {name: _total(name, files) for name in names}


def _above(path: str) -> list[str]:
    return [path[:at] for at, letter in enumerate(path) if letter == "/"]


def _total(name: str, files: dict[str, int]) -> HomeEntry:
    sizes = [size for path, size in files.items() if path.split("/")[2] == name]
    return HomeEntry(files=len(sizes), size=sum(sizes))


def _whiteout(path: str) -> Member:
    parent, slash, name = path.rpartition("/")
    return file(f"{parent}{slash}.wh.{name}")


_FILES = st.builds(file, st.sampled_from(PATHS), st.sampled_from(CONTENTS))
_LINKS = st.builds(symlink, st.sampled_from(PATHS), st.sampled_from(["/x", "../y"]))
_FOLDERS = st.builds(folder, st.sampled_from(PATHS))
_PIPES = st.builds(
    special, st.just("fifo"), st.sampled_from([p for p in PATHS if p != "etc/passwd"])
)
_WHITEOUTS = st.sampled_from([_whiteout(path) for path in PATHS])
_OPAQUE = st.sampled_from(["", *(f"{path}/" for path in PATHS)]).map(
    lambda p: file(f"{p}.wh..wh..opq")
)
LAYERS = st.lists(
    st.lists(_FILES | _FILES | _LINKS | _FOLDERS | _PIPES | _WHITEOUTS | _OPAQUE, max_size=8),
    max_size=5,
)
