"""The bytes of a tar -> its entries, forward only, bounded, nothing unpacked.

Python's tarfile is not used, for what it reads must be trusted (Lib/tarfile.py of 3.11 and 3.13): `_proc_pax` and
`_proc_gnulong` read a header of whatever size it names into memory; `next` keeps a TarInfo of every member, 500,000 of
them in 220 MB (3.13 can be told not to); a header that is broken behind the first one ends the archive as if it were
complete; and an entry costs 15 to 20 µs, five times what it does here.

Reads v7, POSIX (ustar, pax) and GNU (long names, base-256 numbers, sparse files); `tarheaders.py` names the sources.
Bodies that nobody reads are skipped within the chunks, uncopied. Two blocks of zeros end an archive, and what follows
is read to its end and not looked at. As for Go's archive/tar the end may also be that of the bytes, between two
entries: whether bytes are missing is what the blob's digest says.
"""

from collections.abc import Iterable, Iterator
from typing import Literal

from webhook.core.words import cut
from webhook.scanner.errors import BadContent
from webhook.scanner.layers.tarblocks import Blocks
from webhook.scanner.layers.tarheaders import (
    BLOCK,
    Malformed,
    check_sum,
    decimal,
    decode,
    full_name,
    is_gnu,
    normal,
    number,
    records,
    text,
)

Kind = Literal["file", "folder", "symlink", "hardlink", "device", "fifo", "other"]

# A layer of all of conda's and TeX's packages has some 300,000. Each costs 4 µs, and up to 20 where it is kept.
MAX_ENTRIES = 500_000
# One long name, or one pax header: names have at most 4 KiB, extended attributes 64 KiB each on Linux (xattr(7)).
MAX_EXTENSION = 1024 * 1024
# All of them in a layer: 400 bytes for each of the most entries, twice what times and a long path take. Small ones take
# time too, so that each counts as 128 bytes more than it has, and each of its records as 32 at least.
MAX_EXTENSIONS = 192 * 1024 * 1024
_EXTENSION_COST = 128
_RECORD_COST = 32
# Blocks that go on telling where a sparse file has its data: 21 pieces each, 40,000 in all.
_MAX_SPARSE_BLOCKS = 2000

_KINDS: dict[int, Kind] = {
    0: "file",  # before POSIX
    ord("0"): "file",
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "device",
    ord("4"): "device",
    ord("5"): "folder",
    ord("6"): "fifo",
    ord("7"): "file",  # contiguous
    ord("S"): "file",  # sparse
}
_SPARSE = ord("S")
_PAX, _GLOBAL = ord("x"), ord("g")
_EXTENSIONS = frozenset(b"xgLK")
# With them a folder shows what another one has, or hides what lower layers have, and no entry says so (Linux,
# Documentation/filesystems/overlayfs.rst). Runtimes set what attributes they are given; tools that write layers leave
# these out.
_OVERLAY = (b"SCHILY.xattr.trusted.overlay.", b"SCHILY.xattr.user.overlay.")
_SPARSE_VERSIONS = {(b"1", b"0"), (b"0", b"1"), (b"0", b"0")}


class Entry:
    """One entry of a tar; valid until the next one is asked for.

    Attributes:
        name: normalised, without leading `./` and trailing slash; empty for the root.
        kind: `other` for types that no runtime unpacks.
        size: bytes of a file as it would be unpacked; 0 for all else.
        link: the target of a link; a hard link's is normalised like a name, a symbolic one's is as written.
        sparse: a file with holes; it cannot be read.
    """

    # Not a frozen dataclass: making one of those takes longer than all else that is done for an entry.
    __slots__ = ("_stream", "kind", "link", "name", "size", "sparse")

    def __init__(
        self, stream: Blocks, name: str, kind: Kind, size: int, link: str, *, sparse: bool
    ) -> None:
        self._stream = stream
        self.name = name
        self.kind = kind
        self.size = size
        self.link = link
        self.sparse = sparse

    def read(self, limit: int) -> bytes:
        """Read a file's content, once. Raises BadContent where it is larger than `limit`, sparse or cut off."""
        if self.size > limit:
            raise self.fault(f"has {self.size} bytes, more than the {limit} that are read of it")
        if self.sparse:
            raise self.fault("is stored as a sparse file, with holes, which are not read")
        try:
            return self._stream.body()
        except Malformed as fault:
            raise self._stream.unreadable(fault) from fault

    def fault(self, clause: str) -> BadContent:
        """Make the error that says what is wrong with this entry."""
        return self._stream.fault(f"{_shown(self.name)} {clause}")


