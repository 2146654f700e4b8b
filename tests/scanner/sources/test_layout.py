import hashlib
import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.scanner.memory import as_json, image_of, layer_descriptor
from tests.scanner.sources.realimages import MISSING, NAME, build
from webhook.scanner.errors import BadContent, NotFound, ScanError, SourceError
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_LAYER, OCI_MANIFEST
from webhook.scanner.resolving import load_image
from webhook.scanner.sources.layout import LayoutSource

needs_tools = pytest.mark.skipif(bool(MISSING), reason=f"needs {', '.join(MISSING)}")
IMAGE = image_of({"User": "1000"}, b"layer")
OTHER = image_of({"User": "0"}, b"layer")
REF = "org.opencontainers.image.ref.name"
CONTAINERD = "io.containerd.image.name"


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("real"))


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def _entry(**annotations: str) -> dict[str, Any]:
    return as_json(IMAGE.descriptor, annotations=annotations)


def _layout(folder: Path, *entries: dict[str, Any]) -> Path:
    """Write a layout by hand; without entries its index.json has one, without a name."""
    for digest, data in {**OTHER.store, **IMAGE.store}.items():
        _blob(folder, digest).parent.mkdir(parents=True, exist_ok=True)
        _blob(folder, digest).write_bytes(data)
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    index = {"schemaVersion": 2, "manifests": entries or [as_json(IMAGE.descriptor)]}
    (folder / "index.json").write_bytes(orjson.dumps(index))
    return folder


def _layer() -> Descriptor:
    return layer_descriptor(b"layer")


def _read(source: LayoutSource, descriptor: Descriptor) -> bytes:
    with source.blob(descriptor) as chunks:
        return b"".join(chunks)


@needs_tools
def test_a_layout_that_buildah_wrote_is_read_with_its_layers(real: Path) -> None:
    source = LayoutSource(real / "layout", "v1")
    image = load_image(source, None)
    (one,) = image.platforms
    assert (one.platform, one.config.user, one.config.ports) == ("linux/amd64", "1000", (8888,))
    (layer,) = one.layers
    assert f"sha256:{hashlib.sha256(_read(source, layer)).hexdigest()}" == layer.digest
    source.close()


@needs_tools
def test_an_index_in_a_layout_has_its_platforms(real: Path) -> None:
    image = load_image(LayoutSource(real / "layout", "multi"), None)
    assert [one.platform for one in image.platforms] == ["linux/amd64", "linux/arm64"]


@needs_tools
def test_without_a_name_the_only_image_is_meant_and_of_several_none(real: Path) -> None:
    assert load_image(LayoutSource(real / "named", None), None).platforms
    with pytest.raises(NotFound, match="holds several images: name one of v1, multi, as oci:DIR:N"):
        LayoutSource(real / "layout", None).top()


@needs_tools
def test_an_image_is_chosen_by_digest(real: Path) -> None:
    digest = LayoutSource(real / "layout", "multi").top()[0].digest
    assert LayoutSource(real / "layout", f"@{digest}").top()[0].digest == digest
    with pytest.raises(NotFound, match=r"has no image '@sha256:0+'?.*: name one of v1, multi"):
        LayoutSource(real / "layout", "@sha256:" + "0" * 64).top()


@needs_tools
def test_a_full_name_in_a_layout_is_given_a_tag_alone_is_not(real: Path) -> None:
    assert LayoutSource(real / "named", None).names() == (f"{NAME}:v1",)
    assert LayoutSource(real / "layout", "v1").names() == ()


def test_names_come_from_containerd_first_each_once_and_canonical(tmp_path: Path) -> None:
    folder = _layout(
        tmp_path,
        _entry(**{REF: "ghcr.io/team/notebook"}),
        _entry(**{REF: "index.docker.io/team/notebook:v1"}),
        _entry(**{REF: "v1", CONTAINERD: "docker.io/team/notebook:v1"}),
        _entry(**{REF: "team/notebook:v9", CONTAINERD: "not/A/name"}),
    )
    assert LayoutSource(folder, None).names() == (
        "docker.io/team/notebook:v1",
        "ghcr.io/team/notebook:latest",
    )


def test_entries_that_differ_in_their_names_only_are_one_image(tmp_path: Path) -> None:
    folder = _layout(tmp_path, _entry(**{REF: "a"}), _entry(**{REF: "b"}))
    assert LayoutSource(folder, None).top()[0].digest == IMAGE.descriptor.digest


def test_one_name_for_two_images_is_refused_as_ambiguous(tmp_path: Path) -> None:
    other = as_json(OTHER.descriptor, annotations={REF: "v1"})
    source = LayoutSource(_layout(tmp_path, _entry(**{REF: "v1"}), other), "v1")
    with pytest.raises(NotFound, match="holds several images"):
        source.top()


def test_names_in_a_message_are_printable_and_few(tmp_path: Path) -> None:
    entries = [_entry(**{REF: f"v{n}\x1b[31m\n" + "x" * 200}) for n in range(30)]
    with pytest.raises(NotFound, match="and 10 more") as caught:
        LayoutSource(_layout(tmp_path, *entries), "none").top()
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 3000


def test_a_blob_with_other_bytes_is_refused_and_named(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    source = LayoutSource(folder, None)
    assert _read(source, _layer()) == b"layer"
    path = _blob(folder, _layer().digest)
    for data, fault in ((b"lAyer", "holds other bytes"), (b"lay", "ends after 3 of 5 bytes")):
        path.write_bytes(data)
        with pytest.raises(BadContent, match=f"oci:.*{_layer().digest} {fault}"):
            _read(source, _layer())
    path.write_bytes(b"layer and more")
    with pytest.raises(BadContent, match="is longer than the 5 bytes"):
        _read(source, _layer())


def test_a_manifest_with_other_bytes_is_refused(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    path = _blob(folder, IMAGE.descriptor.digest)
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))
    with pytest.raises(BadContent, match="holds other bytes"):
        LayoutSource(folder, None).top()


