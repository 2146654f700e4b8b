"""An OCI layout as podman pulls it under a name of ours.

Podman names what it pulls by what stands in the layout, and moves that name away from whatever image of the user's has
it. So it is shown a layout of our own: the same blobs, and an index with one image under one name.
"""

import json
from pathlib import Path
from typing import Any

from webhook.scanner.errors import ProbeError

_LIMIT = 4 * 1024 * 1024  # of a manifest or an index, as registries have it
_NAME = "org.opencontainers.image.ref.name"


def write_view(layout: Path, reference: str, folder: Path, name: str) -> None:
    """Write a layout into `folder` that shows one image of `layout` as `name`.

    `reference` is a name in its index, a digest, or empty where there is one image only. Raises ProbeError.
    """
    where = f"oci:{layout}"
    try:
        descriptor = _find(layout, reference, where)
        folder.mkdir()
        (folder / "blobs").symlink_to((layout / "blobs").resolve(strict=True))
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": [descriptor | {"annotations": {_NAME: name}}]}
        (folder / "index.json").write_text(json.dumps(index))
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise ProbeError(f"{where}: podman cannot be given this layout: {error}") from error


def _find(layout: Path, reference: str, where: str) -> dict[str, Any]:
    digest = reference.removeprefix("@")
    listed: list[dict[str, Any]] = _read(layout / "index.json")["manifests"]
    found = [each for each in listed if _answers_to(each, reference, digest)]
    if not found and ":" in digest and "/" not in digest:
        found = [_stored(layout, digest)]
    if not found or (not reference and len(found) > 1):
        raise ProbeError(
            f"{where}: its index has {len(found)} images for {reference or 'no name'!r}: name one, oci:DIR:NAME"
        )
    return found[0]


def _answers_to(descriptor: dict[str, Any], reference: str, digest: str) -> bool:
    names = (descriptor.get("annotations") or {}).get(_NAME), descriptor["digest"]
    return not reference or reference in names or digest in names


def _stored(layout: Path, digest: str) -> dict[str, Any]:
    """Describe a manifest that the index names only through another index."""
    algorithm, _, digits = digest.partition(":")
    blob = layout / "blobs" / algorithm / digits
    return {
        "mediaType": _read(blob).get("mediaType", "application/vnd.oci.image.manifest.v1+json"),
        "digest": digest,
        "size": blob.stat().st_size,
    }


def _read(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(_LIMIT + 1)
    if len(data) > _LIMIT:
        raise ValueError(f"{path.name} has more than {_LIMIT} bytes")
    found = json.loads(data)
    if not isinstance(found, dict):
        raise TypeError(f"{path.name} is no object")
    return found
