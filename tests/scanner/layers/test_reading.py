import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.scanner.layers.tars import (
    END,
    Member,
    cut_into,
    extension,
    file,
    folder,
    hardlink,
    header,
    special,
    symlink,
    tar,
)
from webhook.scanner.errors import BadContent
from webhook.scanner.layers import reading
from webhook.scanner.layers.cacheformat import encode
from webhook.scanner.layers.contents import HOME_FILES_LIMIT, HomeEntry, LayerContents
from webhook.scanner.layers.reading import read_layer
from webhook.scanner.layers.tarstream import Kind

PASSWD = b"jovyan:x:1000:100::/home/jovyan:/bin/bash\n"
SCRIPT = b"#!/bin/sh\nexec serve --port 8888\n"
GOLDEN = Path(__file__).with_name("golden.json")


def layer(*members: Member) -> LayerContents:
    return read_layer([tar(*members)], "none", "layer x")


def refusal(*members: Member) -> str:
    with pytest.raises(BadContent) as caught:
        layer(*members)
    message = str(caught.value)
    assert message.startswith("layer x")
    assert message.isprintable()
    return message


def test_an_empty_layer_holds_nothing() -> None:
    assert replace(layer(), diff_id="") == LayerContents()
    folders = layer(folder("./"), folder("etc"), folder("home/jovyan"))
    assert replace(folders, diff_id="") == LayerContents()


@pytest.mark.parametrize("name", ["etc/passwd", "./etc/passwd"])
def test_passwd_is_kept_as_it_is(name: str) -> None:
    assert layer(folder("etc"), file(name, PASSWD)).passwd == PASSWD


def test_an_empty_passwd_is_a_file_all_the_same() -> None:
    assert layer(file("etc/passwd")).passwd == b""


def test_passwd_of_more_than_a_mebibyte_is_refused() -> None:
    assert layer(file("etc/passwd", b"x" * (1 << 20))).passwd == b"x" * (1 << 20)
    assert "'etc/passwd' has 1048577 bytes" in refusal(file("etc/passwd", b"x" * ((1 << 20) + 1)))


@pytest.mark.parametrize("kind", ["device", "fifo", "other"])
def test_passwd_that_is_no_file_is_refused(kind: Kind) -> None:
    assert "'etc/passwd' is a device, or no file" in refusal(special(kind, "etc/passwd"))


def test_devices_elsewhere_are_fine() -> None:
    layer(special("device", "dev/null"), special("fifo", "run/pipe"))


OTHER = b"jovyan:x:0:0::/root:\n"


@pytest.mark.parametrize(
    "members",
    [
        (file("etc/passwd", PASSWD), symlink("x", "etc"), file("x/passwd", OTHER)),
        (symlink("etc", "y"), file("etc/passwd", PASSWD), file("y/passwd", OTHER)),
        (file("etc/passwd", PASSWD), symlink("x", "."), symlink("x/etc", "y")),
        (file("etc/passwd", PASSWD), symlink("x", "etc"), file("x/.wh.passwd")),
        (file("etc/passwd", PASSWD), symlink("x", "etc"), file("x/.wh..wh..opq")),
        (
            file("etc/passwd-", PASSWD),
            symlink("x/y", "/etc"),
            file("x/y/passwd-", OTHER),
            hardlink("etc/passwd", "etc/passwd-"),
        ),
    ],
)
def test_what_could_reach_passwd_through_a_link_is_refused(members: tuple[Member, ...]) -> None:
    # Whoever unpacks a layer follows the links that it has made; podman 4.3 and containerd do.
    with pytest.raises(BadContent, match="lies behind a symbolic link of the same layer"):
        layer(*members)


def test_other_files_behind_links_and_passwd_where_a_link_was_are_read() -> None:
    layer(symlink("bin", "usr/bin"), file("bin/passed", b""), file("usr/bin/passwd", b""))
    assert layer(symlink("etc", "x"), folder("etc"), file("etc/passwd", PASSWD)).passwd == PASSWD


