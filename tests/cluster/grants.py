"""What manifests grant to service accounts, and which of it was used: each verb on each kind of thing by itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tests.cluster.manifests import Document


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Grant:
    """One right of one account. `namespace` and `name` are empty where it is not limited to one.

    `resource` as in `pods/log`, with its API group as in `imagescans.nbgate.dev`.
    """

    account: str
    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.account}: {self.verb} {self.resource}{named}{place}"

    def allows(self, request: Grant) -> bool:
        """Tell whether it is what a request needs."""
        same = (self.account, self.verb, self.resource) == (
            request.account,
            request.verb,
            request.resource,
        )
        return (
            same and self.namespace in {"", request.namespace} and self.name in {"", request.name}
        )


def granted(documents: Sequence[Document]) -> set[Grant]:
    """Return every right that the Roles and their bindings among these documents give."""
    roles = {_key(d["kind"], d): d for d in documents if d["kind"] in {"Role", "ClusterRole"}}
    return {
        grant
        for binding in documents
        if binding["kind"] in {"RoleBinding", "ClusterRoleBinding"}
        for subject in binding["subjects"]
        for grant in _rights(subject["name"], binding, roles)
    }


def _rights(
    account: str, binding: Document, roles: dict[tuple[str, str, str], Document]
) -> Iterator[Grant]:
    namespace = binding["metadata"].get("namespace", "")
    reference = binding["roleRef"]
    home = namespace if reference["kind"] == "Role" else ""
    for rule in roles[reference["kind"], home, reference["name"]]["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    for name in rule.get("resourceNames", [""]):
                        yield Grant(
                            account=account,
                            verb=verb,
                            resource=_full(resource, group),
                            namespace=namespace,
                            name=name,
                        )


def _key(kind: str, document: Document) -> tuple[str, str, str]:
    metadata = document["metadata"]
    return kind, metadata.get("namespace", ""), metadata["name"]


def _full(resource: str, group: str) -> str:
    kind, slash, part = resource.partition("/")
    return f"{kind}{f'.{group}' if group else ''}{slash}{part}"


def requests_in(events: Iterable[Document]) -> list[Grant]:
    """Return what each request in an audit log needs; those for no resource, as /version, need nothing."""
    return [_request(event) for event in events if "objectRef" in event]


def _request(event: Document) -> Grant:
    place = event["objectRef"]
    part = f"/{place['subresource']}" if place.get("subresource") else ""
    return Grant(
        account=event["user"]["username"].rpartition(":")[2],
        verb=event["verb"],
        resource=_full(f"{place['resource']}{part}", place.get("apiGroup", "")),
        namespace=place.get("namespace", ""),
        name=place.get("name", ""),
    )
