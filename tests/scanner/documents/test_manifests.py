from typing import Any

import pytest

from tests.scanner.documents.samples import (
    child_json,
    descriptor_json,
    encoded,
    index_json,
    manifest_json,
    named,
)
from tests.scanner.memory import digest_of
from webhook.scanner.documents.manifests import check_layers, read_index, read_manifest
from webhook.scanner.errors import BadContent
from webhook.scanner.image import Index, Manifest
from webhook.scanner.mediatypes import (
    DOCKER_CONFIG,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
)

HELM = "application/vnd.cncf.helm.config.v1+json"


def _manifest(**more: Any) -> Manifest:
    return read_manifest(*named(encoded(manifest_json(**more))))


def _index(*children: Any, **more: Any) -> Index:
    return read_index(*named(encoded(index_json(*children, **more)), OCI_INDEX))


def test_an_oci_manifest_gives_its_config_and_its_layers_in_order() -> None:
    layers = [descriptor_json(size=size) for size in (3, 1, 2)]
    manifest = _manifest(layers=layers)
    assert manifest.config.media_type == OCI_CONFIG
    assert [layer.size for layer in manifest.layers] == [3, 1, 2]
    assert manifest.artifact is None


def test_a_docker_manifest_is_read_as_well() -> None:
    document = manifest_json(mediaType=DOCKER_MANIFEST, config=descriptor_json(DOCKER_CONFIG))
    manifest = read_manifest(*named(encoded(document), DOCKER_MANIFEST))
    assert manifest.artifact is None


def test_an_index_gives_its_children_with_platform_and_annotations() -> None:
    notes = {"org.opencontainers.image.ref.name": "v1"}
    index = _index(child_json("linux/arm64/v8", annotations=notes), child_json(None))
    assert [child.platform for child in index.manifests] == ["linux/arm64", None]
    assert index.manifests[0].annotations == notes


def test_a_docker_list_is_read_as_well() -> None:
    document = index_json(child_json(), mediaType=DOCKER_LIST)
    assert len(read_index(*named(encoded(document), DOCKER_LIST)).manifests) == 1


def test_a_child_whose_platform_says_nothing_is_for_no_machine() -> None:
    empty = descriptor_json(OCI_MANIFEST, platform={"os": "", "architecture": None})
    attestation = child_json("unknown/unknown")
    platforms = [child.platform for child in _index(empty, attestation).manifests]
    assert platforms == ["unknown/unknown", "unknown/unknown"]


def test_fields_that_are_null_are_as_absent() -> None:
    child = descriptor_json(OCI_MANIFEST, platform=None, annotations=None, data=None, urls=None)
    assert _index(child, mediaType=None, layers=None, config=None).manifests[0].platform is None


def test_embedded_data_is_left_alone() -> None:
    layer = descriptor_json(data=7)
    assert _manifest(layers=[layer]).layers == _manifest().layers


