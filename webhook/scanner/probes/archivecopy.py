"""A docker-archive as podman loads it under a name of ours.

Podman gives what it loads the names that stand in the archive, and takes them away from the user's images that have
them: an archive could so become the user's `ubuntu:latest`. So it gets a copy that names one image, by one name. Where
the image's parts lie is read as for the rest of the scan: readers of tar differ, and what is started must be what was
looked at.
"""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from webhook.core.reference import InvalidReference, parse
from webhook.scanner.errors import ProbeError, ScanError
from webhook.scanner.sources.localfile import LocalFile
from webhook.scanner.sources.savedimages import LIST_LIMIT, SavedImage, read_list
from webhook.scanner.sources.tarindex import Span, TarIndex

_LIST = "manifest.json"


def copy_archive(archive: Path, reference: str, copy: Path, name: str) -> None:
    """Copy one image of an archive, under `name` only.

    `reference` is one of its names, `@N` for the image in that place, or empty where there is one image only.
    Raises ProbeError.
    """
    where = f"docker-archive:{archive}"
    try:
        file = LocalFile(archive, where)
        try:
            _copy(archive, TarIndex(file, where), file, reference, where, copy, name)
        finally:
            file.close()
    except (OSError, tarfile.TarError, ScanError, LookupError, ValueError) as error:
        raise ProbeError(f"{where}: podman cannot be given this archive: {error}") from error


def _copy(
    archive: Path,
    index: TarIndex,
    file: LocalFile,
    reference: str,
    where: str,
    copy: Path,
    name: str,
) -> None:
    listed = _found(index, _LIST)
    if listed.size > LIST_LIMIT:
        raise ValueError(f"its {_LIST} has more than {LIST_LIMIT} bytes")
    image = _choose(read_list(file.read(listed.offset, listed.size), where), reference, where)
    layers = [_found(index, layer) for layer in image.layers]
    names = {span: f"{number}.tar" for number, span in enumerate(layers)}
    manifest = {
        "Config": "config.json",
        "RepoTags": [name],
        "Layers": [names[span] for span in layers],
    }
    with archive.open("rb") as source, tarfile.open(copy, "w") as target:
        _add(target, "config.json", source, _found(index, image.config))
        for span, member in names.items():
            _add(target, member, source, span)
        data = json.dumps([manifest]).encode()
        _add(target, _LIST, io.BytesIO(data), Span(0, len(data)))


def _found(index: TarIndex, name: str) -> Span:
    span = index.find(name)
    if span is None:
        raise LookupError(f"it has no {name!r}")
    return span


def _choose(images: Sequence[SavedImage], reference: str, where: str) -> SavedImage:
    if reference.startswith("@"):
        return images[int(reference[1:])]
    found = [image for image in images if not reference or _is_called(image, reference)]
    if len(found) != 1:
        raise ProbeError(
            f"{where}: it has {len(found)} images for {reference or 'no name'!r}: "
            "name one, docker-archive:FILE:NAME"
        )
    return found[0]


def _is_called(image: SavedImage, reference: str) -> bool:
    try:
        return parse(reference) in image.names
    except InvalidReference:
        return False


def _add(target: tarfile.TarFile, name: str, source: io.BufferedIOBase, span: Span) -> None:
    member = tarfile.TarInfo(name)
    member.size = span.size
    source.seek(span.offset)
    target.addfile(member, source)
