import io
import os
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.scanner.sources.tars import BLOCK, END, header, member, tar_of, write
from webhook.scanner.errors import BadContent
from webhook.scanner.sources.localfile import LocalFile
from webhook.scanner.sources.tarindex import Span, TarIndex

DEEP = "/".join(["folder"] * 60) + "/layer.tar"  # longer than a header's own fields hold


def _index(folder: Path, data: bytes) -> TarIndex:
    file = LocalFile(write(folder / "a.tar", data), "docker-archive:a.tar")
    try:
        return TarIndex(file, "docker-archive:a.tar")
    finally:
        file.close()


def _refused(folder: Path, data: bytes, fault: str) -> None:
    with pytest.raises(BadContent, match=f"^docker-archive:a.tar: .*{fault}") as caught:
        _index(folder, data)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_files_are_found_where_they_lie_in_every_format(tmp_path: Path, kind: int) -> None:
    members = {"manifest.json": b"[]", "a" * 90 + "/" + "b" * 90: b"x" * 513, "empty": b""}
    if kind != tarfile.USTAR_FORMAT:
        members[DEEP] = b"deep"
    data = tar_of(members, kind)
    index = _index(tmp_path, data)
    for name, content in members.items():
        span = index.find(name)
        assert span is not None
        assert data[span.offset : span.offset + span.size] == content
    assert index.find("other") is None


def test_names_are_compared_normalised(tmp_path: Path) -> None:
    index = _index(tmp_path, member(b"./a//b", b"x") + END)
    assert index.find("a/b") == index.find("a/./b") == Span(BLOCK, 1)


def test_links_are_followed_from_where_they_stand(tmp_path: Path) -> None:
    data = (
        member(b"one/layer.tar", b"", b"2", b"../two/layer.tar")
        + member(b"two/layer.tar", b"x")
        + member(b"hard", b"", b"1", b"two/layer.tar")
        + member(b"out", b"", b"2", b"../../etc/passwd")
        + member(b"absolute", b"", b"2", b"/etc/passwd")
        + END
    )
    index = _index(tmp_path, data)
    assert index.find("one/layer.tar") == index.find("hard") == index.find("two/layer.tar")
    assert index.find("hard") is not None
    assert index.find("out") is None
    assert index.find("absolute") is None


def test_long_link_targets_are_read(tmp_path: Path) -> None:
    for kind in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        out = io.BytesIO(tar_of({DEEP: b"deep"}, kind))
        with tarfile.open(fileobj=out, mode="a", format=kind) as archive:
            link = tarfile.TarInfo("link")
            link.type, link.linkname = tarfile.SYMTYPE, DEEP
            archive.addfile(link)
        index = _index(tmp_path, out.getvalue())
        assert index.find("link") == index.find(DEEP) is not None


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    data = member(b"a", b"", b"2", b"b") + member(b"b", b"", b"2", b"a") + END
    with pytest.raises(BadContent, match="'a' is a link to links"):
        _index(tmp_path, data).find("a")


@pytest.mark.parametrize("kind", [b"1", b"2", b"3", b"4", b"5", b"6"])
def test_what_is_no_file_is_not_found_and_has_no_bytes(tmp_path: Path, kind: bytes) -> None:
    strange = header(b"strange", b"00000001000", kind, b"nowhere")
    index = _index(tmp_path, strange + member(b"after", b"x") + header(b"old/") + END)
    assert index.find("strange") is None
    assert index.find("old") is None
    assert index.find("after") == Span(2 * BLOCK, 1)


def test_a_long_name_and_a_long_target_belong_to_the_same_member(tmp_path: Path) -> None:
    data = (
        member(b"l", b"a" * 200, b"L")
        + member(b"k", b"b" * 200, b"K")
        + header(b"short", kind=b"2", link=b"short")
        + member(b"c", b"x")
        + member(b"l", b"b" * 200 + b"\0", b"L")
        + member(b"short", b"y")
        + END
    )
    index = _index(tmp_path, data)
    assert index.find("a" * 200) == index.find("b" * 200) is not None
    assert index.find("c") is not None


def test_an_archive_that_ends_within_a_header_is_refused(tmp_path: Path) -> None:
    # What is cut off is zeros, so that the checksum holds.
    whole = header(b"a", kind=b"\0", magic=b"")
    assert _index(tmp_path, whole + END).find("a") is not None
    _refused(tmp_path, whole[:156], "ends within 'a'")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for second in (
        member(b"./a", b"y"),
        member(b"a", b"", b"2", b"b"),
        member(b"a", b"", b"1", b"b"),
    ):
        _refused(tmp_path, member(b"a", b"x") + second + END, "holds 'a' twice: save")


@pytest.mark.parametrize(
    ("start", "cure"),
    [
        (b"\x1f\x8b", "run gunzip on it first"),
        (b"\x28\xb5\x2f\xfd", "run unzstd on it first"),
        (b"\xfd7zXZ\x00", "run unxz on it first"),
        (b"BZh9", "run bunzip2 on it first"),
        (b"PK\x03\x04", "it is no tar archive, or broken at byte 0"),
        (b"<html>", "it is no tar archive"),
    ],
)
def test_what_is_no_plain_tar_is_refused_with_the_cure(
    tmp_path: Path, start: bytes, cure: str
) -> None:
    _refused(tmp_path, start.ljust(1024, b"x"), cure)


def test_a_broken_header_later_on_is_named_by_its_place(tmp_path: Path) -> None:
    broken = bytearray(header(b"b"))
    broken[0] ^= 1
    _refused(tmp_path, member(b"a", b"x") + broken + END, "broken at byte 1024")


