"""What a document says of a blob (OCI image-spec, descriptor.md). Embedded `data` is left alone: blobs are fetched."""

import re
from collections.abc import Mapping
from typing import Any

from webhook.core.reading import Malformed, inside, integer, text, texts
from webhook.core.reference import InvalidReference, check_digest
from webhook.scanner.documents.parsing import bounded_text, check_keys, keys
from webhook.scanner.image import Descriptor
from webhook.scanner.platforms import UNKNOWN, InvalidPlatform, platform_of

# The largest layer that a large registry takes is 52,000 MiB (Amazon ECR's quota).
LAYER_LIMIT = 64 * 1024**3

_KEYS = keys("mediaType", "digest", "size", "platform", "annotations", "urls")
_PLATFORM_KEYS = keys("os", "architecture", "variant")
_PART_LIMIT = 100  # characters; that it is a word of a platform is checked behind it

# RFC 6838, section 4.2: type and subtype have at most 127 characters each.
_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}")


def read_descriptor(source: Mapping[str, Any], limit: int) -> Descriptor:
    """Read a descriptor of a blob of at most `limit` bytes. Raises Malformed."""
    check_keys(source, _KEYS)
    return Descriptor(
        media_type=_media_type(source),
        digest=_digest(source),
        size=_size(source, limit),
        platform=inside(source, "platform", read_platform),
        annotations=texts(source, "annotations"),
    )


def read_platform(source: Mapping[str, Any]) -> str:
    """Read os, architecture and variant as one text; UNKNOWN where the first two are missing. Raises Malformed."""
    check_keys(source, _PLATFORM_KEYS)
    system, architecture, variant = (
        bounded_text(source, key, _PART_LIMIT) for key in ("os", "architecture", "variant")
    )
    if not system and not architecture:
        return UNKNOWN
    # Of one alone containerd and CRI-O make different platforms.
    for key, value in (("os", system), ("architecture", architecture)):
        if not value:
            raise Malformed(key, "is missing")
    try:
        return platform_of(system, architecture, variant)
    except InvalidPlatform as error:
        raise Malformed("", f"names no platform: {error}") from None


def _media_type(source: Mapping[str, Any]) -> str:
    value = text(source, "mediaType")
    if not value:
        raise Malformed("mediaType", "is missing")
    if not _MEDIA_TYPE.fullmatch(value):
        raise Malformed("mediaType", "is no media type")
    return value


def _digest(source: Mapping[str, Any]) -> str:
    value = text(source, "digest")
    if not value:
        raise Malformed("digest", "is missing")
    try:
        check_digest(value)
    except InvalidReference as error:
        raise Malformed("digest", f"is wrong: {error}") from None
    return value


def _size(source: Mapping[str, Any], limit: int) -> int:
    value = integer(source, "size")
    if value is None:
        raise Malformed("size", "is missing")
    if value < 0:
        raise Malformed("size", f"must not be negative, it is {value}")
    if value > limit:
        raise Malformed("size", f"is {value} bytes, more than the {limit} that are read of one")
    return value
