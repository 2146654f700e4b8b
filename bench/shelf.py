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

_WHOLE, _LESS = "whole", "less"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image in a registry.

    Attributes:
        layers: the bytes of each by its digest, from the lowest up.
        others: the bytes of its manifest and its config.

    """

    repository: str
    reference: str
    layers: Mapping[str, int]
    others: int


class Shelf:
    """OCI layouts by name, pushed to a registry. Raises CouldNotMeasure."""

    def __init__(self, registry: Registry, layouts: Mapping[str, Path]) -> None:
        self._registry, self._layouts = registry, layouts
        try:
            for name, layout in layouts.items():
                push(layout, f"{registry.host}/{name}:{_WHOLE}")
        except subprocess.SubprocessError as error:
            raise CouldNotMeasure(f"an image cannot be pushed: {error}") from error

    def image(self, name: str) -> Image:
        """Describe an image as it was built."""
        return self._describe(name, _WHOLE, self._manifest(name))

    def without(self, name: str, layer: str) -> Image:
        """Put an image there again without one of its layers."""
        manifest = json.loads(self._manifest(name))
        number = [each["digest"] for each in manifest["layers"]].index(layer)
        del manifest["layers"][number]
        config = json.loads(self._blob(name, manifest["config"]["digest"]))
        del config["rootfs"]["diff_ids"][number]
        text = json.dumps(config).encode()
        manifest["config"] = self._registry.upload(name, [text], manifest["config"]["mediaType"])
        changed = json.dumps(manifest).encode()
        self._registry.tag(name, _LESS, changed, manifest["mediaType"])
        return self._describe(name, _LESS, changed)

    def _describe(self, name: str, tag: str, text: bytes) -> Image:
        manifest: dict[str, Any] = json.loads(text)
        return Image(
            repository=name,
            reference=f"{self._registry.host}/{name}:{tag}",
            layers={layer["digest"]: layer["size"] for layer in manifest["layers"]},
            others=len(text) + manifest["config"]["size"],
        )

    def _manifest(self, name: str) -> bytes:
        return self._blob(name, digest(self._layouts[name]))

    def _blob(self, name: str, named: str) -> bytes:
        return (self._layouts[name] / "blobs" / named.replace(":", "/")).read_bytes()
