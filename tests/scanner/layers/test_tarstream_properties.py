import tarfile
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.scanner.layers.tars import (
    END,
    TYPES,
    Format,
    Member,
    cut_into,
    extension,
    file,
    header,
    padded,
    read_all,
    record,
    special,
    tar,
)
from webhook.scanner.errors import BadContent
from webhook.scanner.layers.tarstream import Kind

# No surrogates, for they are no UTF-8; no NUL and no slash, for they are no part of a name.
LETTERS = st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/")
PARTS = st.text(LETTERS, min_size=1, max_size=60).filter(lambda part: part not in {".", ".."})
NAMES = st.lists(PARTS, min_size=1, max_size=8).map("/".join)
# What ustar can write: what is longer than its 100 bytes it refuses.
SHORT = st.text(LETTERS, min_size=1, max_size=20).filter(lambda part: part not in {".", ".."})
LINKS: tuple[Kind, ...] = ("symlink", "hardlink")
OTHERS: tuple[Kind, ...] = ("folder", "device", "fifo")
CONTENT = st.binary(max_size=1300)


def members(names: st.SearchStrategy[str]) -> st.SearchStrategy[list[Member]]:
    one = (
        st.builds(file, names, CONTENT)
        | st.builds(special, st.sampled_from(LINKS), names, names)
        | st.builds(special, st.sampled_from(OTHERS), names)
    )
    return st.lists(one, max_size=6)


def as_seen(member: Member) -> tuple[str, Kind, int, str, bytes | None]:
    info, data = member
    kind: Kind = next((kind for kind, flag in TYPES.items() if flag == info.type), "file")
    content = data if kind == "file" else None
    return info.name, kind, info.size, info.linkname, content


ARCHIVES = st.one_of(
    st.tuples(members(NAMES), st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])),
    st.tuples(members(SHORT), st.just(tarfile.USTAR_FORMAT)),
)


@given(archive=ARCHIVES, size=st.sampled_from([1, 7, 511, 512, 513, 4096, 1 << 20]))
def test_what_tarfile_writes_is_read_equally_however_it_is_cut(
    archive: tuple[list[Member], Format], size: int
) -> None:
    written, chosen = archive
    data = tar(*written, format=chosen)
    assert read_all(cut_into(data, size)) == [as_seen(member) for member in written]


RICH = (
    header(b"a", size=700)
    + padded(b"x" * 700)
    + header(b"b", flag=b"2", link=b"a")
    + extension(b"L", b"long/" * 40 + b"name\0")
    + header(b"short", size=5)
    + padded(b"12345")
    + extension(b"x", record("path", "pax/" * 50) + record("size", "3"))
    + header(b"short")
    + padded(b"123")
    + extension(b"x", record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0"))
    + header(b"sparse", size=512)
    + bytes(512)
    + header(b"old", size=0, flag=b"S", magic=b"ustar  \0", rest=bytes(96) + b"\1")
    + bytes(512)
    + END
)


def test_the_archive_that_is_mutated_is_whole() -> None:
    assert len(read_all([RICH])) == 6


@settings(max_examples=400)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(RICH) - 1), st.binary(max_size=12)), max_size=4),
    start=st.integers(0, 2) | st.integers(0, len(RICH)),
    size=st.sampled_from([1, 100, 512, 1 << 20]),
)
@example(changes=[], start=0, size=1)
def test_any_bytes_give_entries_or_bad_content_and_chunks_change_nothing(
    changes: list[tuple[int, bytes]], start: int, size: int
) -> None:
    data = bytearray(RICH)
    for position, new in changes:
        data[position : position + len(new)] = new
    mutated = bytes(data[start:])
    assert outcome(mutated, size) == outcome(mutated, len(mutated) or 1)


@settings(max_examples=400)
@given(
    pax=st.binary(max_size=60) | st.lists(st.sampled_from(RECORDS := [
        record("path", "a/b"), record("path", "../a"), record("size", "3"), record("size", "x"),
        record("linkpath", "/x"), record("GNU.sparse.map", "0,1"), record("GNU.sparse.size", "9"),
        record("GNU.sparse.major", "0"), record("GNU.sparse.name", "/y"), b"8 a=b\n", b"\n",
    ]), max_size=4).map(b"".join),
    flags=st.lists(st.sampled_from([b"x", b"g", b"L", b"K"]), max_size=3),
    flag=st.integers(0, 255).map(lambda byte: bytes([byte])),
    size=st.sampled_from([0, 1, 3, 512, 1 << 30]),
    name=st.binary(max_size=100),
)  # fmt: skip
def test_headers_of_any_content_give_entries_or_bad_content(
    pax: bytes, flags: list[bytes], flag: bytes, size: int, name: bytes
) -> None:
    data = b"".join(extension(kind, pax) for kind in flags)
    data += header(name, flag=flag, size=size) + padded(b"abc") + header(b"next") + END
    assert outcome(data, 1 << 20) == outcome(data, 100)


def outcome(data: bytes, size: int) -> object:
    """Give what is read, or the error; other exceptions are failures."""
    with suppress(BadContent):
        return read_all(cut_into(data, size))
    return "refused"
