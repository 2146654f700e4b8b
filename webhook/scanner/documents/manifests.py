"""Indexes and manifests, OCI's and Docker's: bytes -> values (OCI image-spec, image-index.md and manifest.md)."""

from collections.abc import Mapping
from typing import Any

from webhook.core.reading import Malformed, each, inside, integer, text
from webhook.core.reference import quoted
from webhook.scanner.documents.descriptors import LAYER_LIMIT, read_descriptor
from webhook.scanner.documents.parsing import DOCUMENT_LIMIT, check_keys, keys, read_object
from webhook.scanner.errors import BadContent
from webhook.scanner.image import Descriptor, Index, Manifest
from webhook.scanner.mediatypes import OCI_INDEX, is_image_config, layer_compression

# What a layout or an index of many versions may come to; a real index has some 40, half of them attestations.
CHILDREN_LIMIT = 1000
# Overlay file systems, and so Docker, stop at 127; more can be pushed, never run.
_LAYERS_LIMIT = 1000

_KEYS = keys("schemaVersion", "mediaType", "manifests", "config", "layers", "artifactType")


def read_index(data: bytes, descriptor: Descriptor) -> Index:
    """Read an index that `descriptor` names. Raises BadContent."""
    return read_named_index(data, f"index {descriptor.digest}", descriptor.media_type)


def read_named_index(data: bytes, where: str, media_type: str = OCI_INDEX) -> Index:
    """Read an index that nothing but its place names, as a layout's index.json. Raises BadContent."""
    return read_object(where, data, lambda source: _index(source, media_type))


def read_manifest(data: bytes, descriptor: Descriptor) -> Manifest:
    """Read a manifest, of an image or of an artifact, that `descriptor` names. Raises BadContent."""
    return read_object(
        f"manifest {descriptor.digest}",
        data,
        lambda source: _manifest(source, descriptor.media_type),
    )


def check_layers(manifest: Manifest, descriptor: Descriptor) -> None:
    """Check that every layer is of a type that can be read. Raises BadContent."""
    for number, layer in enumerate(manifest.layers):
        try:
            layer_compression(layer.media_type)
        except BadContent as error:
            raise BadContent(f"manifest {descriptor.digest}: layers[{number}]: {error}") from None


def _index(source: Mapping[str, Any], media_type: str) -> Index:
    _check(source, media_type, ("layers", "config"))
    return Index(manifests=_descriptors(source, "manifests", CHILDREN_LIMIT, DOCUMENT_LIMIT))


def _manifest(source: Mapping[str, Any], media_type: str) -> Manifest:
    _check(source, media_type, ("manifests",))
    config = inside(source, "config", lambda value: read_descriptor(value, DOCUMENT_LIMIT))
    if config is None:
        raise Malformed("config", "is missing")
    artifact = None
    if not is_image_config(config.media_type):
        artifact = text(source, "artifactType") or config.media_type
    return Manifest(
        config=config,
        layers=_descriptors(source, "layers", _LAYERS_LIMIT, LAYER_LIMIT),
        artifact=artifact,
    )


def _check(source: Mapping[str, Any], media_type: str, foreign: tuple[str, ...]) -> None:
    """Refuse a document that could also be read as another kind (CVE-2021-41190). Raises Malformed."""
    check_keys(source, _KEYS)
    version = integer(source, "schemaVersion")
    if version != 2:
        raise Malformed("schemaVersion", f"must be 2, not {version}")
    own = text(source, "mediaType")
    if own is not None and own != media_type:
        raise Malformed("mediaType", f"is {quoted(own)}, but it came as {media_type}")
    for key in foreign:
        if source.get(key) is not None:
            raise Malformed(key, "must not stand here: this is another kind of document")


def _descriptors(
    source: Mapping[str, Any], key: str, count: int, size: int
) -> tuple[Descriptor, ...]:
    value = source.get(key)
    if isinstance(value, list) and len(value) > count:
        raise Malformed(key, f"has {len(value)} entries, more than the {count} that are read")
    found = each(source, key, lambda _, item: read_descriptor(item, size))
    if found is None:
        raise Malformed(key, "is missing")
    return found
