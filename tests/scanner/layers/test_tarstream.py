import io
import itertools
import tarfile
from collections.abc import Iterator

import pytest

from tests.scanner.layers.tars import (
    END,
    FORMATS,
    ZEROS,
    Format,
    cut_into,
    device_like,
    extension,
    file,
    folder,
    hardlink,
    header,
    names,
    padded,
    read_all,
    record,
    signed,
    symlink,
    tar,
)
from webhook.scanner.errors import BadContent
from webhook.scanner.layers import tarstream
from webhook.scanner.layers.tarstream import Kind, entries


def refusal(data: bytes) -> str:
    with pytest.raises(BadContent) as caught:
        read_all([data])
    message = str(caught.value)
    assert message.startswith("layer x: ")
    assert message.isprintable()
    assert len(message) < 400
    return message


@pytest.mark.parametrize("format_", FORMATS)
def test_every_kind_of_entry_is_read(format_: Format) -> None:
    data = tar(
        folder("etc"),
        file("etc/passwd", b"root:x:0:0"),
        symlink("etc/mtab", "../proc/mounts"),
        hardlink("etc/shadow-", "etc/passwd"),
        *device_like(),
        format=format_,
    )
    assert read_all([data]) == [
        ("etc", "folder", 0, "", None),
        ("etc/passwd", "file", 10, "", b"root:x:0:0"),
        ("etc/mtab", "symlink", 0, "../proc/mounts", None),
        ("etc/shadow-", "hardlink", 0, "etc/passwd", None),
        ("dev/null", "device", 0, "", None),
        ("dev/pipe", "fifo", 0, "", None),
    ]


@pytest.mark.parametrize("flag", [b"\0", b"0", b"7"])
def test_files_of_every_age_are_read(flag: bytes) -> None:
    data = header(b"a", size=3, flag=flag) + padded(b"abc") + END
    assert read_all([data]) == [("a", "file", 3, "", b"abc")]


def test_a_v7_folder_is_told_by_its_slash() -> None:
    data = (
        header(b"a/", flag=b"\0", magic=b"\0" * 8)
        + header(b"a/b", flag=b"\0", magic=b"\0" * 8)
        + END
    )
    assert [seen[:2] for seen in read_all([data])] == [("a", "folder"), ("a/b", "file")]


def test_a_prefix_counts_in_posix_headers_only() -> None:
    # GNU tar keeps times there.
    gnu = header(b"a", magic=b"ustar  \0", prefix=b"14000000000")
    v7 = header(b"b", magic=b"\0" * 8, prefix=b"p")
    assert names(header(b"name", prefix=b"long/prefix") + gnu + v7 + END) == [
        "long/prefix/name",
        "a",
        "b",
    ]


def test_a_prefix_of_star_ends_before_its_times() -> None:
    star = header(b"name", prefix=b"p" * 131 + b"00000000000 00000000000 ", trailer=b"tar\0")
    assert names(star + END) == ["p" * 131 + "/name"]


def test_a_size_in_base_256_is_read() -> None:
    big = header(b"a", size=0)
    data = (
        signed(big[:124] + b"\x80" + (5).to_bytes(11, "big") + big[136:]) + padded(b"12345") + END
    )
    assert read_all([data]) == [("a", "file", 5, "", b"12345")]


@pytest.mark.parametrize(
    "field",
    [
        b"\xff" * 12,
        b"-0000000005\0",
        b"0000000_005\0",
        b"00000000o05\0",
        b"00000000009\0",
        b"1 2        \0",
    ],
)
def test_what_python_would_take_for_a_number_or_not_is_no_size(field: bytes) -> None:
    block = header(b"a")
    assert "number is" in refusal(signed(block[:124] + field + block[136:]) + END)


@pytest.mark.parametrize(
    "field",
    [b"5\0          ", b"          5 ", b"00000000005 ", b"000000000005", b"5\0garbage\0\0\0"],
)
def test_sizes_may_be_padded_in_every_way_that_tars_have(field: bytes) -> None:
    block = header(b"a")
    data = signed(block[:124] + field + block[136:]) + padded(b"12345") + END
    assert read_all([data]) == [("a", "file", 5, "", b"12345")]


def test_a_checksum_over_signed_bytes_is_right_too() -> None:
    block = header("ü".encode())
    blank = block[:148] + b" " * 8 + block[156:]
    signed_sum = sum(byte - 256 if byte > 127 else byte for byte in blank)
    data = block[:148] + b"%06o\0 " % signed_sum + block[156:] + END
    assert names(data) == ["ü"]


def test_any_changed_byte_of_a_header_is_noticed() -> None:
    block = header(b"some/name", size=0)
    for position in itertools.chain(range(148), range(148, 154), range(156, 512)):
        changed = bytearray(block)
        changed[position] ^= 1
        assert "checksum" in refusal(bytes(changed) + END) or position in range(148, 154)


