"""Documents as dicts, right as they are; tests replace a part."""

from typing import Any

import orjson

from tests.scanner.memory import descriptor_of, digest_of
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST

Json = dict[str, Any]


def named(data: bytes, media_type: str = OCI_MANIFEST) -> tuple[bytes, Descriptor]:
    """A document, and what names it."""
    return data, descriptor_of(data, media_type)


def descriptor_json(media_type: str = OCI_LAYER, **more: Any) -> Json:
    return {"mediaType": media_type, "digest": digest_of(b"x"), "size": 1, **more}


def manifest_json(**more: Any) -> Json:
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor_json(OCI_CONFIG),
        "layers": [descriptor_json()],
        **more,
    }


def index_json(*children: Json, **more: Any) -> Json:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(children), **more}


def child_json(platform: str | None = "linux/amd64", **more: Any) -> Json:
    child = descriptor_json(OCI_MANIFEST, **more)
    if platform is not None:
        names = ("os", "architecture", "variant")
        child["platform"] = dict(zip(names, platform.split("/"), strict=False))
    return child


def config_json(**config: Any) -> Json:
    return {"architecture": "amd64", "os": "linux", "config": config}


def encoded(value: object) -> bytes:
    return orjson.dumps(value)
