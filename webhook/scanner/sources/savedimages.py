"""The list of images in what `docker save` wrote: manifest.json (Docker image specification v1.2)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.core.reading import Malformed, kind_of
from webhook.core.reference import InvalidReference, Reference, parse
from webhook.core.words import cut
from webhook.scanner.documents.parsing import check_keys, keys, parse_value
from webhook.scanner.errors import BadContent

LIST_LIMIT = 1024 * 1024  # bytes: what podman reads of it (containers/image, internal/iolimits)
_IMAGES_LIMIT = 1000
_LAYERS_LIMIT = 1000  # as of a manifest
_SHOWN = 500  # characters of a fault
_KEYS = keys("Config", "RepoTags", "Layers")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedImage:
    """One image of an archive.

    Attributes:
        config: the member that holds its config.
        layers: those that hold its layers, from the lowest up.
        names: the references that it was saved by; what is no reference is left out, for nothing is looked up by it.
    """

    config: str
    layers: tuple[str, ...]
    names: tuple[Reference, ...]


def read_list(data: bytes, where: str) -> tuple[SavedImage, ...]:
    """Read manifest.json. Raises BadContent."""
    try:
        return _images(parse_value(data))
    except Malformed as error:
        raise BadContent(
            f"{where}: manifest.json: {cut(str(error), _SHOWN)}; save the image anew"
        ) from None


def _images(value: object) -> tuple[SavedImage, ...]:
    if not isinstance(value, list):
        raise Malformed("", f"must be a list, not {kind_of(value)}")
    if len(value) > _IMAGES_LIMIT:
        raise Malformed("", f"has {len(value)} images, more than the {_IMAGES_LIMIT} that are read")
    return tuple(_placed(index, item) for index, item in enumerate(value))


def _placed(index: int, item: object) -> SavedImage:
    if not isinstance(item, dict):
        raise Malformed(f"[{index}]", f"must be an object, not {kind_of(item)}")
    try:
        return _image(item)
    except Malformed as error:
        raise error.under(f"[{index}]") from None


def _image(source: Mapping[str, Any]) -> SavedImage:
    check_keys(source, _KEYS)
    config = source.get("Config")
    if not isinstance(config, str) or not config:
        raise Malformed("Config", "must name a member of the archive")
    layers = _texts(source, "Layers")
    if len(layers) > _LAYERS_LIMIT:
        raise Malformed("Layers", f"has {len(layers)} entries, more than {_LAYERS_LIMIT}")
    return SavedImage(config=config, layers=layers, names=_names(_texts(source, "RepoTags")))


def _texts(source: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = source.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Malformed(key, "must be a list of texts")
    return tuple(value)


def _names(texts: Sequence[str]) -> tuple[Reference, ...]:
    found: dict[Reference, None] = {}
    for text in texts:
        try:
            found[parse(text)] = None
        except InvalidReference:
            continue
    return tuple(found)