def test_what_passwd_is_a_hard_link_to_is_what_stands_there_last() -> None:
    found = layer(
        file("etc/passwd-", PASSWD),
        hardlink("etc/passwd-", "opt/other"),
        hardlink("etc/passwd", "etc/passwd-"),
    )
    assert (found.passwd, found.passwd_link) == (None, "etc/passwd-")
    many = [file(f"etc/passwd{number}", PASSWD) for number in range(4)]
    found = layer(*many, file("etc/passwd0", OTHER), hardlink("etc/passwd", "etc/passwd0"))
    assert found.passwd == OTHER


@pytest.mark.parametrize("attribute", ["trusted.overlay.redirect", "user.overlay.opaque"])
def test_attributes_by_which_overlays_show_other_files_are_refused(attribute: str) -> None:
    info, _ = folder("etc")
    info.pax_headers = {f"SCHILY.xattr.{attribute}": "y"}
    with pytest.raises(BadContent, match="for overlay file systems alone"):
        layer((info, b""))
    info.pax_headers = {"SCHILY.xattr.user.mime_type": "y"}
    layer((info, b""))


def test_passwd_as_a_link_is_its_target() -> None:
    found = layer(symlink("etc/passwd", "/nix/store/x/passwd"))
    assert (found.passwd, found.passwd_link) == (None, "/nix/store/x/passwd")


def test_passwd_behind_a_linked_folder_is_a_link_too() -> None:
    found = layer(symlink("etc", "/nix/store/x/etc"))
    assert (found.passwd, found.passwd_link) == (None, "/nix/store/x/etc/passwd")
    assert "etc" in found.hidden


def test_passwd_as_a_hard_link_has_the_content_of_a_file_that_came_before() -> None:
    before = layer(file("etc/passwd-", PASSWD), hardlink("etc/passwd", "./etc/passwd-"))
    assert (before.passwd, before.passwd_link) == (PASSWD, None)
    after = layer(hardlink("etc/passwd", "etc/passwd-"), file("etc/passwd-", PASSWD))
    assert (after.passwd, after.passwd_link) == (None, "etc/passwd-")


def test_a_folder_called_passwd_hides_the_file_below() -> None:
    found = layer(file("etc/passwd", PASSWD), folder("etc/passwd"))
    assert found.passwd is None
    assert found.hidden == {"etc/passwd"}


def test_the_last_entry_of_a_name_wins() -> None:
    assert layer(file("etc/passwd", b"a"), file("etc/passwd", b"b")).passwd == b"b"
    assert layer(symlink("etc/passwd", "a"), file("etc/passwd", b"b")).passwd_link is None
    assert layer(file("etc/passwd", b"b"), symlink("etc/passwd", "a")).passwd is None
    assert layer(file("bin/a", SCRIPT), file("bin/a", b"#!")).scripts == {}
    assert layer(file("bin/a", b"#!"), file("bin/a", SCRIPT)).scripts.keys() == {"bin/a"}
    twice = layer(file("home/jovyan/a", b"1"), file("home/jovyan/a", b"22"))
    assert twice.home == {"a": HomeEntry(files=1, size=2)}


def test_what_is_no_folder_takes_away_what_was_below_it() -> None:
    below = (
        file("etc/passwd", PASSWD),
        file("etc/services.d/a/run", SCRIPT),
        file("home/jovyan/a/b", b"1"),
        file("home/jovyan/a/b/c", b"1"),
        file("home/jovyan/a0", b"1"),
    )
    assert layer(*below, symlink("etc", "x")).passwd is None
    assert layer(*below, file("etc", b"x")).scripts == {}
    assert layer(*below, file("home")).home == {}
    assert layer(*below, file("home/jovyan")).home_files == ()
    assert layer(*below, file("home/jovyan/a")).home_files == ("home/jovyan/a", "home/jovyan/a0")


