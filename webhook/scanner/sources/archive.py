"""`docker-archive:FILE[:REF]`: an image in a tar file, as docker save, podman save and skopeo write it.

Such a file has no manifest and no digests of its layers as stored, so both are made here: every layer is hashed once,
and an OCI manifest is written of what came out. It is no registry's manifest, and its digest is known nowhere else.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import orjson

from webhook.core.reference import parse, quoted
from webhook.core.words import clean
from webhook.scanner.documents.configs import read_diff_ids
from webhook.scanner.documents.parsing import DOCUMENT_LIMIT
from webhook.scanner.errors import BadContent, NotFound
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, layer_type
from webhook.scanner.sources.localfile import LocalFile
from webhook.scanner.sources.savedimages import LIST_LIMIT, SavedImage, read_list
from webhook.scanner.sources.tarindex import Span, TarIndex
from webhook.scanner.sources.verify import verified

_SHOWN = 20  # names in a message
_LIST = "manifest.json"


@dataclass(frozen=True, slots=True)
class _Made:
    """What was made of one image: the manifest, and where every blob lies."""

    descriptor: Descriptor
    manifest: bytes
    spans: dict[str, Span]


class ArchiveSource:
    """One image of an archive; implements `webhook.scanner.source.Source`.

    `reference` is one of the names that the image was saved by, or `@` and its place in the file from 0; None for the
    only one. Nothing is opened before a method is called.
    """

    def __init__(self, file: Path, reference: str | None) -> None:
        self._path = file
        self._reference = reference
        self._where = clean(f"docker-archive:{file}")
        self._opened: LocalFile | None = None

    def top(self) -> tuple[Descriptor, bytes]:
        """Make the manifest of the image that the reference names; reads all its layers. Raises ScanError."""
        return self._made.descriptor, self._made.manifest

    def document(self, descriptor: Descriptor) -> bytes:
        """Give the manifest or the config whole. Raises ScanError."""
        if descriptor.digest == self._made.descriptor.digest:
            return self._made.manifest
        with self.blob(descriptor) as chunks:
            return b"".join(chunks)

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a layer as chunks as stored, verified at its end. Raises ScanError."""
        span = self._made.spans.get(descriptor.digest)
        if span is None:
            raise NotFound(f"{self._where}: there is no blob {descriptor.digest}: save it anew")
        yield verified(self._file.chunks(span.offset, span.size), descriptor, self._where)

    def close(self) -> None:
        """Close the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def names(self) -> tuple[str, ...]:
        """Give the references that the image was saved by, canonical. Raises ScanError."""
        return tuple(name.canonical for name in self._chosen[1].names)

    @property
    def _file(self) -> LocalFile:
        if self._opened is None:
            self._opened = LocalFile(self._path, self._where)
        return self._opened

    @cached_property
    def _index(self) -> TarIndex:
        return TarIndex(self._file, self._where)

    @cached_property
    def _images(self) -> tuple[SavedImage, ...]:
        if self._index.find(_LIST) is None and self._index.find("oci-layout") is not None:
            raise BadContent(
                f"{self._where}: it is an OCI archive: unpack it with tar -xf, and name oci:DIR"
            )
        return read_list(self._member(_LIST, LIST_LIMIT), self._where)

    @cached_property
    def _chosen(self) -> tuple[int, SavedImage]:
        """The image that the reference names, and its place."""
        found = [item for item in enumerate(self._images) if self._matches(*item)]
        if not self._images:
            raise NotFound(f"{self._where} holds no image: save one into it")
        if not found:
            raise NotFound(
                f"{self._where} has no image {quoted(self._reference or '')}: "
                f"name one of {self._listed()}"
            )
        if len(found) > 1:
            raise NotFound(
                f"{self._where} holds several images: name one of {self._listed()}, "
                "as docker-archive:FILE:NAME"
            )
        return found[0]

    def _matches(self, place: int, image: SavedImage) -> bool:
        if self._reference is None:
            return True
        if self._reference.startswith("@"):
            return self._reference[1:] == str(place)
        return parse(self._reference) in image.names

    def _listed(self) -> str:
        names = [
            image.names[0].canonical if image.names else f"@{place}"
            for place, image in enumerate(self._images)
        ]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more

    @cached_property
    def _made(self) -> _Made:
        image = self._chosen[1]
        config = self._member(image.config, DOCUMENT_LIMIT)
        spans = [self._span(layer) for layer in image.layers]
        hashed = {span: self._hash(span) for span in dict.fromkeys(spans)}
        layers = [hashed[span] for span in spans]
        described = _describe(config, OCI_CONFIG)
        self._check_diff_ids(layers, read_diff_ids(config, described))
        manifest = orjson.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": _json(described),
                "layers": [_json(layer) for layer in layers],
            }
        )
        places = {layer.digest: span for layer, span in zip(layers, spans, strict=True)}
        return _Made(
            descriptor=_describe(manifest, OCI_MANIFEST),
            manifest=manifest,
            spans={**places, described.digest: self._span(image.config)},
        )

    def _span(self, name: str) -> Span:
        span = self._index.find(name)
        if span is None:
            raise BadContent(
                f"{self._where}: the archive has no {quoted(name)}: "
                "name what docker save or podman save wrote"
            )
        return span

    def _member(self, name: str, limit: int) -> bytes:
        span = self._span(name)
        if span.size > limit:
            raise BadContent(
                f"{self._where}: {quoted(name)} has {span.size} bytes, more than the {limit} "
                "that podman reads: save the image anew"
            )
        return self._file.read(span.offset, span.size)

    def _hash(self, span: Span) -> Descriptor:
        seen = hashlib.sha256()
        for chunk in self._file.chunks(span.offset, span.size):
            seen.update(chunk)
        return Descriptor(
            media_type=self._media_type(span),
            digest=f"sha256:{seen.hexdigest()}",
            size=span.size,
        )

    def _media_type(self, span: Span) -> str:
        # As docker load does: no name in the archive tells.
        start = self._file.read(span.offset, min(span.size, 6))
        if start.startswith(b"\x1f\x8b"):
            return layer_type("gzip")
        if start.startswith(b"\x28\xb5\x2f\xfd"):
            return layer_type("zstd")
        if start.startswith((b"BZh", b"\xfd7zXZ\x00")):
            raise BadContent(
                f"{self._where}: a layer is compressed with bzip2 or xz: load and save the image"
            )
        return OCI_LAYER

    def _check_diff_ids(self, layers: list[Descriptor], diff_ids: tuple[str, ...]) -> None:
        """Hold plain layers against the digests in the config, as docker load does; nothing else names them."""
        if len(layers) != len(diff_ids):
            raise BadContent(
                f"{self._where}: the image has {len(layers)} layers, "
                f"and its config {len(diff_ids)}: save it anew"
            )
        for layer, diff_id in zip(layers, diff_ids, strict=True):
            if layer.media_type == OCI_LAYER and layer.digest != diff_id:
                raise BadContent(
                    f"{self._where}: a layer is {layer.digest}, "
                    f"and should be {quoted(diff_id)}: copy the archive anew"
                )


def _describe(data: bytes, media_type: str) -> Descriptor:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


def _json(descriptor: Descriptor) -> dict[str, str | int]:
    return {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
