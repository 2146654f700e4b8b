"""Images as OCI layouts on disk, made by hand: what a static scan reads, without a registry."""

from pathlib import Path

import orjson

from tests.scanner.memory import Json, MemorySource, as_json, image_of
from tests.scanner.sources.tars import saved, tar_of

PASSWD = b"root:x:0:0:root:/root:/bin/sh\njovyan:x:1000:100::/home/jovyan:/bin/sh\n"
LAYER = tar_of({"etc/passwd": PASSWD})
GOOD: Json = {"User": "1000", "Cmd": ["serve"]}
ROOT: Json = {"Cmd": ["serve"]}


def layout(folder: Path, config: Json = GOOD, name: str = "", layer: bytes = LAYER) -> Path:
    """Write a layout of one image; `name` is the full reference that it has there, if any."""
    source: MemorySource = image_of(config, layer)
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for digest, data in source.store.items():
        (blobs / digest.partition(":")[2]).write_bytes(data)
    annotations = {"annotations": {"org.opencontainers.image.ref.name": name}} if name else {}
    entry = as_json(source.descriptor, **annotations)
    (folder / "index.json").write_bytes(orjson.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion": "1.0.0"}')
    return folder


def archive(path: Path) -> Path:
    """Write what docker save would."""
    path.write_bytes(tar_of(saved(LAYER)))
    return path
