"""Images of one static program, made by hand in a moment: one layer, one config, one manifest."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.scanner.registry import RunningRegistry, sha256

# The platform of the machine that compiled the program; others cannot run here anyway.
PLATFORM = {"architecture": "amd64", "os": "linux"}

LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push_scratch_image(
    registry: RunningRegistry,
    repository: str,
    program: Path,
    arguments: Sequence[str] = (),
    *,
    user: str = "",
    files: Mapping[str, str] | None = None,
    platform: Mapping[str, str] = PLATFORM,
) -> str:
    """Push an image that runs this static program with these arguments; return its digest.

    `files` are texts by path, such as `etc/passwd`, that anybody may read.
    """
    name = f"/{program.name}"
    contents = {path: (text.encode(), 0o644) for path, text in (files or {}).items()}
    layer = _layer({**contents, program.name: (program.read_bytes(), 0o755)})
    config = json.dumps(
        {
            **platform,
            "config": {"Entrypoint": [name], "Cmd": list(arguments), "User": user},
            "rootfs": {"type": "layers", "diff_ids": [sha256(layer)]},
        }
    ).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _descriptor(CONFIG, config),
        "layers": [_descriptor(LAYER, layer)],
    }
    for blob in (layer, config):
        registry.push_blob(repository, blob)
    return registry.push_manifest(repository, "latest", json.dumps(manifest).encode(), MANIFEST)


def _descriptor(media_type: str, blob: bytes) -> dict[str, str | int]:
    return {"mediaType": media_type, "digest": sha256(blob), "size": len(blob)}


def _layer(contents: Mapping[str, tuple[bytes, int]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, (content, mode) in contents.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