def test_gnu_long_names_and_links_win_over_the_header_for_one_entry_only() -> None:
    long, target = b"d/" * 90 + b"long", b"t/" * 90 + b"target"
    data = (
        extension(b"K", target + b"\0")
        + extension(b"L", long + b"\0")
        + header(b"short", flag=b"2", link=b"short")
        + header(b"next", flag=b"2", link=b"own")
        + END
    )
    links = [("d/" * 90 + "long", "t/" * 90 + "target"), ("next", "own")]
    assert [(seen[0], seen[3]) for seen in read_all([data])] == links


@pytest.mark.parametrize("flags", ["xx", "LL", "KK", "Lx", "xL", "Kx", "xK", "LKL", "LKx", "xgx"])
def test_headers_of_which_readers_would_choose_different_ones_are_refused(flags: str) -> None:
    contents = {"L": b"l", "K": b"k", "x": record("a", "b"), "g": b""}
    extensions = (extension(flag.encode(), contents[flag]) for flag in flags)
    assert "more than one long name or pax" in refusal(b"".join(extensions) + header(b"a") + END)


def test_pax_records_win_over_the_header_for_one_entry_only() -> None:
    data = (
        extension(b"x", record("path", "ä" * 200) + record("size", "5") + record("mtime", "1.5"))
        + header(b"a", size=0)
        + padded(b"12345")
        + header(b"b")
        + END
    )
    assert [seen[:3] for seen in read_all([data])] == [("ä" * 200, "file", 5), ("b", "file", 0)]


def test_an_empty_pax_value_is_none_and_the_last_of_equal_keys_wins() -> None:
    empty = extension(b"x", record("path", "")) + header(b"a")
    twice = extension(b"x", record("path", "b") + record("path", "c")) + header(b"d")
    assert names(empty + twice + END) == ["a", "c"]


def test_pax_values_may_hold_newlines_and_zeros() -> None:
    attributes = record("SCHILY.xattr.user.x", b"\0\n12 path=no\n\0")
    assert names(extension(b"x", attributes + record("path", "a\nb")) + header(b"c") + END) == [
        "a\nb"
    ]


def test_a_global_pax_header_changes_no_entry() -> None:
    # As for runtimes: Go's archive/tar gives it out as an entry of its own, which they skip.
    assert names(
        extension(b"g", record("path", "b") + record("comment", "x")) + header(b"a") + END
    ) == ["a"]


@pytest.mark.parametrize(
    "data",
    [
        b"path=a\n",
        b"x path=a\n",
        b"99 path=a\n",
        b"9 path=ab\n",
        b"0 path=a\n",
        b"5 =a\n\n",
        b"7 path\n",
        b"999999999999999999999 a=b\n",
        b"-9 path=a\n",
        b"3 a",
    ],
)
@pytest.mark.parametrize("flag", [b"x", b"g"])
def test_broken_pax_records_are_refused(data: bytes, flag: bytes) -> None:
    assert "pax record" in refusal(extension(flag, data) + header(b"a") + END)


@pytest.mark.parametrize("size", ["-1", "1.5", "0x10", "", "9" * 30, "1_0"])
def test_a_size_that_is_none_is_refused_in_pax_too(size: str) -> None:
    data = extension(b"x", record("size", size) + record("a", "b")) + header(b"a") + END
    if size:
        assert "number in a pax header" in refusal(data)
    else:
        assert names(data) == ["a"]


def sparse_1_0(name: bytes, **changes: str) -> bytes:
    keys = {"major": "1", "minor": "0", "name": "real/name", "realsize": "1000000", **changes}
    pax = b"".join(record(f"GNU.sparse.{key}", value) for key, value in keys.items())
    return extension(b"x", pax) + header(name, size=1024) + bytes(1024)


def test_sparse_files_of_every_format_have_their_real_name_and_size() -> None:
    old_0 = (
        record("GNU.sparse.size", "77")
        + record("GNU.sparse.numblocks", "0")
        + record("GNU.sparse.map", "")
    )
    old_1 = (
        record("GNU.sparse.name", "n")
        + record("GNU.sparse.size", "78")
        + record("GNU.sparse.map", "0,1")
    )
    extended = (b"\0" * 96) + b"\1" + b"%011o\0" % 5000
    data = (
        sparse_1_0(b"GNUSparseFile.1/name")
        + extension(b"x", old_0) + header(b"a", size=1) + padded(b"x")
        + extension(b"x", old_1) + header(b"b", size=1) + padded(b"x")
        + header(b"c", size=3, flag=b"S", magic=b"ustar  \0", rest=extended)
        + bytes(504) + b"\1" + bytes(7) + ZEROS + padded(b"abc")
        + header(b"d") + END
    )  # fmt: skip
    assert [(e.name, e.size, e.sparse) for e in entries([data], "layer x")] == [
        ("real/name", 1000000, True),
        ("a", 77, True),
        ("n", 78, True),
        ("c", 5000, True),
        ("d", 0, False),
    ]


