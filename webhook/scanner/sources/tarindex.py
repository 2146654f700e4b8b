"""Where the members of a tar file lie, by one pass over its headers; nothing is unpacked.

Headers of POSIX ustar and pax, and GNU's long names, are read (pax(1); GNU tar manual, Basic Tar Format). Python's
tarfile is not used: it holds whole extended headers in memory, of whatever size they say, and matches them with
expressions that take quadratic time (CVE-2024-6232 in the Python that Debian 12 has).
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook.core.reference import quoted
from webhook.scanner.errors import BadContent
from webhook.scanner.sources.localfile import LocalFile

_BLOCK = 512
# 1000 layers in Docker's old layout are a folder and three files each; what is more is no image.
_MEMBERS_LIMIT = 10_000
_NAME_LIMIT = 4096 + 1  # Linux, PATH_MAX, and a NUL
_PAX_LIMIT = 2 * _NAME_LIMIT + 1024  # a path and a link's, times and names of users
_HOPS_LIMIT = 8  # old layouts have one link to a layer, never a link to a link

_FILE, _HARD_LINK, _LINK, _CONTIGUOUS = "0", "1", "2", "7"
# Links, devices, folders, FIFOs: no bytes follow, whatever size is stated (Go, archive/tar, isHeaderOnlyType).
_EMPTY = frozenset("123456")
_LONG_NAME, _LONG_LINK, _PAX, _GLOBAL_PAX, _SPARSE = "L", "K", "x", "g", "S"
_DIGITS = {8: re.compile(rb"[0-7]{1,12}"), 10: re.compile(rb"[0-9]{1,20}")}
_COMPRESSED = {
    b"\x1f\x8b": "gunzip",
    b"\x28\xb5\x2f\xfd": "unzstd",
    b"\xfd7zXZ\x00": "unxz",
    b"BZh": "bunzip2",
}


@dataclass(frozen=True, slots=True)
class Span:
    """Where a member's bytes lie in the file."""

    offset: int
    size: int


class TarIndex:
    """The regular files of a tar file, by normalised name, and the links to them.

    Raises:
        BadContent: it is no tar, is compressed, ends too early, has a name twice or more than 10,000 members.
        SourceError: it cannot be read.
    """

    def __init__(self, file: LocalFile, where: str) -> None:
        self._where = where
        self._files: dict[str, Span] = {}
        self._links: dict[str, str] = {}
        for member in _members(file, where):
            self._add(member)

    def find(self, name: str) -> Span | None:
        """Give where a file lies, through links within the archive; None where there is none. Raises BadContent."""
        path = posixpath.normpath(name)
        for _ in range(_HOPS_LIMIT):
            if path in self._files:
                return self._files[path]
            if path not in self._links:
                return None
            path = self._links[path]
        raise BadContent(f"{self._where}: {quoted(name)} is a link to links: save the image anew")

    def _add(self, member: "_Member") -> None:
        path = posixpath.normpath(member.name)
        if member.kind in {_FILE, _CONTIGUOUS}:
            self._check_new(path)
            self._files[path] = member.span
        elif member.kind == _LINK:
            self._check_new(path)
            self._links[path] = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), member.link)
            )
        elif member.kind == _HARD_LINK:
            self._check_new(path)
            self._links[path] = posixpath.normpath(member.link)

    def _check_new(self, path: str) -> None:
        # Of two, Docker takes the last and podman the first.
        if path in self._files or path in self._links:
            raise BadContent(
                f"{self._where}: the archive holds {quoted(path)} twice: save the image anew"
            )


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    kind: str
    span: Span
    link: str


