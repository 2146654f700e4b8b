"""An image as values: descriptors, manifests, configs, and what of them a scan needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What a document says of a blob: its type, digest and exact size (OCI image-spec, descriptor.md).

    Attributes:
        platform: `os/architecture` or `os/architecture/variant`, where an index tells it.
        annotations: the descriptor's own.
    """

    media_type: str
    digest: str
    size: int
    platform: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What one reference holds for several platforms: an OCI index or a Docker manifest list.

    Attributes:
        manifests: images, indexes, and what belongs to them, such as attestations; in the order that runtimes read.
    """

    manifests: tuple[Descriptor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one image, or artifact, is made of.

    Attributes:
        layers: from the lowest to the topmost, of any type; `mediatypes.layer_compression` tells which can be read.
        artifact: what it is where it is no container image: its artifact type, or its config's media type.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    artifact: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """What of an image's configuration a scan needs (OCI image-spec, config.md).

    Attributes:
        platform: what the config says that it is built for, `linux/amd64`; `unknown/unknown` where it says nothing.
        user: `User` as written: empty, a name or a number, with or without `:group`.
        env: the variables by name; the last of equal names wins, as it does in runtimes.
        ports: TCP ports that are exposed, ascending.
        volumes: paths declared as VOLUME.
        diff_ids: digests of the layers unpacked, from the lowest up; empty where the config names none.
    """

    platform: str
    user: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    working_dir: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[str, ...] = ()
    diff_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformImage:
    """One platform of an image.

    Attributes:
        digest: of its manifest.
        config_blob: what the manifest says of its config.
        layers: from the lowest to the topmost, as the manifest has them; diffs without a file are among them.
    """

    platform: str
    digest: str
    config: ImageConfig
    config_blob: Descriptor
    layers: tuple[Descriptor, ...]

    @property
    def compressed_size(self) -> int:
        """Bytes of its layers as they are transferred."""
        return sum(layer.size for layer in self.layers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image as its reference resolved.

    Attributes:
        digest: of what the reference names, an index or a manifest.
        manifests: (platform, digest) of every platform in the index, nested ones included, attestations left out; for a
            single manifest that one.
        platforms: those that were asked for, loaded.
    """

    digest: str
    manifests: tuple[tuple[str, str], ...]
    platforms: tuple[PlatformImage, ...]
