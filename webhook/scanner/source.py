"""Where an image's bytes come from: what every source offers, so that the rest of a scan need not know which it is."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol

from webhook.scanner.image import Descriptor


class Source(Protocol):
    """One image in a registry, a layout or an archive.

    Every method raises ScanError. Nothing that it gives is unverified: a document's digest and size have been checked,
    and a blob's are while it streams, so that whoever reads one to its end has the true bytes.
    """

    def top(self) -> tuple[Descriptor, bytes]:
        """Resolve the reference: what it names, an index or a manifest, and its bytes."""
        ...

    def document(self, descriptor: Descriptor) -> bytes:
        """Fetch a manifest, an index or a config whole."""
        ...

    def blob(self, descriptor: Descriptor) -> AbstractContextManager[Iterator[bytes]]:
        """Open a layer as chunks of its bytes as stored; BadContent at its end if they are not what was named."""
        ...

    def close(self) -> None:
        """Let go of connections and files."""
        ...