def test_a_folder_that_replaces_a_file_still_hides_what_lower_layers_have() -> None:
    found = layer(
        file("home/jovyan/a"), folder("home/jovyan/a"), file("bin/a", SCRIPT), folder("bin/a")
    )
    assert found.home == {"a": HomeEntry(files=0, size=0)}
    assert found.home_files == ()
    assert found.hidden == {"home/jovyan/a", "bin/a"}


def test_scripts_that_mention_something_are_kept_and_others_hide_those_below() -> None:
    found = layer(
        file("usr/bin/serve", SCRIPT),
        file("usr/bin/program", b"\x7fELF 8888"),
        file("etc/s6-overlay/s6-rc.d/a/up", b"serve 8888"),
        file("opt/conda/etc/jupyter/config.py", b"c.ServerApp.allow_origin = '*'"),
        file("usr/share/doc/x", SCRIPT),
    )
    assert {path: script.mentions for path, script in found.scripts.items()} == {
        "usr/bin/serve": {"8888"},
        "etc/s6-overlay/s6-rc.d/a/up": {"8888"},
        "opt/conda/etc/jupyter/config.py": {"allow_origin"},
    }
    assert found.hidden == {"usr/bin/program"}
    assert all(path == script.path for path, script in found.scripts.items())


def test_a_script_of_64_kibibytes_is_read_and_a_larger_one_is_a_program() -> None:
    assert layer(file("bin/a", SCRIPT.ljust(65536))).scripts.keys() == {"bin/a"}
    assert layer(file("bin/a", SCRIPT.ljust(65537))).scripts == {}


def test_a_hard_link_to_a_script_is_one_too() -> None:
    found = layer(file("bin/a", SCRIPT), hardlink("bin/b", "bin/a"), hardlink("bin/c", "bin/x"))
    assert found.scripts.keys() == {"bin/a", "bin/b"}
    assert found.hidden == {"bin/c"}


def test_more_than_a_thousand_scripts_that_mention_something_are_refused() -> None:
    many = [file(f"bin/{n}", SCRIPT) for n in range(1001)]
    assert len(layer(*many[:1000]).scripts) == 1000
    assert "more than 1000 scripts" in refusal(*many)


def test_what_is_in_the_home_is_counted_by_name() -> None:
    found = layer(
        folder("home/jovyan/"),
        folder("home/jovyan/empty"),
        file("home/jovyan/.bashrc", b"12345"),
        file("home/jovyan/work/a", b"123"),
        file("home/jovyan/work/deep/b", b"12"),
        symlink("home/jovyan/work/link", "/x"),
        hardlink("home/jovyan/work/hard", "home/jovyan/work/a"),
        special("fifo", "home/jovyan/pipe"),
        file("home/other/a", b"1"),
    )
    assert found.home == {
        ".bashrc": HomeEntry(files=1, size=5),
        "empty": HomeEntry(files=0, size=0),
        "pipe": HomeEntry(files=0, size=0),
        "work": HomeEntry(files=4, size=5),
    }
    work = [f"home/jovyan/work/{name}" for name in ("a", "deep/b", "hard", "link")]
    assert found.home_files == ("home/jovyan/.bashrc", *work)
    assert found.home_sizes == (5, 3, 2, 0, 0)
    assert found.hidden == {"home/jovyan/pipe"}


def test_beyond_a_thousand_files_the_home_is_counted_only() -> None:
    many = [file(f"home/jovyan/data/{n:04}", b"12") for n in range(1500)]
    found = layer(*many)
    assert found.home == {"data": HomeEntry(files=1500, size=3000)}
    assert len(found.home_files) == HOME_FILES_LIMIT
    assert layer(*many, file("home/jovyan/data")).home == {"data": HomeEntry(files=1, size=0)}
    assert layer(*many, file("home")).home == {}


def test_whiteouts_hide_what_they_name() -> None:
    found = layer(
        file("etc/.wh.passwd"),
        file(".wh.opt"),
        file("home/jovyan/.wh.work"),
        file("home/jovyan/deep/down/in/it/somewhere/.wh.x"),
        file("etc/services.d/a/.wh..wh..opq"),
        file(".wh..wh..opq"),
        file("usr/share/doc/a/b/.wh.copyright"),
    )
    assert found.hidden == {
        "etc/passwd",
        "opt",
        "home/jovyan/work",
        "home/jovyan/deep/down/in/it/somewhere/x",
        "etc/services.d/a/",
        "/",
    }
    assert found.home == {}


