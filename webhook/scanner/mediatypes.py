"""The one list of media types: what registries are asked for, and what a scan can read.

Sources: OCI image-spec, media-types.md (v1.1); Docker, image manifest version 2, schema 2. The types of single layers
that Docker and others write besides are named where they stand.
"""

from typing import Literal

from webhook.core.reference import quoted
from webhook.scanner.errors import BadContent

Compression = Literal["none", "gzip", "zstd"]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"

# All four in one request, for without one of them a registry may answer with another document, and so another digest.
ACCEPT = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)

_INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
_MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_LAYERS: dict[str, Compression] = {
    OCI_LAYER: "none",
    f"{OCI_LAYER}+gzip": "gzip",
    f"{OCI_LAYER}+zstd": "zstd",
    DOCKER_LAYER: "none",
    f"{DOCKER_LAYER}.gzip": "gzip",
    # BuildKit and podman write it for zstd in manifests of Docker's kind; containerd and podman read it.
    f"{DOCKER_LAYER}.zstd": "zstd",
}
# Layers that a registry need not have: licences forbade to push them. Windows' base layers were of this kind.
_ELSEWHERE = (
    "application/vnd.docker.image.rootfs.foreign.",
    "application/vnd.oci.image.layer.nondistributable.",
)
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+"


def is_index(media_type: str) -> bool:
    """Tell whether it is an OCI index or a Docker manifest list."""
    return media_type in _INDEXES


def is_manifest(media_type: str) -> bool:
    """Tell whether it is the manifest of one image or artifact."""
    return media_type in _MANIFESTS


def is_image_config(media_type: str) -> bool:
    """Tell whether what it configures is a container image: Helm charts, signatures and other artifacts are none."""
    return media_type in _CONFIGS


def layer_type(compression: Compression) -> str:
    """Give the OCI media type of a layer that is stored so."""
    return OCI_LAYER if compression == "none" else f"{OCI_LAYER}+{compression}"


def layer_compression(media_type: str) -> Compression:
    """Tell how a layer is stored. Raises BadContent where it cannot be read: its type, and the cure."""
    compression = _LAYERS.get(media_type)
    if compression is None:
        raise BadContent(_layer_fault(media_type))
    return compression


def document_fault(media_type: str) -> str:
    """Say, as a clause, that a document is of no type that an image begins with, and the cure."""
    if media_type.startswith(_SCHEMA_1):
        return (
            "is of Docker's schema 1, which runtimes no longer run: "
            "pull it with an old Docker and push it with a new one, or build it anew"
        )
    return f"is of type {quoted(media_type)}, neither an image nor an index: name a container image"


def _layer_fault(media_type: str) -> str:
    if media_type.startswith(_ELSEWHERE):
        return (
            f"layer type {quoted(media_type)} is kept outside of registries: "
            "push the image with --allow-nondistributable-artifacts, or build it on another base"
        )
    return (
        f"layer type {quoted(media_type)} cannot be read: "
        "build the image with layers of tar, tar+gzip or tar+zstd"
    )
