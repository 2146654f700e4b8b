"""What was read of layers, in memory: a pod's root is read-only, and another one's memory is soon as full.

Images of one team share their bases, so most layers of a new one are known. What a folder keeps (`LayerCache`) would be
gone with the pod all the same.
"""

import threading
from collections import OrderedDict

from webhook.scanner.layers.cacheformat import decode, encode
from webhook.scanner.layers.contents import LayerContents

# Some 10 KiB a layer, and ten layers an image: hundreds of images, most of which share their bases.
LIMIT = 32 * 1024 * 1024


class LayerMemory:
    """Layers by their digests; the least recently used ones go when all together are too large. Threads may share it.

    They are kept as bytes, so that their size is known.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, digest: str) -> LayerContents | None:
        """Give what was read of the layer with this digest; None where it is not known."""
        with self._lock:
            data = self._held.get(digest)
            if data is None:
                return None
            self._held.move_to_end(digest)
        return decode(digest, data)

    def put(self, digest: str, contents: LayerContents) -> None:
        """Keep what was read of the layer with this digest, and drop what was not used for longest."""
        data = encode(digest, contents)
        with self._lock:
            self._size += len(data) - len(self._held.pop(digest, b""))
            self._held[digest] = data
            while self._size > self._limit:
                _, dropped = self._held.popitem(last=False)
                self._size -= len(dropped)