@pytest.mark.parametrize("size", [b"\x80" + b"\xff" * 11, b"77777777777", b"00000001001"])
def test_a_member_that_is_larger_than_the_file_is_refused(tmp_path: Path, size: bytes) -> None:
    _refused(tmp_path, header(b"a\n", size) + bytes(512), r"ends within 'a\\n': copy it anew")


@pytest.mark.parametrize(
    "size", [b"-0000000001", b"00000000009", b"\xff" * 12, b"0x10", b"\0" * 12]
)
def test_a_member_of_no_size_is_refused(tmp_path: Path, size: bytes) -> None:
    _refused(tmp_path, header(b"a", size) + END, "a member of no known size")


def test_a_size_in_base_256_is_read(tmp_path: Path) -> None:
    data = header(b"a", b"\x80" + (3).to_bytes(11)) + b"xyz".ljust(BLOCK, b"\0") + END
    assert _index(tmp_path, data).find("a") == Span(BLOCK, 3)


def test_a_size_in_a_pax_header_counts(tmp_path: Path) -> None:
    pax = member(b"p", b"10 size=3\n", b"x")
    data = pax + header(b"a") + b"xyz".ljust(BLOCK, b"\0") + member(b"b", b"y") + END
    index = _index(tmp_path, data)
    assert index.find("a") == Span(3 * BLOCK, 3)
    assert index.find("b") is not None


@pytest.mark.parametrize(
    "records",
    [
        b"10 size=-3",
        b"99 path=x\n",
        b"0 path=x\n",
        b"x path=x\n",
        b"7 path\n",
        b"path=x\n",
        b"9 path=x",
    ],
)
def test_a_broken_pax_header_is_refused(tmp_path: Path, records: bytes) -> None:
    data = member(b"p", records, b"x") + member(b"a", b"x") + END
    _refused(tmp_path, data, "(broken pax header|no known size)")


def test_a_pax_size_that_is_no_number_is_refused(tmp_path: Path) -> None:
    for size in (b"-1", b"9" * 21, "٣".encode(), b"1e3"):
        record = b" size=" + size + b"\n"
        pax = member(b"p", b"%d" % (len(record) + 2) + record, b"x")
        _refused(tmp_path, pax + member(b"a", b"x") + END, "no known size")


def test_extended_headers_are_bounded(tmp_path: Path) -> None:
    for kind in (b"x", b"g", b"L", b"K"):
        big = member(b"p", b"x" * 20_000, kind)
        _refused(tmp_path, big + member(b"a", b"x") + END, "has a header of 20000 bytes, more than")


def test_an_extended_header_for_all_members_must_not_rename_them(tmp_path: Path) -> None:
    _refused(tmp_path, member(b"g", b"9 path=x\n", b"g") + member(b"a", b"x") + END, "renames all")
    comment = member(b"g", b"14 comment=abc\n"[:15].replace(b"14", b"15"), b"g")
    assert _index(tmp_path, comment + member(b"a", b"x") + END).find("a") is not None


def test_sparse_members_are_refused(tmp_path: Path) -> None:
    _refused(tmp_path, member(b"a", b"x", b"S") + END, "sparse")
    pax = member(b"p", b"22 GNU.sparse.major=1\n", b"x")
    _refused(tmp_path, pax + member(b"a", b"x") + END, "sparse")


def test_an_archive_of_more_members_than_an_image_has_is_refused_in_time(tmp_path: Path) -> None:
    many = b"".join(header(b"%d" % number) for number in range(10_000))
    assert _index(tmp_path, many + END).find("9999") is not None
    start = time.monotonic()
    _refused(tmp_path, many * 10 + END, "(more than 10000 members|twice)")
    _refused(tmp_path, many + header(b"more") + END, "more than 10000 members")
    _refused(tmp_path, member(b"p", b"", b"x") * 20_000 + END, "more than 10000 members")
    assert time.monotonic() - start < 5


def test_a_hole_of_many_gigabytes_is_passed_over_not_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", header(b"big", b"\x80" + (100 * 1024**3).to_bytes(11)))
    os.truncate(path, BLOCK + 100 * 1024**3)
    with path.open("ab") as file:
        file.write(member(b"after", b"x") + END)
    start = time.monotonic()
    file_ = LocalFile(path, "docker-archive:a.tar")
    assert TarIndex(file_, "docker-archive:a.tar").find("after") is not None
    file_.close()
    assert time.monotonic() - start < 2


def test_an_empty_file_holds_nothing(tmp_path: Path) -> None:
    assert _index(tmp_path, b"").find("manifest.json") is None


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.binary(min_size=1, max_size=12)), min_size=1, max_size=4
    )
)
def test_any_change_of_an_archive_gives_an_index_or_bad_content(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, bytes]]
) -> None:
    data = bytearray(tar_of({"manifest.json": b"[]", DEEP: b"deep"}))
    for offset, piece in changes:
        data[offset : offset + len(piece)] = piece
    try:
        _index(tmp_path_factory.getbasetemp(), bytes(data))
    except BadContent as error:
        message = str(error)
    else:
        message = ""
    assert message.isprintable()


@pytest.mark.parametrize("turned", [False, True])
def test_a_member_that_is_named_twice_is_refused(tmp_path: Path, *, turned: bool) -> None:
    # Go takes the long name of GNU's, whichever comes first.
    long, pax = member(b"long", b"a.tar\0", b"L"), member(b"pax", b"14 path=b.tar\n", b"x")
    both = pax + long if turned else long + pax
    _refused(tmp_path, both + member(b"x", b"") + END, "names a member twice")
    assert _index(tmp_path, long + member(b"x", b"") + END).find("a.tar") is not None
