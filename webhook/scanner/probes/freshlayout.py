"""One platform's image as a fresh OCI layout (OCI image-spec, image-layout.md), the only thing that podman is given.

Podman could go to the registry itself. But then strangers would have it read what the scan refuses: endless blobs,
bombs in layers that a static scan need not read, redirects and token realms that lead into other networks. So all comes
through the scan's own sources, bounded and verified, and each layer is read to its end while it is written down: as a
tar, for what it would unpack to must be known before, and sparse files are small in any tar.

The manifest is ours: of the image's own it keeps the config and the layers. Annotations are left out, for podman hands
those of an image to the runtime, which takes orders from some (`run.oci.*`, `org.systemd.property.*`).

The config is the image's, with white space behind it, which JSON does not mind (RFC 8259, section 2). Podman knows
images by the digest of the config. With another one this image is the probe's alone: where podman has the same image
already, pulling it under the same digest gives that one our manifest for good (tried with podman 4.3). Layers it has
are fetched all the same, and shared in its storage.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from webhook.core.reference import check_digest
from webhook.scanner.errors import ProbeError
from webhook.scanner.image import Descriptor, PlatformImage
from webhook.scanner.layers.decompression import decompress
from webhook.scanner.layers.stack import check_count, check_diff_id
from webhook.scanner.layers.tarstream import entries
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_MANIFEST, layer_compression, layer_type
from webhook.scanner.probes.room import Room
from webhook.scanner.progress import Progress
from webhook.scanner.source import Source

_REF_NAME = "org.opencontainers.image.ref.name"  # OCI image-spec, annotations.md
# Bytes on a disk for each entry, beside its own: a folder's block, or what a file's last one leaves empty.
_BLOCK = 4096
_MARK_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Unpacked:
    """What a layer is once unpacked: the digest of its tar, and the bytes that it takes on a disk."""

    diff_id: str
    size: int


def write_layout(
    source: Source, image: PlatformImage, folder: Path, name: str, room: Room, progress: Progress
) -> None:
    """Fetch the image into `folder`, which is made, as a layout that lists it as `name`.

    `name` also makes the image one that nobody else has. Raises ScanError: the source's own; BadContent where a layer
    is not what it should be; ProbeError where it, unpacked, would fill the disk.
    """
    check_count(image)
    try:
        (folder / "blobs").mkdir(mode=0o700, parents=True)
        config = _add_blob(
            folder, OCI_CONFIG, source.document(image.config_blob) + _white_space(name)
        )
        layers = _Layers(source, image, folder, room, progress).fetch()
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config,
            "layers": layers,
        }
        listed = _add_blob(folder, OCI_MANIFEST, orjson.dumps(manifest))
        index = {"schemaVersion": 2, "manifests": [{**listed, "annotations": {_REF_NAME: name}}]}
        _write(folder / "index.json", [orjson.dumps(index)])
        _write(folder / "oci-layout", [b'{"imageLayoutVersion": "1.0.0"}'])
    except OSError as error:
        raise ProbeError(
            f"podman: the image cannot be written to {folder}: {error.strerror}; free space there, or set TMPDIR "
            "to a larger disk"
        ) from error


class _Layers:
    """Fetches the layers of one image into a layout."""

    def __init__(
        self, source: Source, image: PlatformImage, folder: Path, room: Room, progress: Progress
    ) -> None:
        self._source, self._image, self._folder = source, image, folder
        self._room, self._progress = room, progress
        self._known: dict[str, _Unpacked] = {}

    def fetch(self) -> list[dict[str, Any]]:
        """Fetch each layer once, and describe them all, from the lowest up. Raises ScanError, OSError."""
        sizes = {layer.digest: layer.size for layer in self._image.layers}
        # Twice: podman copies layers to a temporary folder, ours, before it unpacks them.
        left, unpacked = 2 * sum(sizes.values()), 0
        self._progress.expect(sum(sizes.values()))
        self._room.check(stored=left, unpacked=0)
        for place, layer in enumerate(self._image.layers):
            if layer.digest not in self._known:
                self._known[layer.digest] = self._fetch(layer)
                left -= layer.size
            found = self._known[layer.digest]
            check_diff_id(self._image, place, found.diff_id)
            # Once for each place: podman unpacks a layer that an image has twice twice.
            unpacked += found.size
            self._room.check(stored=left, unpacked=unpacked)
        return [_described(layer) for layer in self._image.layers]

    def _fetch(self, layer: Descriptor) -> _Unpacked:
        where, seen, size = f"layer {layer.digest}", hashlib.sha256(), 0
        compression = layer_compression(layer.media_type)
        with self._source.blob(layer) as chunks:
            stored = _copied(self._counted(chunks), _blob_path(self._folder, layer.digest))
            for entry in entries(_hashed(decompress(stored, compression, where), seen), where):
                size += entry.size + _BLOCK
        return _Unpacked(diff_id=f"sha256:{seen.hexdigest()}", size=size)

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._progress.advance(len(chunk))
            yield chunk


def _hashed(pieces: Iterable[bytes], seen: "hashlib._Hash") -> Iterator[bytes]:
    for piece in pieces:
        seen.update(piece)
        yield piece


def _described(layer: Descriptor) -> dict[str, Any]:
    """Describe a layer by an OCI type: podman reads no manifest that mixes them with Docker's."""
    media_type = layer_type(layer_compression(layer.media_type))
    return {"mediaType": media_type, "digest": layer.digest, "size": layer.size}


def _white_space(name: str) -> bytes:
    """Write a hash of the name as blanks and tabs."""
    digest = hashlib.sha256(name.encode()).digest()
    bits = f"{int.from_bytes(digest):0256b}"[:_MARK_BITS]
    return b"\n" + bits.translate({ord("0"): " ", ord("1"): "\t"}).encode()


def _add_blob(folder: Path, media_type: str, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _write(_blob_path(folder, digest), [data])
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _blob_path(folder: Path, digest: str) -> Path:
    check_digest(digest)  # it becomes a file's name
    algorithm, _, digits = digest.partition(":")
    (folder / "blobs" / algorithm).mkdir(mode=0o700, exist_ok=True)
    return folder / "blobs" / algorithm / digits


def _write(path: Path, chunks: Iterable[bytes]) -> None:
    for _ in _copied(chunks, path):
        pass


def _copied(chunks: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """Pass chunks on, each when it is written to a new file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            file.write(chunk)
            yield chunk
