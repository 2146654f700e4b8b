import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import event, given, settings

from tests.scanner.layers.tars import Member, file, folder, symlink, tar
from tests.scanner.layers.unpacking import LAYERS, Unpacked
from tests.scanner.memory import MemorySource, descriptor_of, digest_of, image_of, layer_descriptor
from webhook.scanner.errors import BadContent, Unreachable
from webhook.scanner.image import Descriptor, ImageConfig, PlatformImage
from webhook.scanner.layers.cache import LayerCache
from webhook.scanner.layers.contents import HomeEntry
from webhook.scanner.layers.files import Enough, Files
from webhook.scanner.layers.stack import read_files
from webhook.scanner.mediatypes import OCI_CONFIG

PASSWD = b"jovyan:x:1000:100::/home/jovyan:/bin/bash\n"
SCRIPT = b"#!/bin/sh\nserve 8888\n"


class Counting:
    """A Progress that counts."""

    def __init__(self) -> None:
        self.expected = 0
        self.advanced = 0

    def stage(self, text: str) -> None:
        raise AssertionError(text)  # the stage is the caller's to tell

    def expect(self, size: int) -> None:
        self.expected += size

    def advance(self, size: int) -> None:
        self.advanced += size


def never(_files: Files) -> bool:
    return False


def always(_files: Files) -> bool:
    return True


def platform_image(*layers: Descriptor) -> PlatformImage:
    config = ImageConfig(platform="linux/amd64")
    return PlatformImage(
        platform="linux/amd64",
        digest="",
        config=config,
        config_blob=descriptor_of(b"{}", OCI_CONFIG),
        layers=layers,
    )


def stack(*layers: list[Member]) -> tuple[MemorySource, PlatformImage]:
    blobs = [gzip.compress(tar(*members), mtime=0) for members in layers]
    return image_of({}, *blobs), platform_image(*map(layer_descriptor, blobs))


def read(
    *layers: list[Member], cache: LayerCache | None = None, enough: Enough = never
) -> tuple[Files, MemorySource]:
    source, image = stack(*layers)
    progress = Counting()
    files = read_files(source, image, cache, enough, progress)
    assert progress.expected == progress.advanced == sum(source.streamed.values())
    assert source.opened == 0
    return files, source


@settings(max_examples=500)
@given(drawn=LAYERS)
def test_what_layers_show_is_what_unpacking_them_leaves(drawn: list[list[Member]]) -> None:
    unpacked = Unpacked()
    layers = [unpacked.apply(members) for members in drawn]
    files, _ = read(*layers)
    assert (files.passwd, files.passwd_link) == unpacked.passwd()
    assert {p: frozenset(s.mentions) for p, s in files.scripts.items()} == unpacked.scripts()
    assert files.home == unpacked.home()
    assert files.home_files == tuple(sorted(unpacked.home_files()))
    assert files.complete
    assert files.passwd_known
    first, source = read(*layers, enough=always)
    assert (first.passwd, first.passwd_link) == unpacked.passwd()
    event(f"layers not fetched: {len({str(m) for m in layers}) > len(source.fetched)}")


def test_an_image_without_layers_shows_nothing() -> None:
    assert read()[0] == Files(complete=True, passwd_known=True)


def test_what_has_a_thousand_files_is_counted_across_layers() -> None:
    many = [file(f"home/jovyan/data/{n}", b"12") for n in range(1100)]
    files, _ = read(many, [file("home/jovyan/data/more", b"123")])
    assert files.home == {"data": HomeEntry(files=1101, size=2203)}
    hidden, _ = read(many, [file("home/.wh.jovyan")])
    assert hidden.home == {}


@pytest.mark.parametrize(
    ("upper", "known"),
    [
        ([file("etc/passwd", PASSWD)], True),
        ([symlink("etc/passwd", "/x")], True),
        ([file("etc/.wh.passwd")], True),
        ([file(".wh.etc")], True),
        ([file("etc/.wh..wh..opq")], True),
        ([file(".wh..wh..opq")], True),
        ([symlink("etc", "x")], True),
        ([folder("etc/passwd")], True),
        ([folder("etc")], False),
        ([file("etc/group")], False),
        ([file("bin/x", SCRIPT)], False),
    ],
)
def test_lower_layers_are_fetched_until_passwd_is_known(upper: list[Member], known: bool) -> None:  # noqa: FBT001 - a row
    files, source = read([file("etc/passwd", b"lower")], upper, enough=always)
    assert len(source.fetched) == (1 if known else 2)
    assert files.complete != known
    assert files.passwd_known
    assert (files.passwd == b"lower") != known


