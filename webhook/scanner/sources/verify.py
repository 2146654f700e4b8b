"""Every blob is checked against the digest and the size that named it, while it streams."""

import hashlib
from collections.abc import Iterable, Iterator

from webhook.scanner.errors import BadContent
from webhook.scanner.image import Descriptor


def verified(chunks: Iterable[bytes], descriptor: Descriptor, where: str) -> Iterator[bytes]:
    """Pass a blob's chunks on; at their end they are what the descriptor names, or BadContent is raised.

    `where` begins the message: `registry.example.com/team/notebook`. More bytes than were named end it at once.
    """
    algorithm, _, expected = descriptor.digest.partition(":")
    seen, size = hashlib.new(algorithm), 0
    for chunk in chunks:
        size += len(chunk)
        if size > descriptor.size:
            raise BadContent(
                f"{where}: blob {descriptor.digest} is longer than the {descriptor.size} bytes that name it; "
                "the registry or what stands before it is broken: push the image again"
            )
        seen.update(chunk)
        yield chunk
    if size < descriptor.size:
        raise BadContent(
            f"{where}: blob {descriptor.digest} ends after {size} of {descriptor.size} bytes; try again, "
            "and if it stays so push the image again"
        )
    if seen.hexdigest() != expected:
        raise BadContent(
            f"{where}: blob {descriptor.digest} holds other bytes, {algorithm}:{seen.hexdigest()}; "
            "the registry is broken or somebody changes what it sends: push the image again"
        )


def check_bytes(data: bytes, descriptor: Descriptor, where: str) -> bytes:
    """Give back a whole document's bytes where they are what the descriptor names. Raises BadContent."""
    return b"".join(verified([data], descriptor, where))
