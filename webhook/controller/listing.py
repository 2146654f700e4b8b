"""Whole lists of what users make, whatever they put in."""

from collections.abc import Callable
from typing import TypeVar

from webhook.kube import Document, Kube
from webhook.kubeerrors import Resource

T = TypeVar("T")


def listed(
    kube: Kube, resource: Resource, read: Callable[[Document], T | None], *, labels: str = ""
) -> list[T]:
    """List the objects of all namespaces that a label selector chooses; keep what `read` makes of each, but no None.

    Raises KubeError.
    """
    found = (
        read(document) for page in kube.pages(resource, labels=labels) for document in page.items
    )
    return [one for one in found if one is not None]