def test_lower_layers_are_fetched_until_it_is_enough() -> None:
    layers = [[file("bin/a", SCRIPT)], [file("bin/b", SCRIPT)], [file("etc/passwd", PASSWD)]]
    offered: list[Files] = []

    def enough(files: Files) -> bool:
        offered.append(files)
        return "bin/b" in files.scripts

    files, source = read(*layers, enough=enough)
    assert files.scripts.keys() == {"bin/b"}
    assert not files.complete
    assert len(source.fetched) == 2
    assert [seen.passwd for seen in offered] == [PASSWD, PASSWD]


def test_a_layer_that_is_there_twice_is_fetched_once() -> None:
    layer = [file("etc/passwd", PASSWD), file("home/jovyan/a", b"1")]
    files, source = read(layer, [file("bin/a", SCRIPT)], layer)
    assert len(source.fetched) == 2
    assert files.home == {"a": HomeEntry(files=1, size=1)}
    assert files.complete


def test_what_was_read_once_is_not_fetched_again(tmp_path: Path) -> None:
    base = [file("etc/passwd", PASSWD), file("home/jovyan/a", b"1")]
    one, _ = read(base, [file("bin/a", SCRIPT)], cache=LayerCache(tmp_path / "cache"))
    again, source = read(base, [file("bin/a", SCRIPT)], cache=LayerCache(tmp_path / "cache"))
    assert again == one
    assert source.fetched == []
    other, source = read(base, [file("bin/b", SCRIPT)], cache=LayerCache(tmp_path / "cache"))
    assert len(source.fetched) == 1
    assert other.passwd == PASSWD


def test_a_layer_that_was_not_what_its_digest_says_is_not_cached(tmp_path: Path) -> None:
    source, image = stack([file("etc/passwd", PASSWD)])
    other, _ = stack([file("etc/passwd", b"forged")])
    digest = image.layers[0].digest
    source.store[digest] = next(data for data in other.store.values() if data[:2] == b"\x1f\x8b")
    cache = LayerCache(tmp_path / "cache")
    with pytest.raises(BadContent):
        read_files(source, image, cache, never, Counting())
    assert cache.get(digest) is None


def test_an_error_of_the_source_comes_through_and_closes_the_blob() -> None:
    source, image = stack([file("etc/passwd", PASSWD)])
    source.failures[image.layers[0].digest] = Unreachable("gone")
    with pytest.raises(Unreachable, match="gone"):
        read_files(source, image, None, never, Counting())
    assert source.opened == 0


def test_a_broken_layer_is_named_by_its_digest() -> None:
    source = image_of({}, b"no tar")
    layer = layer_descriptor(b"no tar")
    with pytest.raises(BadContent, match=f"^layer {layer.digest}: its tar cannot be read"):
        read_files(source, platform_image(layer), None, never, Counting())


def test_a_layer_of_an_unknown_type_is_not_fetched() -> None:
    source = image_of({}, b"x")
    layer = Descriptor(media_type="application/x-7z", digest=layer_descriptor(b"x").digest, size=1)
    with pytest.raises(BadContent, match="7z"):
        read_files(source, platform_image(layer), None, never, Counting())
    assert source.fetched == []


def _told(image: PlatformImage, *diff_ids: str) -> PlatformImage:
    return replace(image, config=replace(image.config, diff_ids=diff_ids))


def test_layers_that_unpack_to_something_else_than_the_config_says_are_refused(
    tmp_path: Path,
) -> None:
    # By the config's digests a node knows what it has; with somebody else's there, it fetches nothing.
    layers = [file("etc/passwd", PASSWD)], [file("a")]
    right = [digest_of(tar(*members)) for members in layers]
    source, image = stack(*layers)
    cache = LayerCache(tmp_path / "layers")
    for _ in range(2):  # from the layers, and from the cache
        read_files(source, _told(image, *right), cache, never, Counting())
        for wrong in ((right[1], right[0]), (digest_of(b"other"), right[1])):
            with pytest.raises(
                BadContent, match=r"layer sha256:\w+ unpacks to sha256:\w+, and the"
            ):
                read_files(source, _told(image, *wrong), cache, never, Counting())
        with pytest.raises(BadContent, match="has 2 layers, and its config 1"):
            read_files(source, _told(image, right[1]), cache, never, Counting())


def test_a_layer_that_stands_twice_must_be_told_twice() -> None:
    source, image = stack([file("a")], [file("a")])
    right = digest_of(tar(file("a")))
    read_files(source, _told(image, right, right), None, never, Counting())
    with pytest.raises(BadContent, match="unpacks to"):
        read_files(source, _told(image, digest_of(b"other"), right), None, never, Counting())
