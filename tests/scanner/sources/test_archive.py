import gzip
import hashlib
import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.scanner.memory import digest_of
from tests.scanner.sources.realimages import MISSING, NAME, PASSWD, build
from tests.scanner.sources.tars import END, member, saved, tar_of, write
from webhook.scanner.errors import BadContent, NotFound, ScanError
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_LAYER
from webhook.scanner.resolving import load_image
from webhook.scanner.sources.archive import ArchiveSource

needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("real"))


def _archive(
    folder: Path, members: dict[str, bytes], reference: str | None = None
) -> ArchiveSource:
    return ArchiveSource(write(folder / "a.tar", tar_of(members)), reference)


def _layers(source: ArchiveSource) -> list[bytes]:
    (one,) = load_image(source, None).platforms
    return [_read(source, layer) for layer in one.layers]


def _read(source: ArchiveSource, layer: Descriptor) -> bytes:
    with source.blob(layer) as chunks:
        return b"".join(chunks)


def _listed(members: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """Change fields of the one image in manifest.json."""
    (entry,) = orjson.loads(members["manifest.json"])
    return {**members, "manifest.json": orjson.dumps([{**entry, **changes}])}


@needs_tools
def test_an_archive_that_skopeo_wrote_is_read_with_its_layers(real: Path) -> None:
    source = ArchiveSource(real / "one.tar", None)
    image = load_image(source, None)
    (one,) = image.platforms
    assert (one.platform, one.config.user, one.config.ports) == ("linux/amd64", "1000", (8888,))
    assert image.manifests == (("linux/amd64", image.digest),)
    (layer,) = one.layers
    data = _read(source, layer)
    assert PASSWD in data
    assert (layer.digest, layer.size) == (digest_of(data), len(data))
    assert source.names() == (f"{NAME}:v1",)
    source.close()


@needs_tools
def test_of_several_images_that_podman_saved_one_is_named(real: Path) -> None:
    for reference, user in ((f"{NAME}:amd64", "linux/amd64"), ("@1", "linux/arm64")):
        source = ArchiveSource(real / "two.tar", reference)
        assert [one.platform for one in load_image(source, None).platforms] == [user]
        source.close()
    source = ArchiveSource(real / "two.tar", None)
    with pytest.raises(
        NotFound, match=f"name one of {NAME}:amd64, {NAME}:arm64, as docker-archive"
    ):
        source.top()
    source.close()


def test_the_manifest_is_made_of_the_layers_as_stored(tmp_path: Path) -> None:
    packed = gzip.compress(b"packed" * 100)
    diff_ids = [digest_of(b"plain"), digest_of(b"packed" * 100), digest_of(b"plain")]
    members = saved(b"plain", packed, b"plain", diff_ids=diff_ids)
    source = _archive(tmp_path, members)
    descriptor, manifest = source.top()
    assert (descriptor.digest, descriptor.size) == (digest_of(manifest), len(manifest))
    (one,) = load_image(source, None).platforms
    assert [layer.media_type for layer in one.layers] == [OCI_LAYER, f"{OCI_LAYER}+gzip", OCI_LAYER]
    assert [layer.digest for layer in one.layers] == [
        digest_of(b"plain"),
        digest_of(packed),
        digest_of(b"plain"),
    ]
    assert _layers(source) == [b"plain", packed, b"plain"]
    source.close()


def test_the_same_image_has_the_same_digest_in_every_archive(tmp_path: Path) -> None:
    members = saved(b"layer")
    moved = {"manifest.json": members["manifest.json"], **members}
    first, second = _archive(tmp_path, members), None
    digest = first.top()[0].digest
    first.close()
    second = _archive(tmp_path, moved)
    assert second.top()[0].digest == digest
    second.close()


def test_layers_that_are_links_to_other_layers_are_read(tmp_path: Path) -> None:
    members = _listed(saved(b"layer", b"layer"), Layers=["0/layer.tar", "link/layer.tar"])
    del members["1/layer.tar"]
    link = member(b"link/layer.tar", b"", b"2", b"../0/layer.tar")
    body = b"".join(member(name.encode(), content) for name, content in members.items())
    source = ArchiveSource(write(tmp_path / "a.tar", body + link + END), None)
    assert _layers(source) == [b"layer", b"layer"]
    source.close()


def test_names_are_compared_as_references(tmp_path: Path) -> None:
    members = saved(b"layer", names=("nginx", "Not/A/Name", "index.docker.io/library/nginx:latest"))
    source = _archive(tmp_path, members, "docker.io/library/nginx:latest")
    assert source.names() == ("docker.io/library/nginx:latest",)
    source.close()
    other = _archive(tmp_path, members, "nginx:v2")
    with pytest.raises(
        NotFound, match=r"has no image 'nginx:v2': name one of docker\.io/library/n"
    ):
        other.top()
    other.close()


def test_an_image_without_a_name_is_named_by_its_place(tmp_path: Path) -> None:
    members = saved(b"layer", names=())
    (entry,) = orjson.loads(members["manifest.json"])
    members["manifest.json"] = orjson.dumps([entry, {**entry, "RepoTags": None}])
    source = _archive(tmp_path, members)
    with pytest.raises(NotFound, match="name one of @0, @1, as"):
        source.top()
    source.close()
    first = _archive(tmp_path, members, "@0")
    assert _layers(first) == [b"layer"]
    first.close()


def test_a_plain_layer_with_other_bytes_than_its_config_says_is_refused(tmp_path: Path) -> None:
    source = _archive(tmp_path, saved(b"layer", diff_ids=[digest_of(b"other")]))
    with pytest.raises(BadContent, match=f"{digest_of(b'layer')}, and should be"):
        source.top()
    source.close()


def test_as_many_layers_as_the_config_says_are_wanted(tmp_path: Path) -> None:
    source = _archive(tmp_path, saved(b"layer", diff_ids=[]))
    with pytest.raises(BadContent, match="has 1 layers, and its config 0: save it anew"):
        source.top()
    source.close()


def test_a_layer_that_changes_after_it_was_hashed_is_refused(tmp_path: Path) -> None:
    source = _archive(tmp_path, saved(b"layer"))
    (one,) = load_image(source, None).platforms
    path = tmp_path / "a.tar"
    path.write_bytes(path.read_bytes().replace(b"layer\0\0", b"lAyer\0\0"))
    with pytest.raises(BadContent, match=f"{digest_of(b'layer')} holds other bytes"):
        _read(source, one.layers[0])
    os.truncate(path, 512)
    with pytest.raises(BadContent, match="ends after 0 of 5 bytes"):
        _read(source, one.layers[0])
    source.close()


def test_an_archive_that_is_cut_while_it_is_read_is_refused(tmp_path: Path) -> None:
    source = _archive(tmp_path, saved(b"layer"))
    assert source.names()
    os.truncate(tmp_path / "a.tar", 0)
    with pytest.raises(BadContent, match=r"a\.tar ends too early: copy it anew"):
        source.top()
    source.close()


@pytest.mark.parametrize("start", [b"BZh9", b"\xfd7zXZ\x00"])
def test_layers_in_other_compressions_are_refused(tmp_path: Path, start: bytes) -> None:
    source = _archive(tmp_path, saved(start + b"x"))
    with pytest.raises(BadContent, match="a layer is compressed with bzip2 or xz"):
        source.top()
    source.close()


@pytest.mark.parametrize("gone", ["config.json", "0/layer.tar", "manifest.json"])
def test_a_missing_member_is_named(tmp_path: Path, gone: str) -> None:
    members = saved(b"layer")
    del members[gone]
    source = _archive(tmp_path, members)
    with pytest.raises(BadContent, match=f"the archive has no '{gone}': name what"):
        source.top()
    source.close()


def test_members_outside_of_the_archive_are_no_members(tmp_path: Path) -> None:
    write(tmp_path / "secret", b"layer")
    for name in ("../secret", f"{tmp_path}/secret"):
        source = _archive(tmp_path, _listed(saved(b"layer"), Layers=[name]))
        with pytest.raises(BadContent, match="the archive has no"):
            source.top()
        source.close()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"{}", "must be a list, not an object"),
        (b"[1]", r"\[0\] must be an object"),
        (b"[" * 100_000, "is not JSON"),
        (b'[{"Config":1}]', r"\[0\]\.Config must name a member"),
        (b'[{"Config":""}]', r"\[0\]\.Config must name a member"),
        (b'[{"Config":"a","Layers":"b"}]', r"\[0\]\.Layers must be a list of texts"),
        (b'[{"Config":"a","Layers":[1]}]', r"\[0\]\.Layers must be a list of texts"),
        (b'[{"Config":"a","RepoTags":{}}]', r"\[0\]\.RepoTags must be a list of texts"),
        (b'[{"Config":"a","layers":[]}]', r"\[0\] has the key 'layers'"),
        (b'[{"Config":"a","Config":"b"}]', r"\[0\]\.Config stands twice"),
        (orjson.dumps([{"Config": "a", "Layers": ["b"] * 1001}]), "Layers has 1001 entries"),
        (orjson.dumps([{}] * 1001), "has 1001 images"),
        (b" " * (1024 * 1024 + 1), "has 1048577 bytes, more than the 1048576"),
    ],
)
def test_a_wrong_list_of_images_is_refused_with_its_field(
    tmp_path: Path, text: bytes, fault: str
) -> None:
    source = _archive(tmp_path, {**saved(b"layer"), "manifest.json": text})
    with pytest.raises(BadContent, match=rf"^docker-archive:.*manifest\.json.*{fault}"):
        source.top()
    source.close()


