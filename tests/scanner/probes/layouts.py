"""OCI layouts with one layer, made by hand in a moment."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.images.compiling import compiled

SOURCE = Path(__file__).with_name("program.c")
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, kw_only=True)
class Content:
    """What is in an image beside its program.

    Attributes:
        command: what it starts.
        files: by path, with their content; executable.
        links: by path, with their target.
        over: files in a second layer.
        config: more of its config.
        annotations: of its manifest.
    """

    command: Sequence[str]
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    over: Mapping[str, bytes] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


class Layouts:
    """Makes layouts in a folder, all with the same program, `/program`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.program = compiled(SOURCE, folder).read_bytes()
        self._count = 0

    def of(self, *words: str) -> str:
        """Make an image whose program gets these words, and give what podman calls it."""
        return self.make(Content(command=["/program", *words]))

    def make(self, content: Content, *names: str) -> str:
        """Make an image that is listed under these names, and give what podman calls it by the first."""
        self._count += 1
        layout = self._folder / f"layout{self._count}"
        (layout / "blobs/sha256").mkdir(parents=True)
        layers = [_tar({"program": self.program, **content.files}, content.links)]
        layers += [_tar(content.over, {})] if content.over else []
        # A line of its own, so that no two images are the same.
        config = {
            "architecture": "amd64",
            "os": "linux",
            "author": layout.name,
            "config": {"Entrypoint": list(content.command), **content.config},
            # By its history podman knows what an image was built on.
            "history": [{"created_by": f"layer {number}"} for number in range(len(layers))],
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer) for layer in layers]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _write(layout, json.dumps(config).encode(), _CONFIG),
            "layers": [_write(layout, layer, _LAYER) for layer in layers],
            "annotations": dict(content.annotations),
        }
        descriptor = _write(layout, json.dumps(manifest).encode(), _MANIFEST)
        listed: list[dict[str, Any]] = [
            {**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}}
            for name in names
        ]
        index = {"schemaVersion": 2, "manifests": listed or [descriptor]}
        (layout / "index.json").write_text(json.dumps(index))
        (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return f"oci:{layout}:{names[0]}" if names else f"oci:{layout}"


def _tar(files: Mapping[str, bytes], links: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
        for path, target in links.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return packed.getvalue()


def _write(layout: Path, blob: bytes, media_type: str) -> dict[str, Any]:
    digest = _digest(blob)
    (layout / "blobs/sha256" / digest.partition(":")[2]).write_bytes(blob)
    return {"mediaType": media_type, "digest": digest, "size": len(blob)}


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"
