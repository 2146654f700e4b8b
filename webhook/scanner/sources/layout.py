"""`oci:DIR[:REF]`: an image in a folder (OCI image-spec, image-layout.md), as skopeo, buildah and BuildKit write it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from webhook.core.reading import Malformed, text
from webhook.core.reference import InvalidReference, check_digest, names_registry, parse, quoted
from webhook.core.words import clean, cut
from webhook.scanner.documents.manifests import read_named_index
from webhook.scanner.documents.parsing import DOCUMENT_LIMIT, read_object
from webhook.scanner.errors import BadContent, NotFound
from webhook.scanner.image import Descriptor
from webhook.scanner.sources.localfile import LocalFile
from webhook.scanner.sources.verify import verified

_VERSION = "1.0.0"  # the only one there is; image-spec 1.1 kept it
_REF_NAME = "org.opencontainers.image.ref.name"  # OCI image-spec, annotations.md
_FULL_NAME = (
    "io.containerd.image.name"  # what containerd and BuildKit write besides: always a full name
)
_SHOWN = 20  # names in a message


class LayoutSource:
    """One image of a layout; implements `webhook.scanner.source.Source`.

    `reference` is what its index.json names it by, or `@` and a digest; None for the only one. Nothing is read before
    a method is called, and nothing outside of `folder`.
    """

    def __init__(self, folder: Path, reference: str | None) -> None:
        self._folder = folder
        self._reference = reference
        self._where = clean(f"oci:{folder}")

    def top(self) -> tuple[Descriptor, bytes]:
        """Read the index or manifest that the reference names. Raises ScanError."""
        descriptor = self._chosen[0]
        return descriptor, self.document(descriptor)

    def document(self, descriptor: Descriptor) -> bytes:
        """Read a manifest, an index or a config whole. Raises ScanError."""
        if descriptor.size > DOCUMENT_LIMIT:
            raise BadContent(
                f"{self._where}: {descriptor.digest} has {descriptor.size} bytes, more than the "
                f"{DOCUMENT_LIMIT} that runtimes read of a document: build the image anew"
            )
        with self.blob(descriptor) as chunks:
            return b"".join(chunks)

    @contextmanager
    def blob(self, descriptor: Descriptor) -> Iterator[Iterator[bytes]]:
        """Open a blob as chunks, verified at its end. Raises ScanError."""
        file = self._open(self._blob_path(descriptor.digest))
        try:
            yield verified(file.chunks(0, file.size), descriptor, self._where)
        finally:
            file.close()

    def close(self) -> None:
        """Do nothing: a file is open only while it is read."""

    def names(self) -> tuple[str, ...]:
        """Give the full references that the layout itself names the image by, canonical. Raises ScanError."""
        found: dict[str, None] = {}
        for key in (_FULL_NAME, _REF_NAME):
            for entry in self._chosen:
                if name := _full_name(entry.annotations.get(key, "")):
                    found[name] = None
        return tuple(found)

    @cached_property
    def _entries(self) -> tuple[Descriptor, ...]:
        read_object(f"{self._where}: oci-layout", self._small("oci-layout"), _check_version)
        return read_named_index(self._small("index.json"), f"{self._where}: index.json").manifests

    @cached_property
    def _chosen(self) -> tuple[Descriptor, ...]:
        """The entries of the one image that the reference names: they differ in their names only."""
        found = [entry for entry in self._entries if self._matches(entry)]
        if not found and not self._entries:
            raise NotFound(f"{self._where} holds no image: copy one into it with skopeo")
        if not found:
            raise NotFound(
                f"{self._where} has no image {quoted(self._reference or '')}: "
                f"name one of {_listed(self._entries)}"
            )
        if len({(entry.digest, entry.media_type, entry.size) for entry in found}) > 1:
            raise NotFound(
                f"{self._where} holds several images: name one of {_listed(found)}, as oci:DIR:NAME"
            )
        return tuple(found)

    def _matches(self, entry: Descriptor) -> bool:
        if self._reference is None:
            return True
        if self._reference.startswith("@"):
            return entry.digest == self._reference[1:]
        return _is_named(entry, self._reference)

    def _small(self, name: str) -> bytes:
        file = self._open(self._folder / name)
        try:
            if file.size > DOCUMENT_LIMIT:
                raise BadContent(
                    f"{self._where}: {name} has {file.size} bytes, more than the {DOCUMENT_LIMIT} "
                    "that are read: copy the image to a new layout"
                )
            return file.read(0, file.size)
        finally:
            file.close()

    def _blob_path(self, digest: str) -> Path:
        try:
            check_digest(digest)
        except InvalidReference as error:
            raise BadContent(f"{self._where}: {error}") from None
        algorithm, _, hexadecimal = digest.partition(":")
        return self._folder / "blobs" / algorithm / hexadecimal

    def _open(self, path: Path) -> LocalFile:
        return LocalFile(path, self._where, inside=self._folder)


def _check_version(source: Mapping[str, Any]) -> None:
    version = text(source, "imageLayoutVersion")
    if version != _VERSION:
        raise Malformed("imageLayoutVersion", f"must be {_VERSION}, not {quoted(version or '')}")


def _is_named(entry: Descriptor, name: str) -> bool:
    return entry.annotations.get(_REF_NAME) == name


def _full_name(name: str) -> str | None:
    """Give a name canonically where it has a registry; most layouts have a tag only, or any word."""
    first, slash, _ = name.partition("/")
    if not slash or not names_registry(first):
        return None
    try:
        return parse(name).canonical
    except InvalidReference:
        return None


def _listed(entries: Sequence[Descriptor]) -> str:
    names = dict.fromkeys(
        cut(entry.annotations.get(_REF_NAME) or f"@{entry.digest}", 100) for entry in entries
    )
    shown = ", ".join(list(names)[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