class _Extensions:
    """What headers before an entry say of it: at most a GNU long name and a long link, or a pax header."""

    __slots__ = ("link", "name", "pax", "seen")

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.name: bytes | None = None
        self.link: bytes | None = None
        self.pax: dict[bytes, bytes] = {}

    def add(self, flag: int, data: bytes) -> None:
        if flag == _GLOBAL:
            records(data)  # it must be well-formed, and says nothing of entries
            return
        if flag in self.seen or (self.seen and _PAX in {flag, *self.seen}):
            raise Malformed("an entry has more than one long name or pax header")
        self.seen.add(flag)
        if flag == _PAX:
            self.pax = records(data)
            if any(key.startswith(_OVERLAY) for key in self.pax):
                raise Malformed("an entry has attributes that are for overlay file systems alone")
        elif flag == ord("L"):
            self.name = text(data)
        else:
            self.link = text(data)

    @property
    def sparse(self) -> bool:
        """Whether the entry is a file with holes, in one of pax's formats or one that is not known."""
        return any(key.startswith(b"GNU.sparse.") for key in self.pax)

    def sparse_name(self, name: bytes) -> bytes:
        """Give the name that a sparse file has unpacked. Raises Malformed."""
        real = self.pax.get(b"GNU.sparse.name")
        version = (self.pax.get(b"GNU.sparse.major"), self.pax.get(b"GNU.sparse.minor"))
        known = version in _SPARSE_VERSIONS or (
            version == (None, None) and b"GNU.sparse.map" in self.pax
        )
        if real is not None and not known:
            raise Malformed("a sparse file's name stands in a header of unknown format")
        return name if real is None else real

    def sparse_size(self, size: int) -> int:
        """Give the size that a sparse file has unpacked. Raises Malformed."""
        real = self.pax.get(b"GNU.sparse.size") or self.pax.get(b"GNU.sparse.realsize")
        return size if real is None else decimal(real)


_NOTHING = _Extensions()


def entries(chunks: Iterable[bytes], where: str) -> Iterator[Entry]:
    """Read a tar; the chunks are read to their end, where they bring errors of their own.

    `where` begins the messages. Raises BadContent: it is no tar, cut off, too large in one of its parts, or an entry
    has a name that leads elsewhere; entries before that were given out.
    """
    stream = Blocks(chunks, where)
    try:
        yield from _entries(stream)
    except Malformed as fault:
        raise stream.unreadable(fault) from fault


def _entries(stream: Blocks) -> Iterator[Entry]:
    extensions, pending, extended, count = _NOTHING, 0, 0, 0
    while (block := stream.header()) is not None:
        check_sum(block)
        flag = block[156]
        if flag in _EXTENSIONS:
            data = _extension(stream, block)
            extended += _EXTENSION_COST + max(len(data), _RECORD_COST * data.count(b"\n"))
            if extended > MAX_EXTENSIONS:
                raise Malformed(
                    f"its long names and pax headers count as more than {MAX_EXTENSIONS} bytes together"
                )
            if extensions is _NOTHING:
                extensions = _Extensions()
            extensions.add(flag, data)
            pending += flag != _GLOBAL
            continue
        count += 1
        if count > MAX_ENTRIES:
            raise Malformed(
                f"it has more than {MAX_ENTRIES} entries, the most that are read of a layer"
            )
        yield _entry(stream, block, extensions)
        stream.finish_body()
        extensions, pending = _NOTHING, 0
    if pending:
        raise Malformed("it is cut off behind a long name or a pax header")
    stream.drain()


def _extension(stream: Blocks, block: bytes) -> bytes:
    size = number(block[124:136])
    if size > MAX_EXTENSION:
        raise Malformed(
            f"a long name or pax header has {size} bytes, and at most {MAX_EXTENSION} are read"
        )
    stream.set_body(size)
    data = stream.body()
    stream.finish_body()
    return data


def _entry(stream: Blocks, block: bytes, extensions: _Extensions) -> Entry:
    flag = block[156]
    kind = _KINDS.get(flag, "other")
    size = number(block[124:136])
    raw_name, raw_link, sparse = full_name(block), b"", flag == _SPARSE
    if kind in {"hardlink", "symlink"}:
        raw_link = text(block[157:257])
    real_size = _old_sparse_size(stream, block) if sparse else None
    if extensions is not _NOTHING:
        pax = extensions.pax
        raw_name = extensions.name or pax.get(b"path", raw_name)
        raw_link = extensions.link or pax.get(b"linkpath", raw_link)
        size = decimal(pax[b"size"]) if b"size" in pax else size
        if extensions.sparse:
            if sparse or kind != "file":
                raise Malformed("a pax header tells of a sparse file where there is none")
            sparse, raw_name = True, extensions.sparse_name(raw_name)
            real_size = extensions.sparse_size(size)
    if flag == 0 and raw_name.endswith(b"/"):
        kind = "folder"  # before POSIX there was no other way to say so
    stream.set_body(size if kind in {"file", "other"} else 0)
    name, link = _names(kind, raw_name, raw_link)
    shown_size = (size if real_size is None else real_size) if kind == "file" else 0
    return Entry(stream, name, kind, shown_size, link, sparse=sparse)


def _names(kind: Kind, raw_name: bytes, raw_link: bytes) -> tuple[str, str]:
    name = _normal(decode(raw_name), "")
    if not name and kind != "folder":
        raise Malformed("an entry that is no folder has no name")
    if kind == "symlink":
        return name, decode(raw_link)
    if kind == "hardlink":
        return name, _normal(decode(raw_link), f"{_shown(name)} is a hard link to ")
    return name, ""


def _normal(name: str, before: str) -> str:
    try:
        return normal(name)
    except Malformed as fault:
        raise Malformed(f"{before}{_shown(name)}: {fault}") from fault


def _old_sparse_size(stream: Blocks, block: bytes) -> int:
    """Read past the blocks that tell where the data belongs, and give the size that the file has."""
    if not is_gnu(block):
        raise Malformed("a sparse file is not of GNU tar's format")
    count, more = 0, block[482]
    while more:
        count += 1
        if count > _MAX_SPARSE_BLOCKS:
            raise Malformed(f"a sparse file has more than {_MAX_SPARSE_BLOCKS} blocks of places")
        more = stream.take(BLOCK)[504]
    return number(block[483:495])


def _shown(name: str) -> str:
    return f"'{cut(name, 100)}'"
