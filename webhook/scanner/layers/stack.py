"""All layers of one platform -> Files, fetching no more of them than are asked for."""

from collections.abc import Iterator

from webhook.core.reference import quoted
from webhook.scanner.errors import BadContent
from webhook.scanner.image import Descriptor, PlatformImage
from webhook.scanner.layers.cache import Layers
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
    cache: Layers | None,
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
    seen: dict[str, str] = {}
    check_count(image)
    while left:
        layer = left.pop()
        if layer.digest in seen:  # all that it has stands in an upper layer already
            progress.expect(-layer.size)
            check_diff_id(image, len(left), seen[layer.digest])
            continue
        contents = _contents(source, layer, cache, progress)
        seen[layer.digest] = contents.diff_id
        check_diff_id(image, len(left), contents.diff_id)
        merge.add(contents)
        if left and merge.passwd_known and enough(merge.files(complete=False)):
            break
    progress.expect(-sum(layer.size for layer in left))
    return merge.files(complete=not left)


def check_count(image: PlatformImage) -> None:
    """Refuse an image whose config counts other layers than its manifest. Raises BadContent."""
    told = len(image.config.diff_ids)
    if told and told != len(image.layers):
        raise BadContent(
            f"manifest {image.digest} has {len(image.layers)} layers, and its config {told}; build the image anew"
        )


def check_diff_id(image: PlatformImage, place: int, found: str) -> None:
    """Hold a layer against its digest in the config, by which nodes know what they have unpacked before.

    One that has it fetches no layer for it, whatever the manifest says (containerd, client, unpacker): the image would
    run as what somebody else's layers hold. A config that names none is run by nobody, or by what its layers hold.
    Raises BadContent.
    """
    if image.config.diff_ids and image.config.diff_ids[place] != found:
        raise BadContent(
            f"layer {image.layers[place].digest} unpacks to {found}, and the config of {image.digest} says "
            f"{quoted(image.config.diff_ids[place])}; build the image anew"
        )


def _contents(
    source: Source, layer: Descriptor, cache: Layers | None, progress: Progress
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
