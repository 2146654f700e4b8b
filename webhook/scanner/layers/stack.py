"""All layers of one platform -> Files, fetching no more of them than are asked for."""

from collections.abc import Iterator

from webhook.scanner.image import Descriptor, PlatformImage
from webhook.scanner.layers.cache import LayerCache
from webhook.scanner.layers.contents import LayerContents
from webhook.scanner.layers.files import Enough, Files
from webhook.scanner.layers.merging import Merge
from webhook.scanner.layers.reading import read_layer
from webhook.scanner.mediatypes import layer_compression
from webhook.scanner.progress import Progress
from webhook.scanner.source import Source


def read_files(
    source: Source,
    image: PlatformImage,
    cache: LayerCache | None,
    enough: Enough,
    progress: Progress,
) -> Files:
    """Read layers from the topmost down until `enough` says so, and who the users are is known.

    What is in the cache is not fetched, nor is a layer twice that the image has twice. `progress` counts the bytes of
    layers as stored. Raises ScanError; messages name the layer by its digest, not the image.
    """
    progress.expect(image.compressed_size)
    merge = Merge()
    left = list(image.layers)
    seen: set[str] = set()
    while left:
        layer = left.pop()
        if layer.digest in seen:  # all that it has stands in an upper layer already
            progress.expect(-layer.size)
            continue
        seen.add(layer.digest)
        merge.add(_contents(source, layer, cache, progress))
        if left and merge.passwd_known and enough(merge.files(complete=False)):
            break
    progress.expect(-sum(layer.size for layer in left))
    return merge.files(complete=not left)


def _contents(
    source: Source, layer: Descriptor, cache: LayerCache | None, progress: Progress
) -> LayerContents:
    # Before anything is fetched: a layer that cannot be read need not be.
    compression = layer_compression(layer.media_type)
    if cache is not None and (known := cache.get(layer.digest)) is not None:
        progress.expect(-layer.size)
        return known
    with source.blob(layer) as chunks:
        contents = read_layer(_counted(chunks, progress), compression, f"layer {layer.digest}")
    if cache is not None:
        cache.put(layer.digest, contents)
    return contents


def _counted(chunks: Iterator[bytes], progress: Progress) -> Iterator[bytes]:
    for chunk in chunks:
        progress.advance(len(chunk))
        yield chunk
