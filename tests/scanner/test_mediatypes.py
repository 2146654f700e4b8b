import pytest

from webhook.scanner.errors import BadContent
from webhook.scanner.mediatypes import (
    ACCEPT,
    Compression,
    is_image_config,
    is_index,
    is_manifest,
    layer_compression,
    layer_type,
)

OCI = "application/vnd.oci.image.layer.v1.tar"
DOCKER = "application/vnd.docker.image.rootfs.diff.tar"


def test_a_registry_is_asked_for_indexes_and_manifests_of_both_kinds() -> None:
    assert len(ACCEPT) == len(set(ACCEPT)) == 4
    assert sum(map(is_index, ACCEPT)) == sum(map(is_manifest, ACCEPT)) == 2
    assert not any(map(is_image_config, ACCEPT))


@pytest.mark.parametrize(
    ("media_type", "compression"),
    [
        (OCI, "none"),
        (f"{OCI}+gzip", "gzip"),
        (f"{OCI}+zstd", "zstd"),
        (DOCKER, "none"),
        (f"{DOCKER}.gzip", "gzip"),
        (f"{DOCKER}.zstd", "zstd"),
    ],
)
def test_layers_of_oci_and_docker_tell_how_they_are_stored(
    media_type: str, compression: Compression
) -> None:
    assert layer_compression(media_type) == compression
    assert layer_compression(layer_type(compression)) == compression


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    ],
)
def test_layers_that_no_registry_has_are_refused_with_the_cure(media_type: str) -> None:
    with pytest.raises(BadContent, match="--allow-nondistributable-artifacts"):
        layer_compression(media_type)


@pytest.mark.parametrize("media_type", ["application/vnd.in-toto+json", "text/\n", f"{OCI}+xz", ""])
def test_layers_of_other_types_are_refused_by_name(media_type: str) -> None:
    with pytest.raises(BadContent) as caught:
        layer_compression(media_type)
    assert ascii(media_type) in str(caught.value)
