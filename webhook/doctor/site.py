"""The cluster as checks look at it: every object is fetched once, whichever check asks first."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

from webhook.doctor.place import Place
from webhook.kube import Document, Page
from webhook.kubeerrors import NotFound, Resource


class Cluster(Protocol):
    """What is asked of a cluster: a `Kube`. Every method raises KubeError."""

    def version(self) -> tuple[int, int]:
        """Give the API server's (major, minor) version."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Document:
        """Give an object."""

    def pages(
        self, resource: Resource, namespace: str | None = None, *, labels: str = ""
    ) -> Iterator[Page]:
        """Give all objects, part by part."""

    def cached(self, resource: Resource) -> Iterator[Page]:
        """Give all objects as the API server's cache has them, part by part."""

    def create(
        self,
        resource: Resource,
        document: Document,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Document:
        """Ask for a review, or try an object by a dry run."""

    def forward(self, pod: str, namespace: str, port: int, seconds: float) -> socket.socket:
        """Connect to a port of a running pod."""


_Key = tuple[Resource, str, str | None]


@dataclass(frozen=True, kw_only=True)
class Site:
    """What checks read from; nothing of it writes but dry runs.

    Attributes:
        now: seconds since the epoch, taken once.
    """

    kube: Cluster
    place: Place
    now: float
    _objects: dict[_Key, Document | None] = field(default_factory=dict)
    _lists: dict[_Key, Sequence[Document]] = field(default_factory=dict)

    @cached_property
    def version(self) -> tuple[int, int]:
        """The API server's (major, minor) version. Raises KubeError."""
        return self.kube.version()

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> Document | None:
        """Give an object, or None where there is none. Raises KubeError."""
        key = (resource, name, namespace)
        if key not in self._objects:
            try:
                self._objects[key] = self.kube.get(resource, name, namespace)
            except NotFound:
                self._objects[key] = None
        return self._objects[key]

    def ours(self, resource: Resource, name: str) -> Document | None:
        """Give an object of the installation's namespace, or None. Raises KubeError."""
        return self.find(resource, name, self.place.namespace)

    def all(
        self, resource: Resource, namespace: str | None = None, labels: str = ""
    ) -> Sequence[Document]:
        """Give the objects that a label selector chooses, of one namespace or of all. Raises KubeError."""
        key = (resource, labels, namespace)
        if key not in self._lists:
            pages = self.kube.pages(resource, namespace, labels=labels)
            self._lists[key] = [item for page in pages for item in page.items]
        return self._lists[key]
