"""Images of the tests in a registry, and what they are made of."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.child import CouldNotMeasure
from bench.registry import Registry
from tests.images.building import digest, push

_TAG = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a registry, and the bytes of its blobs by their digests, its manifest among them."""

    reference: str
    blobs: Mapping[str, int]
    layers: Mapping[str, int]

    @property
    def size(self) -> int:
        """Bytes of all that belongs to it."""
        return sum(self.blobs.values())


class Shelf:
    """OCI layouts by name, pushed to a registry. Raises CouldNotMeasure."""

    def __init__(self, registry: Registry, layouts: Mapping[str, Path]) -> None:
        self._registry, self._layouts = registry, layouts
        try:
            for name, layout in layouts.items():
                push(layout, f"{registry.host}/{name}:{_TAG}")
        except subprocess.SubprocessError as error:
            raise CouldNotMeasure(f"an image cannot be pushed: {error}") from error

    def image(self, name: str) -> Image:
        """Describe an image as it was built."""
        layout = self._layouts[name]
        named = digest(layout)
        text = _blob(layout, named)
        manifest = json.loads(text)
        return _image(f"{self._registry.host}/{name}:{_TAG}", manifest, {named: len(text)})

    def lowered(self, name: str) -> Image:
        """Put an image there again without its topmost layer."""
        layout = self._layouts[name]
        manifest = json.loads(_blob(layout, digest(layout)))
        manifest["layers"].pop()
        config = json.loads(_blob(layout, manifest["config"]["digest"]))
        config["rootfs"]["diff_ids"].pop()
        manifest["config"] = self._registry.upload(
            name, [json.dumps(config).encode()], manifest["config"]["mediaType"]
        )
        return _image(self._registry.tag(name, "lowered", manifest), manifest, {})


def _image(reference: str, manifest: Mapping[str, Any], own: Mapping[str, int]) -> Image:
    layers = {layer["digest"]: layer["size"] for layer in manifest["layers"]}
    config = {manifest["config"]["digest"]: manifest["config"]["size"]}
    return Image(reference=reference, blobs={**own, **config, **layers}, layers=layers)


def _blob(layout: Path, named: str) -> bytes:
    return (layout / "blobs" / named.replace(":", "/")).read_bytes()
