"""What the head of an answer announces of its body, and whether that can be."""

import hashlib

from webhook.core.reference import InvalidReference, check_digest, quoted
from webhook.scanner.errors import BadContent
from webhook.scanner.mediatypes import ACCEPT, document_fault
from webhook.scanner.sources.transport import Answer


def announced_type(answer: Answer, where: str) -> str:
    """Give the media type of a manifest or an index, without parameters. Raises BadContent for any other type."""
    media_type = (answer.header("Content-Type") or "").partition(";")[0].strip().lower()
    if media_type not in ACCEPT:
        raise BadContent(f"{where} {document_fault(media_type)}")
    return media_type


def announced_digest(answer: Answer) -> str | None:
    """Give the sha256 digest that Docker-Content-Digest names (distribution-spec, "Checking if content exists").

    None for another one, or for none: only that one is how a tag's digest is written down.
    """
    announced = answer.header("Docker-Content-Digest") or ""
    try:
        check_digest(announced)
    except InvalidReference:
        return None
    return announced if announced.startswith("sha256:") else None


def check_announced_digest(answer: Answer, data: bytes, where: str) -> None:
    """Check the bytes against Docker-Content-Digest, where it is there. Raises BadContent."""
    announced = answer.header("Docker-Content-Digest")
    if announced is None:
        return
    try:
        check_digest(announced)
        agrees = announced == digest_of(data, announced.partition(":")[0])
    except InvalidReference:
        agrees = False
    if not agrees:
        raise BadContent(
            f"{where} came with the digest {quoted(announced)}, which is not that of its bytes; the registry "
            "is broken or somebody changes what it sends: push the image again"
        )


def length_fault(answer: Answer, size: int, start: int) -> str | None:
    """Tell, as a clause, why the body cannot be a blob of this size from byte `start` on (RFC 9110, 8.6 and 14.4)."""
    if start:
        expected = f"bytes {start}-{size - 1}/{size}"
        if answer.status != 206 or answer.header("Content-Range") != expected:
            return "the registry cannot send the rest of it"
        return None
    if answer.status != 200:
        return "the registry sends a part of it, though all was asked for"
    length = answer.header("Content-Length")
    if length is not None and length != str(size):
        return f"the registry has {quoted(length)} bytes of it, and {size} are named"
    return None


def digest_of(data: bytes, algorithm: str) -> str:
    """Give the digest of bytes as images name it."""
    return f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
