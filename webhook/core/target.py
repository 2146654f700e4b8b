"""The pod to patch and to judge, and the operations of JSON Patch (RFC 6902) in which its patch is written."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from webhook.core.pod import Container, PodSpec
from webhook.core.reference import Reference
from webhook.core.verdict import Finding

Operation = Mapping[str, Any]


class Target(NamedTuple):
    """A notebook's pod: its spec, its notebook's container, and what is known about that container's image."""

    namespace: str
    notebook: str
    labels: Mapping[str, str]
    spec: PodSpec
    container: Container
    reference: Reference | None
    finding: Finding | None

    @property
    def pointer(self) -> str:
        """The notebook container, as a JSON Pointer."""
        return f"/spec{self.container.pointer}"

    @property
    def effective_user(self) -> int | None:
        """The UID that the container is told to run as, by itself or by its pod; None leaves it to the image."""
        for security in (self.container.security, self.spec.security):
            if security is not None and security.run_as_user is not None:
                return security.run_as_user
        return None

    @property
    def says_non_root(self) -> bool:
        """Tell whether the container or its pod says anything of runAsNonRoot; then it is left at that."""
        own, of_pod = self.container.security, self.spec.security
        if own is not None and own.run_as_non_root is not None:
            return True
        return of_pod is not None and of_pod.run_as_non_root is not None


def add(path: str, value: object) -> Operation:
    """Add a member, or an item at its place in a list; the parent must be there."""
    return {"op": "add", "path": path, "value": value}


def append(pointer: str, held: Sequence[object] | None, item: object) -> Iterator[Operation]:
    """Add an item at the end of a list, and the list itself where it is absent (None)."""
    yield add(pointer, [item]) if held is None else add(f"{pointer}/-", item)


def escape(key: str) -> str:
    """Escape a key for a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")