def test_whiteouts_of_aufs_mean_nothing() -> None:
    assert layer(folder(".wh..wh.plnk"), file(".wh..wh.aufs"), file("a/.wh..wh.x")).hidden == set()


@pytest.mark.parametrize("name", [".wh.", ".wh..", ".wh...", "home/jovyan/.wh...", "etc/.wh."])
def test_a_whiteout_of_no_name_of_its_own_is_refused(name: str) -> None:
    assert "is a whiteout of its own folder" in refusal(file(name))


def test_whiteouts_hide_nothing_of_their_own_layer() -> None:
    members = (
        file("etc/passwd", PASSWD),
        file("bin/a", SCRIPT),
        file("home/jovyan/a", b"1"),
    )
    whiteouts = (file(".wh..wh..opq"), file("etc/.wh.passwd"), file(".wh.home"), file("bin/.wh.a"))
    for order in (members + whiteouts, whiteouts + members):
        found = layer(*order)
        assert found.passwd == PASSWD
        assert found.scripts.keys() == {"bin/a"}
        assert found.home_files == ("home/jovyan/a",)


def long_name(number: int) -> bytes:
    return extension(b"L", b"bin/%d" % number + b"x" * 3000) + header(b"short")


def test_names_beyond_a_limit_are_refused() -> None:
    with pytest.raises(BadContent, match=r"^layer x has more programs, .* 16 MiB of names"):
        read_layer((long_name(n) for n in range(6000)), "none", "layer x")


def test_twenty_thousand_programs_are_fewer_than_that() -> None:
    found = read_layer((header(b"opt/x/bin/%d" % n) for n in range(20_000)), "none", "layer x")
    assert len(found.hidden) == 20_000


def test_a_layer_is_read_to_its_end_behind_its_tar() -> None:
    def chunks() -> Iterator[bytes]:
        yield from cut_into(gzip.compress(tar(file("a")) + bytes(100_000)), 100)
        yield bytes(10)
        raise BadContent("the digest is wrong")

    with pytest.raises(BadContent, match="the digest is wrong"):
        read_layer(chunks(), "gzip", "layer x")


@pytest.mark.parametrize("size", [1, 100, 1 << 20])
def test_chunks_change_nothing(size: int) -> None:
    data = tar(file("etc/passwd", PASSWD), file("bin/a", SCRIPT), file("home/jovyan/a", b"1"))
    assert read_layer(cut_into(data, size), "none", "x") == read_layer([data], "none", "x")


def test_a_layer_that_is_read_as_something_else_than_before_needs_other_rules() -> None:
    # When this fails: count reading.RULES up and write what is read now into golden.json.
    found = layer(
        file("etc/passwd", PASSWD),
        file("etc/cont-init.d/01-copy-tmp-home", b"#!/bin/sh\ncp -r /tmp_home/* /home/jovyan"),
        file("usr/local/etc/jupyter/a.json", b'{"ServerApp": {"allow_origin": "*"}}'),
        file("init", b"#!/bin/sh\nexec s6"),
        file("opt/conda/bin/jupyter", b"#!/bin/sh\nexport NB_PREFIX"),
        file("app/entrypoint.sh", SCRIPT),
        symlink("bin", "usr/bin"),
        file("home/jovyan/work/a", b"123"),
        file("home/jovyan/.wh.b"),
        file("usr/local/.wh..wh..opq"),
        file("usr/lib/x/y", SCRIPT),
    )
    assert encode(f"sha256:{reading.RULES:064}", found) == GOLDEN.read_bytes().strip()


def test_an_uncompressed_layer_needs_no_end() -> None:
    assert read_layer([header(b"a"), END[:512]], "none", "x").hidden == {"a"}
