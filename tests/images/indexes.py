"""Images that no Containerfile makes: the manifest of a layout becomes an index, as OCI's image-index.md has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Document = dict[str, Any]

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
IN_TOTO = "application/vnd.in-toto+json"
PROVENANCE = "https://slsa.dev/provenance/v0.2"


def two_platforms(layout: Path) -> None:
    """Make it an image for amd64 and arm64, of the same layers: only the configurations tell them apart."""
    manifest = _read(layout, _top(layout))
    config = _read(layout, manifest["config"])
    children = []
    for platform in ({"architecture": "amd64"}, {"architecture": "arm64", "variant": "v8"}):
        described = _write(layout, CONFIG, {**config, **platform})
        child = _write(layout, MANIFEST, {**manifest, "config": described})
        children.append({**child, "platform": {"os": "linux", **platform}})
    _write_top(layout, children)


def attested(layout: Path) -> None:
    """Add what BuildKit adds: a child for the platform unknown/unknown, which attests how the other was built.

    Source: BuildKit, docs/attestations/attestation-storage.md.
    """
    image = _top(layout)
    config = _read(layout, _read(layout, image)["config"])
    platform = {"os": config["os"], "architecture": config["architecture"]}
    statement = _write(layout, IN_TOTO, _statement(image["digest"]))
    unknown = {"os": "unknown", "architecture": "unknown"}
    layers = {"type": "layers", "diff_ids": [statement["digest"]]}
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": _write(layout, CONFIG, {**unknown, "config": {}, "rootfs": layers}),
        "layers": [{**statement, "annotations": {"in-toto.io/predicate-type": PROVENANCE}}],
    }
    annotations = {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image["digest"],
    }
    attestation = _write(layout, MANIFEST, manifest)
    children = [
        {**image, "platform": platform},
        {**attestation, "platform": unknown, "annotations": annotations},
    ]
    _write_top(layout, children)


def _statement(digest: str) -> Document:
    """Say, in in-toto's form, where the image comes from: nothing, for these are made by hand."""
    return {
        "_type": "https://in-toto.io/Statement/v0.1",
        "predicateType": PROVENANCE,
        "subject": [{"name": "_", "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": {},
    }


def _top(layout: Path) -> Document:
    """Return the descriptor of the layout's one image."""
    [found] = json.loads((layout / "index.json").read_bytes())["manifests"]
    return {name: found[name] for name in ("mediaType", "digest", "size")}


def _write_top(layout: Path, children: list[Document]) -> None:
    """Let the layout's tag `latest` name a new index of these."""
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": children}
    tagged = {"annotations": {"org.opencontainers.image.ref.name": "latest"}}
    top = {"schemaVersion": 2, "manifests": [{**_write(layout, INDEX, index), **tagged}]}
    (layout / "index.json").write_text(json.dumps(top))


def _read(layout: Path, descriptor: Document) -> Document:
    document: Document = json.loads(_blob(layout, descriptor["digest"]).read_bytes())
    return document


def _write(layout: Path, media_type: str, document: Document) -> Document:
    """Store a document; return its descriptor."""
    content = json.dumps(document).encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _blob(layout, digest).write_bytes(content)
    return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / digest.replace(":", "/")


FINISHES: Mapping[str, Callable[[Path], None]] = {
    "two-platforms": two_platforms,
    "attested": attested,
}
