"""Source -> Image: which platforms a reference holds, and those loaded that are asked for.

What is chosen for a platform must be what a node would run, else an index could show the scan one image and the node
another. So the order is that of containerd (images.Manifest): in each index first the children that state a platform,
as they stand, then the others, whose config tells it; the first of a platform counts. CRI-O and podman do not always
take the first (containers/image, chooseInstance: one with the annotation for zstd goes before, and arm64/v8 before
arm64), so an index that states an asked platform for two images is refused. Attestations are known by their platform,
unknown/unknown, in the index or in their config.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from webhook.core.reference import quoted
from webhook.scanner.documents.configs import read_config
from webhook.scanner.documents.manifests import (
    CHILDREN_LIMIT,
    check_layers,
    read_index,
    read_manifest,
)
from webhook.scanner.errors import BadContent
from webhook.scanner.image import Descriptor, Image, ImageConfig, Manifest, PlatformImage
from webhook.scanner.mediatypes import document_fault, is_index, is_manifest
from webhook.scanner.platforms import UNKNOWN, parse_platform
from webhook.scanner.source import Source

DEFAULT_PLATFORMS = ("linux/amd64", "linux/arm64")  # what Kubeflow's own images are built for

_DEPTH_LIMIT = 3  # indexes within one another; tools that merge indexes make two
# What an ImageScan lists (webhook/core/scan.py); also bounds what is fetched to learn a platform.
_IMAGES_LIMIT = 64
_SHOWN = 20  # platforms in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """An image in what the reference names; with its documents where it is the only one, read to learn its platform."""

    platform: str
    descriptor: Descriptor
    documents: tuple[Manifest, ImageConfig] | None = None


def load_image(source: Source, platforms: tuple[str, ...] | None) -> Image:
    """Resolve a source's reference and load the platforms that are asked for.

    `platforms` as parse_platform reads them; None asks for those of DEFAULT_PLATFORMS that are there.

    Raises:
        ScanError: the source's own, or BadContent: a document is malformed, an asked platform is missing, or it is no
            container image.
        InvalidPlatform: an asked platform is none.
    """
    descriptor, data = source.top()
    found = tuple(_Walk(source).found(descriptor, data))
    images = _runnable(found)
    if not images:
        raise BadContent(_no_linux_fault(descriptor, found))
    chosen = _chosen(descriptor, images, platforms)
    for image in chosen:
        _check_only(descriptor, image, found)
    return Image(
        digest=descriptor.digest,
        manifests=tuple((image.platform, image.descriptor.digest) for image in images.values()),
        platforms=tuple(_load(source, image) for image in chosen),
    )


class _Walk:
    """Finds the images in a document and in the indexes below it; what it looks at is counted over all of them."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._children = 0
        self._images = 0

    def found(self, descriptor: Descriptor, data: bytes, depth: int = 1) -> Iterator[_Found]:
        """Give every image, in the order in which runtimes consider them."""
        if is_index(descriptor.media_type):
            yield from self._index(descriptor, data, depth)
        else:
            _check_type(descriptor)
            yield self._by_config(descriptor, _image_manifest(descriptor, data))

    def _index(self, descriptor: Descriptor, data: bytes, depth: int) -> Iterator[_Found]:
        if depth > _DEPTH_LIMIT:
            raise BadContent(
                f"index {descriptor.digest} lies deeper than {_DEPTH_LIMIT} indexes: "
                "push one index of all platforms"
            )
        children = read_index(data, descriptor).manifests
        self._children += len(children)
        if self._children > CHILDREN_LIMIT:
            raise BadContent(
                f"index {descriptor.digest}: with it the image has more than {CHILDREN_LIMIT} "
                "entries: push one index of the platforms that are needed"
            )
        # Stable: those that state a platform first, in their order.
        for child in sorted(children, key=lambda child: child.platform is None):
            yield from self._child(child, depth)

    def _child(self, child: Descriptor, depth: int) -> Iterator[_Found]:
        if child.platform == UNKNOWN:
            return
        if is_index(child.media_type):
            yield from self._nested(child, depth)
        elif child.platform is not None:
            self._count(child)
            yield _Found(platform=child.platform, descriptor=child)
        elif is_manifest(child.media_type):
            self._count(child)
            manifest = read_manifest(self._source.document(child), child)
            if manifest.artifact is None:
                # Its documents are read again if it is asked for: 64 of the largest would fill a gigabyte.
                yield replace(self._by_config(child, manifest), documents=None)

    def _nested(self, child: Descriptor, depth: int) -> Iterator[_Found]:
        if child.platform is not None:
            # Some runtimes leave its children out on other machines, others do not.
            raise BadContent(
                f"index {child.digest} states the platform {child.platform} for all its images: "
                "push it without one, each image states its own"
            )
        self._count(child)
        yield from self.found(child, self._source.document(child), depth + 1)

    def _by_config(self, descriptor: Descriptor, manifest: Manifest) -> _Found:
        config = read_config(self._source.document(manifest.config), manifest.config)
        return _Found(platform=config.platform, descriptor=descriptor, documents=(manifest, config))

    def _count(self, child: Descriptor) -> None:
        self._images += 1
        if self._images > _IMAGES_LIMIT:
            raise BadContent(
                f"index entry {child.digest} is one more than the {_IMAGES_LIMIT} images "
                "that are read of one index: push one of the platforms that are needed"
            )