def test_a_media_type_may_be_missing_in_the_document_itself() -> None:
    document = manifest_json()
    del document["mediaType"]
    assert read_manifest(*named(encoded(document))).layers


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"schemaVersion": 1}, "schemaVersion must be 2, not 1"),
        ({"schemaVersion": None}, "schemaVersion must be 2, not None"),
        ({"schemaVersion": True}, "schemaVersion must be a whole number, not true or false"),
        ({"mediaType": OCI_INDEX}, f"mediaType is '{OCI_INDEX}', but it came as {OCI_MANIFEST}"),
        ({"manifests": []}, "manifests must not stand here"),
        ({"config": None}, "config is missing"),
        ({"config": []}, "config must be an object, not a list"),
        ({"config": {}}, "config.mediaType is missing"),
        ({"layers": None}, "layers is missing"),
        ({"layers": {}}, "layers must be a list, not an object"),
        ({"layers": [1]}, "layers[0] must be an object, not a number"),
        ({"layers": [descriptor_json()] * 1001}, "layers has 1001 entries, more than the 1000"),
        ({"config": descriptor_json(OCI_CONFIG, size=4194305)}, "config.size is 4194305 bytes"),
        ({"config": descriptor_json(HELM), "artifactType": 3}, "artifactType must be text"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_digest_and_the_field(
    change: dict[str, Any], fault: str
) -> None:
    data, descriptor = named(encoded(manifest_json(**change)))
    with pytest.raises(BadContent) as caught:
        read_manifest(data, descriptor)
    assert str(caught.value).startswith(f"manifest {descriptor.digest}: {fault}")
    assert str(caught.value).endswith("; build the image anew and push it again")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"mediaType": ""}, "mediaType is missing"),
        ({"mediaType": "text"}, "mediaType is no media type"),
        ({"mediaType": "a/b\n"}, "mediaType is no media type"),
        ({"digest": None}, "digest is missing"),
        ({"digest": "sha256:../../etc/passwd"}, "digest is wrong: a sha256 digest has exactly 64"),
        ({"digest": digest_of(b"x").upper()}, "digest is wrong"),
        ({"digest": "md5:" + "0" * 32}, "digest is wrong: digest algorithm 'md5'"),
        ({"size": None}, "size is missing"),
        ({"size": -1}, "size must not be negative, it is -1"),
        ({"size": 64 * 1024**3 + 1}, "size is 68719476737 bytes, more than the 68719476736"),
        ({"size": 10**30}, "size must be a whole number"),
        ({"size": 1.0}, "size must be a whole number"),
        ({"size": True}, "size must be a whole number"),
        ({"size": "1"}, "size must be a whole number, not text"),
        ({"annotations": {"a": 1}}, r"annotations\['a'\] must be text"),
        ({"platform": "linux"}, "platform must be an object, not text"),
        ({"platform": {"os": "linux"}}, "platform.architecture is missing"),
        ({"platform": {"architecture": "amd64"}}, "platform.os is missing"),
        (
            {"platform": {"os": "li nux", "architecture": "a"}},
            "platform names no platform: 'li nux'",
        ),
        ({"platform": {"os": "x" * 101, "architecture": "a"}}, "platform.os has 101 characters"),
    ],
)
def test_a_wrong_descriptor_is_refused_with_its_path(change: dict[str, Any], fault: str) -> None:
    # As bytes, for orjson writes no number of more than 64 bits.
    text = encoded(manifest_json(layers=[descriptor_json(), {**descriptor_json(), "x": 0}]))
    if change.get("size") == 10**30:
        text = text.replace(b'"size":1,"x"', b'"size":%d,"x"' % 10**30)
    else:
        text = encoded(manifest_json(layers=[descriptor_json(), descriptor_json(**change)]))
    with pytest.raises(BadContent, match=rf": layers\[1\]\.{fault}"):
        read_manifest(*named(text))


def test_the_largest_layer_and_sha512_are_read() -> None:
    largest = descriptor_json(size=64 * 1024**3, digest="sha512:" + "a" * 128)
    assert _manifest(layers=[largest]).layers[0].size == 64 * 1024**3


def test_an_index_with_more_children_than_are_read_is_refused() -> None:
    assert len(_index(*[child_json()] * 1000).manifests) == 1000
    with pytest.raises(BadContent, match="manifests has 1001 entries, more than the 1000"):
        _index(*[child_json()] * 1001)


def test_an_index_that_could_also_be_read_as_a_manifest_is_refused() -> None:
    with pytest.raises(BadContent, match="layers must not stand here"):
        _index(child_json(), layers=[descriptor_json()])
    with pytest.raises(BadContent, match="config must not stand here"):
        _index(child_json(), config=descriptor_json(OCI_CONFIG))


def test_a_manifest_whose_config_is_no_images_is_an_artifact_and_says_what_it_is() -> None:
    assert _manifest(config=descriptor_json(HELM)).artifact == HELM
    empty = descriptor_json("application/vnd.oci.empty.v1+json")
    assert (
        _manifest(config=empty, artifactType="application/x.sbom").artifact == "application/x.sbom"
    )


def test_layers_that_cannot_be_read_are_named_with_their_place() -> None:
    data, descriptor = named(
        encoded(manifest_json(layers=[descriptor_json(), descriptor_json(OCI_LAYER + "+lz4")]))
    )
    manifest = read_manifest(data, descriptor)
    with pytest.raises(BadContent, match=rf"{descriptor.digest}: layers\[1\]: layer type '.*lz4'"):
        check_layers(manifest, descriptor)
    check_layers(_manifest(), descriptor)