def test_a_sparse_file_is_refused_where_readers_would_disagree_on_its_name() -> None:
    # Else a scan would read another file than runtimes unpack.
    assert "unknown format" in refusal(sparse_1_0(b"etc/passwd", major="7") + END)
    alone = extension(b"x", record("GNU.sparse.name", "etc/passwd"))
    assert "unknown format" in refusal(alone + header(b"other") + END)
    assert "where there is none" in refusal(alone + header(b"other", flag=b"2", link=b"a") + END)
    old = header(b"c", flag=b"S", magic=b"ustar  \0")
    assert "where there is none" in refusal(alone + old + END)


def test_a_sparse_file_is_not_read() -> None:
    (entry,) = itertools.islice(entries([sparse_1_0(b"a") + END], "layer x"), 1)
    with pytest.raises(BadContent, match="'real/name' is stored as a sparse file"):
        entry.read(1 << 20)


def test_a_sparse_header_in_another_format_is_refused() -> None:
    assert "not of GNU tar's format" in refusal(header(b"a", flag=b"S") + END)


def test_an_endless_map_of_a_sparse_file_is_refused() -> None:
    more = bytes(504) + b"\1" + bytes(7)
    start = header(b"a", flag=b"S", magic=b"ustar  \0", rest=bytes(96) + b"\1")
    with pytest.raises(BadContent, match="more than 2000 blocks"):
        list(entries(itertools.chain([start], itertools.repeat(more)), "layer x"))


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("./a/b", "a/b"),
        ("a/", "a"),
        ("./a/", "a"),
        ("./", ""),
        (".", ""),
        ("/", ""),
        (".a", ".a"),
        ("a/.b", "a/.b"),
        ("..a/b..", "..a/b.."),
        ("a/...", "a/..."),
    ],
)
def test_names_are_normalised(written: str, read: str) -> None:
    assert names(header(written.encode(), flag=b"5") + END) == [read]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("/etc/passwd", "'/etc/passwd': its name is absolute"),
        ("//", "its name is absolute"),
        ("..", "has .. in it"),
        ("../a", "'../a': its name has .. in it"),
        ("a/../b", "has .. in it"),
        ("a/..", "has .. in it"),
        ("./../a", "has .. in it"),
        ("a//b", "is not normal"),
        ("a/./b", "is not normal"),
        ("././a", "is not normal"),
        ("a/.", "is not normal"),
        ("a//", "is not normal"),
        ("/\x1b[31m\n", "'/?[31m?': its name is absolute"),
    ],
)
@pytest.mark.parametrize("flag", [b"0", b"5", b"2"])
def test_names_that_lead_elsewhere_are_refused(name: str, words: str, flag: bytes) -> None:
    assert words in refusal(header(name.encode(), flag=flag) + END)


def test_a_file_without_a_name_is_refused() -> None:
    for name in (b"", b".", b"./", b"/"):
        assert "no name" in refusal(header(name, flag=b"0") + END)


def test_a_long_name_is_cut_in_the_message() -> None:
    assert "..." in refusal(extension(b"L", b"/" + b"x" * 3000) + header(b"a") + END)


