"""Whole lists of what users make, whatever they put in."""

from collections.abc import Callable
from typing import TypeVar

from webhook.kube import Document, Kube
from webhook.kubeerrors import Resource, TooLong

T = TypeVar("T")

# Objects of a part. Usual ones have a few kB; but an object may have 1.5 MiB (etcd), and some ten of those in one part
# would keep us from ever reading the list: whoever wants that would only have to make them.
_SIZES = (500, 20, 1)


def listed(
    kube: Kube, resource: Resource, read: Callable[[Document], T | None], *, labels: str = ""
) -> list[T]:
    """List the objects of all namespaces that a label selector chooses; keep what `read` makes of each, but no None.

    Raises KubeError.
    """
    for size in _SIZES[:-1]:
        try:
            return _listed(kube, resource, read, labels, size)
        except TooLong:
            continue
    return _listed(kube, resource, read, labels, _SIZES[-1])


def _listed(
    kube: Kube, resource: Resource, read: Callable[[Document], T | None], labels: str, size: int
) -> list[T]:
    found = (
        read(document)
        for page in kube.pages(resource, labels=labels, size=size)
        for document in page.items
    )
    return [one for one in found if one is not None]
