"""Images in memory: a Source that verifies as every other does, and can be made to misbehave.

source = image_of({"User": "1000"}, layer_bytes, another_layer)
source = index_of(image_of({}, layer), image_of({}, layer, platform="linux/arm64"))
source.store[digest] = b"other bytes"            # a registry that lies
del source.store[digest]                         # a blob that is gone
source.failures[digest] = Unreachable("...")     # raised when it is asked for
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson

from webhook.scanner.errors import NotFound, ScanError
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, layer_type
from webhook.scanner.sources.verify import check_bytes, verified

Json = dict[str, Any]
_CHUNK = 64 * 1024


class MemorySource:
    """Implements `webhook.scanner.source.Source`.

    Attributes:
        store: bytes by the digest that they are asked for by; change them to lie.
        failures: what is raised when a digest is asked for; for a blob when its last chunk would come.
        fetched: digests in the order in which they were asked for, the top included.
        streamed: bytes of blobs that were given out, by digest.
        opened: blobs that are open now.
        closed: close() was called.
    """

    def __init__(self, top: Descriptor, store: Mapping[str, bytes]) -> None:
        self.descriptor = top
        self.store = dict(store)
        self.failures: dict[str, ScanError] = {}
        self.fetched: list[str] = []
        self.streamed: dict[str, int] = {}
        self.opened = 0
        self.closed = False

    def top(self) -> tuple[Descriptor, bytes]:
        return self.descriptor, self.document(self.descriptor)

    def document(self, descriptor: Descriptor) -> bytes:
        self.fetched.append(descriptor.digest)
        if failure := self.failures.get(descriptor.digest):
            raise failure
        return check_bytes(self._found(descriptor), descriptor, "memory")

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        self.fetched.append(descriptor.digest)
        data = self._found(descriptor)
        self.opened += 1
        try:
            yield verified(self._chunks(data, descriptor.digest), descriptor, "memory")
        finally:
            self.opened -= 1

    def close(self) -> None:
        self.closed = True

    def _found(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest not in self.store:
            raise NotFound(f"memory: there is no blob {descriptor.digest}")
        return self.store[descriptor.digest]

    def _chunks(self, data: bytes, digest: str) -> Iterator[bytes]:
        for start in range(0, len(data), _CHUNK):
            if start + _CHUNK >= len(data) and digest in self.failures:
                raise self.failures[digest]
            chunk = data[start : start + _CHUNK]
            self.streamed[digest] = self.streamed.get(digest, 0) + len(chunk)
            yield chunk


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def descriptor_of(data: bytes, media_type: str, **more: Any) -> Descriptor:
    return Descriptor(media_type=media_type, digest=digest_of(data), size=len(data), **more)


def as_json(descriptor: Descriptor, **more: Any) -> Json:
    """Write a descriptor as documents have it; `more` adds fields or replaces them."""
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
        **more,
    }


def platform_json(platform: str) -> Json:
    """Write `linux/arm64/v8` as indexes and configs have it."""
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def layer_descriptor(data: bytes) -> Descriptor:
    """Describe a layer, of the type that its first bytes show: gzip, zstd, else a plain tar."""
    if data.startswith(b"\x1f\x8b"):
        return descriptor_of(data, layer_type("gzip"))
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        return descriptor_of(data, layer_type("zstd"))
    return descriptor_of(data, layer_type("none"))


def image_of(config: Json, *layers: bytes, platform: str = "linux/amd64") -> MemorySource:
    """Make an image of layers, from the lowest up, and what stands under `config` in its config: User, Env, Cmd.

    `source.descriptor` is its manifest's.
    """
    document = {**platform_json(platform), "config": config, "rootfs": {"type": "layers"}}
    return manifest_of(orjson.dumps(document), *layers)


def manifest_of(config: bytes, /, *layers: bytes, **more: Any) -> MemorySource:
    """Make an image of a config document as bytes; `more` adds fields to its manifest or replaces them."""
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": as_json(descriptor_of(config, OCI_CONFIG)),
        "layers": [as_json(layer_descriptor(layer)) for layer in layers],
        **more,
    }
    return source_of(manifest, OCI_MANIFEST, {digest_of(blob): blob for blob in (config, *layers)})


def index_of(*sources: MemorySource, **more: Any) -> MemorySource:
    """Make an index of images and indexes, each image with the platform that its config tells.

    `more` adds fields to the index or replaces them.
    """
    store: dict[str, bytes] = {}
    for source in sources:
        store.update(source.store)
    children = [child_json(source) for source in sources]
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children, **more}
    return source_of(index, OCI_INDEX, store)


def child_json(source: MemorySource) -> Json:
    """Write what an index has of an image: its descriptor, with its config's platform where it has one."""
    manifest = orjson.loads(source.store[source.descriptor.digest])
    if "config" not in manifest:
        return as_json(source.descriptor)
    config = orjson.loads(source.store[manifest["config"]["digest"]])
    platform = {key: config[key] for key in ("os", "architecture", "variant") if key in config}
    return as_json(source.descriptor, **({"platform": platform} if platform else {}))


def source_of(document: Json, media_type: str, store: Mapping[str, bytes]) -> MemorySource:
    """Make a source of a document of any content, and the blobs that it may name."""
    data = orjson.dumps(document)
    return MemorySource(descriptor_of(data, media_type), {**store, digest_of(data): data})
