"""A docker-archive as podman loads it under a name of ours.

Podman gives what it loads the names that stand in the archive, and takes them away from the user's images that have
them: an archive could so become the user's `ubuntu:latest`. So it gets a copy that names one image, by one name.
"""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from webhook.core.reference import InvalidReference, parse
from webhook.scanner.errors import ProbeError

_MANIFEST_LIMIT = 4 * 1024 * 1024
_LEFT_OUT = {
    "manifest.json",
    "repositories",
}  # the second is what images were named by before Docker 1.10
_MEMBER_LIMIT = 100_000  # an image has at most 127 layers, with three files each


def copy_archive(archive: Path, reference: str, copy: Path, name: str) -> None:
    """Copy an archive with one of its images, under `name` only.

    `reference` is one of its names, `@N` for the image in that place, or empty where there is one image only.
    Raises ProbeError.
    """
    where = f"docker-archive:{archive}"
    try:
        with tarfile.open(archive) as source, tarfile.open(copy, "w") as target:
            _copy_members(source, target)
            chosen = _choose(_manifest(source), reference, where)
            _add(target, json.dumps([chosen | {"RepoTags": [name]}]).encode())
    except (OSError, tarfile.TarError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ProbeError(f"{where}: podman cannot be given this archive: {error}") from error


def _copy_members(source: tarfile.TarFile, target: tarfile.TarFile) -> None:
    for count, member in enumerate(source):
        if count >= _MEMBER_LIMIT:
            raise ValueError(f"it has more than {_MEMBER_LIMIT} members")
        if member.name not in _LEFT_OUT:
            target.addfile(member, source.extractfile(member) if member.isreg() else None)


def _manifest(source: tarfile.TarFile) -> list[dict[str, Any]]:
    file = source.extractfile("manifest.json")
    data = file.read(_MANIFEST_LIMIT + 1) if file else b"[]"
    if len(data) > _MANIFEST_LIMIT:
        raise ValueError(f"its manifest.json has more than {_MANIFEST_LIMIT} bytes")
    found: list[dict[str, Any]] = json.loads(data)
    return found


def _choose(manifest: list[dict[str, Any]], reference: str, where: str) -> dict[str, Any]:
    if reference.startswith("@"):
        return manifest[int(reference[1:])]
    same = _same_as(reference)
    found = [
        each for each in manifest if not reference or any(map(same, each.get("RepoTags") or ()))
    ]
    if len(found) != 1:
        raise ProbeError(
            f"{where}: it has {len(found)} images for {reference or 'no name'!r}: "
            "name one, docker-archive:FILE:NAME"
        )
    return found[0]


def _same_as(reference: str) -> Callable[[str], bool]:
    def same(name: str) -> bool:
        try:
            return name == reference or parse(name) == parse(reference)
        except InvalidReference:
            return False

    return same


def _add(target: tarfile.TarFile, data: bytes) -> None:
    member = tarfile.TarInfo("manifest.json")
    member.size = len(data)
    target.addfile(member, io.BytesIO(data))
