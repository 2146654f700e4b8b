"""Which images are in use: by pods that run, and by notebooks that are stopped and will start again. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.core.reference import InvalidReference, check_digest, parse
from webhook.core.scan import ScanDocument


@dataclass(frozen=True, slots=True)
class Images:
    """Images by what names them: canonical references with a tag, and digests."""

    tags: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()


def together(parts: Iterable[Images]) -> Images:
    """Join them."""
    tags: set[str] = set()
    digests: set[str] = set()
    for part in parts:
        tags |= part.tags
        digests |= part.digests
    return Images(frozenset(tags), frozenset(digests))


def images_of_pod(pod: Mapping[str, Any]) -> Images:
    """Give what a pod's containers name, and what the kubelet found that to be."""
    named = _named(_at(pod, "spec"))
    found = (
        _digest(status.get("imageID")) for status in _items(pod, "status", "containerStatuses")
    )
    return Images(named.tags, named.digests | {digest for digest in found if digest})


def images_of_template(owner: Mapping[str, Any]) -> Images:
    """Give what the pod template of a StatefulSet or a Notebook names."""
    return _named(_at(owner, "spec", "template", "spec"))


def uses(images: Images, scan: ScanDocument) -> bool:
    """Tell whether an image in use is the one that was scanned, by its tag or by any digest of the result."""
    reference, status = parse(scan.spec.image), scan.status
    if reference.digest is None and reference.canonical in images.tags:
        return True
    digests = {reference.digest, status.digest, *(m.digest for m in status.manifests)}
    return not images.digests.isdisjoint(digests)


def _named(spec: Mapping[str, Any]) -> Images:
    references = [_reference(c.get("image")) for c in _items({"spec": spec}, "spec", "containers")]
    return Images(
        frozenset(tag for tag, _ in references if tag),
        frozenset(digest for _, digest in references if digest),
    )


def _reference(image: object) -> tuple[str | None, str | None]:
    """Read an image into its tag's canonical name and its digest; a pod that nbgate pinned has both."""
    try:
        parsed = parse(image if isinstance(image, str) else "")
    except InvalidReference:
        return None, None
    return parsed.tagged, parsed.digest


def _digest(image_id: object) -> str | None:
    """Read the digest of `docker.io/library/x@sha256:…`; a bare `sha256:…` is that of a config, and names no image."""
    digest = image_id.rpartition("@")[2] if isinstance(image_id, str) and "@" in image_id else ""
    try:
        check_digest(digest)
    except InvalidReference:
        return None
    return digest


def _at(document: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        held = document.get(name)
        document = held if isinstance(held, dict) else {}
    return document


def _items(document: Mapping[str, Any], *path: str) -> Iterator[Mapping[str, Any]]:
    held = _at(document, *path[:-1]).get(path[-1])
    return (item for item in (held if isinstance(held, list) else ()) if isinstance(item, dict))