def _runnable(found: Sequence[_Found]) -> dict[str, _Found]:
    """Give the first image of each Linux platform; notebooks run on no other."""
    images: dict[str, _Found] = {}
    for image in found:
        if image.platform.startswith("linux/"):
            images.setdefault(image.platform, image)
    return images


def _chosen(
    descriptor: Descriptor, images: dict[str, _Found], platforms: tuple[str, ...] | None
) -> tuple[_Found, ...]:
    if platforms is None:
        chosen = tuple(images[name] for name in DEFAULT_PLATFORMS if name in images)
        if not chosen:
            raise BadContent(
                f"{descriptor.digest} is built for {_listed(images)}, "
                "neither for linux/amd64 nor for linux/arm64: "
                "name the platform that your nodes have with --platform"
            )
        return chosen
    # One platform may be asked for by several names.
    asked = dict.fromkeys(parse_platform(platform) for platform in platforms)
    for name in asked:
        if name not in images:
            raise BadContent(
                f"{descriptor.digest} is built for {_listed(images)}, not for {name}: "
                "build it for that, or name another with --platform"
            )
    return tuple(images[name] for name in asked)


def _check_only(descriptor: Descriptor, chosen: _Found, found: Sequence[_Found]) -> None:
    for other in found:
        # None: its config told the platform, by which nobody chooses who was told of another.
        stated = other.descriptor.platform is not None and other.platform == chosen.platform
        if stated and other.descriptor.digest != chosen.descriptor.digest:
            raise BadContent(
                f"index {descriptor.digest} holds two images for {chosen.platform}, {chosen.descriptor.digest} and "
                f"{other.descriptor.digest}, and nodes differ in which they run: push an index with one of them"
            )


def _load(source: Source, image: _Found) -> PlatformImage:
    manifest, config = image.documents or _documents(source, image.descriptor)
    _check_platform(image, config)
    # Only now: an image that nobody asked for may have layers of any kind.
    check_layers(manifest, image.descriptor)
    return PlatformImage(
        platform=image.platform,
        digest=image.descriptor.digest,
        config=config,
        config_blob=manifest.config,
        layers=manifest.layers,
    )


def _check_platform(image: _Found, config: ImageConfig) -> None:
    """Refuse an index that calls an image another platform's than its config does.

    A result stands for the manifests of all judged platforms. An index is anybody's word: it could show an image that
    was found to violate as one for a platform that is not started here, and so leave open what was known.
    """
    stated, built = image.platform.split("/"), config.platform.split("/")
    # Of variants some builders write only one of the two.
    if config.platform != UNKNOWN and stated[:2] != built[:2]:
        raise BadContent(
            f"manifest {image.descriptor.digest} is for {image.platform} by its index and for {config.platform} by its "
            "config: build it for one platform, and push it again"
        )


def _documents(source: Source, descriptor: Descriptor) -> tuple[Manifest, ImageConfig]:
    _check_type(descriptor)
    manifest = _image_manifest(descriptor, source.document(descriptor))
    return manifest, read_config(source.document(manifest.config), manifest.config)


def _check_type(descriptor: Descriptor) -> None:
    if not is_manifest(descriptor.media_type):
        raise BadContent(f"{descriptor.digest} {document_fault(descriptor.media_type)}")


def _image_manifest(descriptor: Descriptor, data: bytes) -> Manifest:
    manifest = read_manifest(data, descriptor)
    if manifest.artifact is not None:
        raise BadContent(
            f"manifest {descriptor.digest} is no container image but {quoted(manifest.artifact)}: "
            "name an image"
        )
    return manifest


def _no_linux_fault(descriptor: Descriptor, found: Sequence[_Found]) -> str:
    others = {image.platform: image for image in found if image.platform != UNKNOWN}
    if not others:
        return (
            f"{descriptor.digest} holds no image that states its platform: build it for linux/amd64"
        )
    return (
        f"{descriptor.digest} is built for {_listed(others)}, and notebooks run on Linux: "
        "name an image for it"
    )


def _listed(platforms: dict[str, _Found]) -> str:
    names = list(platforms)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
