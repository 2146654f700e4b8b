"""From what a person typed to a source, and to what its result is called."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from webhook.core.reference import InvalidReference, Reference, parse
from webhook.core.words import clean
from webhook.scanner.source import Source
from webhook.scanner.sources.archive import ArchiveSource
from webhook.scanner.sources.layout import LayoutSource
from webhook.scanner.sources.naming import ArchiveName, ImageName, LayoutName
from webhook.scanner.sources.registry import RegistryOptions, RegistrySource

# Whoever made a layout could write any name into it, and so speak for an image that is not his.
_UNNAMED = (
    "what it calls itself proves nothing: say with --as REGISTRY/NAME:TAG what it will be pushed as"
)
_UNPUSHED = (
    "a docker-archive has no manifest, so a pod could not be pinned to what was scanned: "
    "push the image and scan it in its registry"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """An image about to be scanned.

    Attributes:
        reference: what the result is for.
        pull_name: gives what the nodes of a cluster are told to pull, for a manifest's digest; for what they cannot
            pull, its name here.
        savable: why admission must not be given the result, which then names no digest; None where it may.
    """

    source: Source
    reference: Reference
    pull_name: Callable[[str], str]
    savable: str | None = None


def open_source(name: ImageName, options: RegistryOptions, alias: Reference | None) -> Opened:
    """Open where an image comes from; nothing is fetched yet. Raises ScanError."""
    match name:
        case LayoutName():
            layout = LayoutSource(name.folder, name.reference)
            folder = name.folder.resolve().name
            return Opened(
                source=layout,
                reference=alias or _named(layout.names()) or _fallback(folder),
                pull_name=lambda _digest: clean(f"oci:{name.folder}"),
                savable=None if alias else _UNNAMED,
            )
        case ArchiveName():
            archive = ArchiveSource(name.file, name.reference)
            return Opened(
                source=archive,
                reference=alias or _named(archive.names()) or _fallback(name.file.stem),
                pull_name=lambda _digest: clean(f"docker-archive:{name.file}"),
                savable=_UNPUSHED,
            )
        case _:
            registry = RegistrySource(name, options)
            return Opened(source=registry, reference=name, pull_name=registry.pull_name)


def _named(names: tuple[str, ...]) -> Reference | None:
    for name in names:
        try:
            return parse(name)
        except InvalidReference:
            continue
    return None


def _fallback(name: str) -> Reference:
    """Call an image after its file, as builders call one that was never pushed: `localhost/NAME`."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:100]
    return parse(f"localhost/{plain or 'image'}:latest")