def test_zeros_in_names_are_refused_where_they_are_not_their_end() -> None:
    assert "NUL" in refusal(extension(b"x", record("path", "a\0b")) + header(b"a") + END)
    assert "NUL" in refusal(
        extension(b"x", record("linkpath", "a\0b")) + header(b"a", flag=b"2") + END
    )
    assert names(header(b"a\0garbage") + END) == ["a"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../a", "a/../../b", "a//b"])
def test_a_hard_link_that_leads_elsewhere_is_refused_and_a_symbolic_one_is_not(target: str) -> None:
    assert "'a' is a hard link to '" in refusal(tar(hardlink("a", target)))
    assert read_all([tar(symlink("a", target))]) == [("a", "symlink", 0, target, None)]


def test_a_hard_link_is_normalised_like_a_name() -> None:
    assert read_all([tar(hardlink("a", "./b"))]) == [("a", "hardlink", 0, "b", None)]


def test_names_have_at_most_what_linux_allows() -> None:
    longest = "/".join(["a" * 255] * 16)
    assert len(longest) == 4095
    assert names(tar(file(longest + "b"))) == [longest + "b"]
    assert "4097 bytes" in refusal(tar(file(longest + "bc")))


def test_names_are_at_most_255_folders_deep() -> None:
    assert names(tar(file("a/" * 255 + "b"))) == ["a/" * 255 + "b"]
    assert "255 folders deep" in refusal(tar(file("a/" * 256 + "b")))


def test_names_that_are_no_utf_8_are_escaped() -> None:
    assert names(header(b"a\xff\xfe") + END) == ["a\\xff\\xfe"]


@pytest.mark.parametrize("flag", [b"L", b"K", b"x", b"g"])
def test_a_header_of_a_mebibyte_is_read_and_a_larger_one_refused(flag: bytes) -> None:
    limit = tarstream.MAX_EXTENSION
    fits = record("comment", "x" * (limit - 17))
    assert len(fits) == limit
    fits = b"n\0" + fits[2:] if flag in b"LK" else fits
    assert names(extension(flag, fits) + header(b"n") + END) == ["n"]
    assert "at most 1048576" in refusal(extension(flag, fits + b"\n") + header(b"n") + END)


def test_all_long_headers_together_have_a_limit() -> None:
    one = extension(b"g", record("comment", "x" * (tarstream.MAX_EXTENSION - 17)))
    count = tarstream.MAX_EXTENSIONS // tarstream.MAX_EXTENSION + 1
    with pytest.raises(BadContent, match="more than 201326592 bytes"):
        list(entries(itertools.repeat(one, count), "layer x"))


def test_half_a_million_entries_are_read_and_more_refused() -> None:
    thousand = header(b"a") * 1000
    found = entries(itertools.repeat(thousand, 501), "layer x")
    assert sum(1 for _ in itertools.islice(found, tarstream.MAX_ENTRIES)) == 500_000
    with pytest.raises(BadContent, match="more than 500000 entries"):
        next(found)


def test_what_follows_two_blocks_of_zeros_is_read_to_its_end_but_not_looked_at() -> None:
    data = header(b"a") + END + header(b"/absolute") + b"\xff" * 5000
    left = cut_into(data, 100)
    assert [entry.name for entry in entries(left, "layer x")] == ["a"]
    assert next(left, None) is None


def test_an_error_of_the_chunks_comes_through_at_their_end() -> None:
    def chunks() -> Iterator[bytes]:
        yield header(b"a") + END
        raise BadContent("wrong digest")

    with pytest.raises(BadContent, match=r"^wrong digest$"):
        list(entries(chunks(), "layer x"))


def test_the_end_of_the_bytes_ends_a_tar_too_between_entries() -> None:
    assert names(b"") == []
    assert names(header(b"a")) == ["a"]
    assert names(header(b"a") + ZEROS) == ["a"]


def test_a_single_block_of_zeros_is_refused() -> None:
    assert "single block of zeros" in refusal(header(b"a") + ZEROS + header(b"b") + END)


def test_every_other_truncation_is_refused() -> None:
    parts = [extension(b"L", b"name\0"), header(b"a", size=700), bytes(1024), header(b"b"), END]
    data = b"".join(parts)
    whole = {len(b"".join(parts[:count])) for count in (0, 3, 4, 5)} | {len(data) - 512}
    for length in range(0, len(data), 64):
        if length not in whole:
            assert "cut off" in refusal(data[:length])


@pytest.mark.parametrize("kind", ["hardlink", "symlink", "folder", "device", "fifo"])
def test_only_files_have_bodies_whatever_their_headers_say(kind: Kind) -> None:
    flag = {"hardlink": b"1", "symlink": b"2", "device": b"3", "folder": b"5", "fifo": b"6"}[kind]
    data = header(b"a", size=512, flag=flag, link=b"b") + header(b"c") + END
    assert [seen[:3] for seen in read_all([data])] == [("a", kind, 0), ("c", "file", 0)]


def test_types_that_are_not_known_are_skipped_with_their_bodies() -> None:
    data = header(b"volume", size=600, flag=b"M") + bytes(1024) + header(b"c") + END
    assert [seen[:2] for seen in read_all([data])] == [("volume", "other"), ("c", "file")]


def test_a_file_is_read_up_to_a_limit() -> None:
    data = tar(file("a", b"12345"), file("b"))
    assert read_all([data], limit=5)[0][4] == b"12345"
    with pytest.raises(BadContent, match="layer x: 'a' has 5 bytes, more than the 4"):
        read_all([data], limit=4)


def test_what_is_no_tar_is_refused() -> None:
    for data in (b"x", b"#!/bin/sh\n" * 100, b"\x1f\x8b" * 600, b"\xff" * 5000):
        assert "its tar cannot be read, near byte" in refusal(data)


def test_pythons_tarfile_still_reads_what_this_refuses() -> None:
    # The reason not to use it: a broken header behind the first one ends the archive as if it were complete.
    data = header(b"a") + header(b"broken").replace(b"broken", b"braken") + header(b"b") + END
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getnames() == ["a"]
    assert "checksum" in refusal(data)