def test_a_missing_blob_is_not_found(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    _blob(folder, _layer().digest).unlink()
    with pytest.raises(NotFound, match=f"there is no {_layer().digest[7:]}"):
        _read(LayoutSource(folder, None), _layer())


def test_a_digest_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"layer")
    source = LayoutSource(_layout(tmp_path / "layout"), None)
    for digest in ("sha256:../../../secret", "../secret:x", "sha256:" + "A" * 64):
        wrong = Descriptor(media_type=OCI_LAYER, digest=digest, size=5)
        with pytest.raises(BadContent):
            _read(source, wrong)


@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blobs"])
def test_a_link_out_of_the_folder_is_refused_with_the_cure(tmp_path: Path, name: str) -> None:
    folder = _layout(tmp_path / "layout")
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    with pytest.raises(BadContent, match=r"is a link out of the folder: .* cp -rL"):
        load_image(LayoutSource(folder, None), None)


def test_a_blob_that_links_out_of_the_folder_is_refused_though_its_bytes_are_right(
    tmp_path: Path,
) -> None:
    folder = _layout(tmp_path / "layout")
    path = _blob(folder, _layer().digest)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadContent, match="is a link out of the folder"):
        _read(LayoutSource(folder, None), _layer())


def test_links_within_the_folder_and_to_it_are_followed(tmp_path: Path) -> None:
    folder = _layout(tmp_path / "layout")
    path = _blob(folder, _layer().digest)
    path.rename(folder / "elsewhere")
    path.symlink_to("../../elsewhere")
    (tmp_path / "link").symlink_to(folder)
    assert _read(LayoutSource(tmp_path / "link", None), _layer()) == b"layer"


def test_a_link_to_itself_is_an_error(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    (folder / "index.json").unlink()
    (folder / "index.json").symlink_to("index.json")
    with pytest.raises(SourceError, match=r"index\.json cannot be read: Too many levels"):
        LayoutSource(folder, None).top()


@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blob"])
def test_a_named_pipe_or_a_folder_is_refused_at_once(tmp_path: Path, name: str) -> None:
    folder = _layout(tmp_path)
    path = _blob(folder, _layer().digest) if name == "blob" else folder / name
    path.unlink()
    os.mkfifo(path)
    start = time.monotonic()
    with pytest.raises(BadContent, match="is no regular file"):
        _everything(folder)
    assert time.monotonic() - start < 2
    path.unlink()
    path.mkdir()
    with pytest.raises(BadContent, match="is a folder"):
        _everything(folder)


def _everything(folder: Path) -> None:
    source = LayoutSource(folder, None)
    for image in load_image(source, None).platforms:
        for layer in image.layers:
            _read(source, layer)


def test_a_folder_that_is_no_layout_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"oci:.*: there is no oci-layout: check the path"):
        LayoutSource(tmp_path, None).top()
    with pytest.raises(NotFound, match="there is no oci-layout"):
        LayoutSource(tmp_path / "nowhere", None).names()


@pytest.mark.parametrize("text", [b"{}", b'{"imageLayoutVersion":"2.0.0"}', b"[]", b"", b"x"])
def test_a_layout_of_another_version_is_refused(tmp_path: Path, text: bytes) -> None:
    folder = _layout(tmp_path)
    (folder / "oci-layout").write_bytes(text)
    with pytest.raises(BadContent, match=r"oci:.*: oci-layout: "):
        LayoutSource(folder, None).top()


def test_a_wrong_index_names_the_file_and_the_field(tmp_path: Path) -> None:
    folder = _layout(tmp_path, {"mediaType": OCI_MANIFEST, "size": 1})
    with pytest.raises(BadContent, match=r"index\.json: manifests\[0\]\.digest is missing"):
        LayoutSource(folder, None).top()


def test_an_index_longer_than_is_read_is_refused_unread(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    os.truncate(folder / "index.json", 10 * 1024**3)
    with pytest.raises(BadContent, match=r"index\.json has 10737418240 bytes, more than"):
        LayoutSource(folder, None).top()


def test_a_document_longer_than_runtimes_read_is_refused_unread(tmp_path: Path) -> None:
    huge = Descriptor(media_type=OCI_LAYER, digest=_layer().digest, size=5 * 1024**2)
    with pytest.raises(BadContent, match="more than the 4194304 that runtimes read"):
        LayoutSource(_layout(tmp_path), None).document(huge)


def test_a_layout_without_images_says_so(tmp_path: Path) -> None:
    folder = _layout(tmp_path)
    (folder / "index.json").write_bytes(b'{"schemaVersion":2,"manifests":[]}')
    with pytest.raises(NotFound, match="holds no image"):
        LayoutSource(folder, None).top()


def test_the_file_is_closed_also_when_the_reader_stops_early(tmp_path: Path) -> None:
    source = LayoutSource(_layout(tmp_path), None)
    before = _open_files()
    with pytest.raises(ScanError, match="enough"):
        _stop_early(source)
    assert _open_files() == before
    with source.blob(_layer()):
        assert _open_files() == before + 1


def _stop_early(source: LayoutSource) -> None:
    with source.blob(_layer()) as chunks:
        next(chunks)
        raise ScanError("enough")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