def _members(file: LocalFile, where: str) -> Iterator[_Member]:
    offset, count = 0, 0
    longer: dict[str, str] = {}
    while offset < file.size:
        block = file.read(offset, min(_BLOCK, file.size - offset)).ljust(_BLOCK, b"\0")
        if not any(block):
            return
        member = _header(block, offset, longer, where)
        if member.span.offset + member.span.size > file.size:
            raise BadContent(
                f"{where}: the archive ends within {quoted(member.name)}: copy it anew"
            )
        count += 1
        if count > _MEMBERS_LIMIT:
            raise BadContent(
                f"{where}: the archive has more than {_MEMBERS_LIMIT} members, as no image has: "
                "name what docker save or podman save wrote"
            )
        found = _longer(file, member, where)
        if found is None:
            yield member
        elif longer.keys() & found.keys():
            # Of two, Go takes a long name of GNU's, whichever comes first.
            raise BadContent(f"{where}: the archive names a member twice: save it anew")
        longer = {} if found is None else {**longer, **found}
        offset = member.span.offset + -(-member.span.size // _BLOCK) * _BLOCK


def _header(block: bytes, offset: int, longer: Mapping[str, str], where: str) -> _Member:
    _check_sum(block, offset, where)
    name, prefix = _text(block[:100]), _text(block[345:500])
    if block[257:263] == b"ustar\0" and prefix:
        name = f"{prefix}/{name}"
    name = longer.get("path", name)
    kind = _kind(chr(block[156]), name)
    size = _size(block[124:136], longer.get("size"), where)
    return _Member(
        name=name,
        kind=kind,
        span=Span(offset + _BLOCK, 0 if kind in _EMPTY else size),
        link=longer.get("linkpath", _text(block[157:257])),
    )


def _kind(flag: str, name: str) -> str:
    if flag not in {_FILE, "\0"}:
        return flag
    # Before ustar a trailing slash told a folder.
    return "5" if name.endswith("/") else _FILE


def _check_sum(block: bytes, offset: int, where: str) -> None:
    told = block[148:156].strip(b" \0")
    counted = sum(block) - sum(block[148:156]) + 8 * ord(" ")
    if _DIGITS[8].fullmatch(told) and int(told, 8) == counted:
        return
    cure = next((f"run {run}" for magic, run in _COMPRESSED.items() if block.startswith(magic)), "")
    if offset == 0 and cure:
        raise BadContent(f"{where}: the archive is compressed: {cure} on it first")
    raise BadContent(
        f"{where}: it is no tar archive, or broken at byte {offset}: "
        "name what docker save or podman save wrote"
    )


def _size(field: bytes, longer: str | None, where: str) -> int:
    if longer is None and field[0] == 0x80:  # GNU: base 256, for what octal digits cannot hold
        return int.from_bytes(field[1:])
    digits, base = (
        (field.strip(b" \0"), 8)
        if longer is None
        else (longer.encode(errors="surrogateescape"), 10)
    )
    if _DIGITS[base].fullmatch(digits):
        return int(digits, base)
    raise BadContent(f"{where}: the archive has a member of no known size: save it anew")


def _longer(file: LocalFile, member: _Member, where: str) -> dict[str, str] | None:
    """Give what a member says of the next one; None where it is one itself."""
    if member.kind in {_LONG_NAME, _LONG_LINK}:
        key = "path" if member.kind == _LONG_NAME else "linkpath"
        return {key: _text(_bounded(file, member, _NAME_LIMIT, where))}
    if member.kind == _PAX:
        return _records(_bounded(file, member, _PAX_LIMIT, where), where)
    if member.kind == _GLOBAL_PAX:
        found = _records(_bounded(file, member, _PAX_LIMIT, where), where)
        if found:
            raise BadContent(f"{where}: the archive renames all its members: save it anew")
        return found
    if member.kind == _SPARSE:
        raise BadContent(f"{where}: the archive has sparse members: save it anew with docker save")
    return None


def _bounded(file: LocalFile, member: _Member, limit: int, where: str) -> bytes:
    if member.span.size > limit:
        raise BadContent(
            f"{where}: the archive has a header of {member.span.size} bytes, more than the {limit} "
            "that are read: save it anew"
        )
    return file.read(member.span.offset, member.span.size)


def _records(data: bytes, where: str) -> dict[str, str]:
    """Read pax records, `LENGTH KEY=VALUE` and a newline; those that say what a member is."""
    found: dict[str, str] = {}
    start = 0
    while start < len(data):
        length = data[start : start + 20].partition(b" ")[0]
        end = start + int(length) if _DIGITS[10].fullmatch(length) else start
        key, equals, value = data[start + len(length) + 1 : end].partition(b"=")
        if end > len(data) or not equals or not value.endswith(b"\n"):
            raise BadContent(f"{where}: the archive has a broken pax header: save it anew")
        if key.startswith(b"GNU.sparse."):
            raise BadContent(f"{where}: the archive has sparse members: save it anew")
        if key in {b"path", b"linkpath", b"size"}:
            found[key.decode()] = value[:-1].decode(errors="surrogateescape")
        start = end
    return found


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode(errors="surrogateescape")
