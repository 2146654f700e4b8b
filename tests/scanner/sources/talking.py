"""What the tests of the registry source have in common: sources of little patience, images, logins."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.scanner.hostile import HostileServer, Script, by_path, response
from tests.scanner.registry import RunningRegistry, sha256
from tests.scanner.tokenserver import PASSWORD, USER
from webhook.core.reference import parse
from webhook.scanner.errors import ScanError
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST
from webhook.scanner.sources.registry import Patiences, RegistryOptions, RegistrySource
from webhook.scanner.sources.retries import Retries

NAME = "team/notebook"
CONFIG = b'{"architecture": "amd64", "os": "linux"}'
LAYER = bytes(range(256)) * 1000

# Seconds: long beside what a loopback needs, short beside what a test may take.
HASTE = Patiences(connect=0.5, document=1, blob_begin=1, blob_pause=0.5, blob_rate=1024 * 1024)
AT_ONCE = Retries(pauses=(0.01, 0.01), longest=0.5)


@contextmanager
def talking_to(host: str, **options: Any) -> Iterator[RegistrySource]:
    """Open NAME:v1 of a registry, as a person in haste would; `name` is another reference in it."""
    reference = parse(f"{host}/{options.pop('name', f'{NAME}:v1')}")
    settings = {"patiences": HASTE, "retries": AT_ONCE, **options}
    source = RegistrySource(reference, RegistryOptions(**settings))
    try:
        yield source
    finally:
        source.close()


@contextmanager
def hostile(
    script: Script | Mapping[str, Any], **options: Any
) -> Iterator[tuple[HostileServer, RegistrySource]]:
    """Run a registry that behaves as it is told, and open NAME:v1 of it; it speaks http, which is said."""
    answers = script if callable(script) else by_path(script)
    with (
        HostileServer(answers) as server,
        talking_to(server.host, **{"plain_http": frozenset({server.host}), **options}) as source,
    ):
        yield server, source


def refused(kind: type[ScanError], act: Callable[[], object]) -> str:
    """Expect a fault of exactly this kind; give its message, which is one printable line."""
    with pytest.raises(kind) as caught:
        act()
    assert type(caught.value) is kind or kind is ScanError
    message = str(caught.value)
    assert message.isprintable()
    assert len(message) < 1000
    return message


def descriptor(data: bytes, media_type: str = OCI_LAYER) -> Descriptor:
    return Descriptor(media_type=media_type, digest=sha256(data), size=len(data))


def manifest() -> bytes:
    """Write the manifest of an image of one layer."""
    layer, config = descriptor(LAYER), descriptor(CONFIG, OCI_CONFIG)
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": {"mediaType": OCI_CONFIG, "digest": config.digest, "size": config.size},
            "layers": [{"mediaType": OCI_LAYER, "digest": layer.digest, "size": layer.size}],
        }
    ).encode()


def push(registry: RunningRegistry, name: str = NAME, tag: str = "v1") -> str:
    """Put the image there; give its digest."""
    registry.push_blob(name, CONFIG)
    registry.push_blob(name, LAYER)
    return registry.push_manifest(name, tag, manifest(), OCI_MANIFEST)


def manifest_path(reference: str = "v1") -> str:
    return f"/v2/{NAME}/manifests/{reference}"


def blob_path(data: bytes) -> str:
    return f"/v2/{NAME}/blobs/{sha256(data)}"


def as_manifest(data: bytes, **headers: str) -> bytes:
    """Write an answer with a manifest; `_` in the names of headers stands for `-`."""
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return response(body=data, headers={"Content-Type": OCI_MANIFEST, **more})


def read(source: RegistrySource, data: bytes) -> bytes:
    """Read the blob that should be `data`."""
    with source.blob(descriptor(data)) as chunks:
        return b"".join(chunks)


def login_file(folder: Path, host: str, user: str = USER, password: str = PASSWORD) -> Path:
    """Write what docker login writes."""
    path = folder / "config.json"
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return path