def test_a_config_longer_than_is_read_is_refused(tmp_path: Path) -> None:
    source = _archive(tmp_path, {**saved(b"layer"), "config.json": b" " * (4 * 1024**2 + 1)})
    with pytest.raises(
        BadContent, match=r"'config\.json' has 4194305 bytes, more than the 4194304"
    ):
        source.top()
    source.close()


def test_an_archive_of_the_other_kind_is_named_with_the_cure(tmp_path: Path) -> None:
    source = _archive(tmp_path, {"oci-layout": b"{}", "index.json": b"{}"})
    with pytest.raises(BadContent, match="it is an OCI archive: unpack it with tar -xf"):
        source.top()
    source.close()


def test_an_archive_without_images_says_so(tmp_path: Path) -> None:
    source = _archive(tmp_path, {"manifest.json": b"[]"})
    with pytest.raises(NotFound, match="holds no image"):
        source.names()
    source.close()


def test_a_compressed_archive_is_refused_with_the_cure(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar.gz", gzip.compress(tar_of(saved(b"layer"))))
    source = ArchiveSource(path, None)
    with pytest.raises(BadContent, match="is compressed: run gunzip on it first"):
        source.top()
    source.close()


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    start = time.monotonic()
    for path, fault in (
        (tmp_path / "pipe", "is no regular file"),
        (tmp_path, "is a folder"),
        (Path("/dev/zero"), "is no regular file"),
        (tmp_path / "nothing", "there is no nothing"),
    ):
        with pytest.raises(ScanError, match=f"^docker-archive:{path}: .*{fault}"):
            ArchiveSource(path, None).top()
    assert time.monotonic() - start < 2


def test_what_the_archive_does_not_hold_is_not_found(tmp_path: Path) -> None:
    source = _archive(tmp_path, saved(b"layer"))
    wrong = Descriptor(media_type=OCI_LAYER, digest=digest_of(b"x"), size=1)
    with pytest.raises(NotFound, match=digest_of(b"x")):
        source.document(wrong)
    source.close()


def test_a_large_layer_is_hashed_in_little_memory(tmp_path: Path) -> None:
    # Not by resource usage, which never falls: by the largest piece that is ever handed out.
    layer = os.urandom(1024) * 4096
    source = _archive(tmp_path, saved(layer))
    (one,) = load_image(source, None).platforms
    with source.blob(one.layers[0]) as chunks:
        pieces = list(chunks)
    assert max(map(len, pieces)) <= 256 * 1024
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == one.layers[0].digest[7:]
    source.close()
