"""A cluster on paper: documents, the rights that its Roles grant, and a door to real TLS servers on loopback."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.manifests import Document
from webhook.doctor.expected import PROFILE, PROFILE_LABEL
from webhook.kube import Page
from webhook.kubeerrors import Asked, Forbidden, KubeError, NotFound, Refused, Resource

_IRREGULAR = {"networkpolicies": "networkpolicy", "notebookpolicies": "notebookpolicy"}


def singular(resource: str) -> str:
    """The kind, in lower case, that a resource is called by: endpoints are their own."""
    return _IRREGULAR.get(resource) or (resource if resource == "endpoints" else resource[:-1])


@dataclass(kw_only=True)
class PaperCluster:
    """Implements `Cluster` of webhook/doctor/site.py over documents.

    Attributes:
        refused: resources that we may not look at.
        addresses: by pod and port, where its server is.
        calls: False when the API server cannot reach the webhook.
    """

    documents: list[Document]
    kubernetes: tuple[int, int] = (1, 31)
    refused: set[str] = field(default_factory=set)
    addresses: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    calls: bool = True

    def changed(self, change: Callable[[PaperCluster], object]) -> PaperCluster:
        """Give a copy of it that was changed."""
        other = PaperCluster(
            documents=copy.deepcopy(self.documents),
            kubernetes=self.kubernetes,
            refused=set(self.refused),
            addresses=dict(self.addresses),
            calls=self.calls,
        )
        change(other)
        return other

    def find(self, kind: str, name: str) -> Any:
        """The document of a kind and name."""
        return next(d for d in self.documents if (d["kind"], d["metadata"]["name"]) == (kind, name))

    def of_kind(self, kind: str) -> list[Document]:
        """The documents of a kind."""
        return [d for d in self.documents if d["kind"] == kind]

    def remove(self, kind: str, name: str) -> None:
        """Take a document away."""
        self.documents.remove(self.find(kind, name))

    def version(self) -> tuple[int, int]:
        return self.kubernetes

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Document:
        asked = Asked("get", resource, namespace, name)
        for document in self._some(asked, namespace):
            if document["metadata"]["name"] == name:
                return document
        raise NotFound(f"cannot {asked}: not found")

    def pages(
        self, resource: Resource, namespace: str | None = None, *, labels: str = ""
    ) -> Iterator[Page]:
        asked = Asked("list", resource, namespace)
        wanted = dict(pair.split("=") for pair in labels.split(",") if pair)
        if resource.group.endswith(".dev"):
            definition = f"{resource.name}.{resource.group}"
            if not any(
                d["metadata"]["name"] == definition
                for d in self.of_kind("CustomResourceDefinition")
            ):
                raise NotFound(f"cannot {asked}: HTTP 404")
        for document in self._some(asked, namespace):
            has = document["metadata"].get("labels") or {}
            if wanted.items() <= has.items():
                yield Page([document], "1")
        yield Page([], "1")

    def cached(self, resource: Resource) -> Iterator[Page]:
        return self.pages(resource)

    def create(
        self,
        resource: Resource,
        document: Document,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> Document:
        if resource.name == "subjectaccessreviews":
            spec = document["spec"]
            allowed = self._allowed(spec["user"], spec["resourceAttributes"])
            return {**document, "status": {"allowed": allowed}}
        assert dry_run, "a doctor changes nothing"
        asked = Asked("create", resource, namespace)
        self._check(asked)
        entry = self._asked_about(resource, namespace)
        if entry is None:
            return document
        if not self.calls and entry.get("failurePolicy") == "Fail":
            raise KubeError(
                f"cannot {asked}: the API server answers 500, Internal error occurred: failed calling webhook "
                f'"{entry["name"]}": no endpoints available for service "nbgate"; try again later'
            )
        if not self.calls:
            return document
        raise Refused(
            f'cannot {asked}: admission webhook "{entry["name"]}" denied the request: [reference]'
        )

    def forward(self, pod: str, namespace: str, port: int, seconds: float) -> socket.socket:
        self._check(Asked("get", Resource(group="", version="v1", name="pods"), namespace, pod))
        if (pod, port) not in self.addresses:
            raise KubeError(f"cannot forward to {pod}: nothing there")
        return socket.create_connection(self.addresses[pod, port], seconds)

    def _check(self, asked: Asked) -> None:
        if asked.resource.name in self.refused:
            raise Forbidden(f"cannot {asked}: alice may not; give it a Role")

    def _some(self, asked: Asked, namespace: str | None) -> list[Document]:
        self._check(asked)
        kind = singular(asked.resource.name)
        return [
            d
            for d in self.documents
            if d["kind"].lower() == kind
            and d["apiVersion"].rpartition("/")[0] == asked.resource.group
            and namespace in {None, d["metadata"].get("namespace")}
        ]

    def _asked_about(self, resource: Resource, namespace: str | None) -> Document | None:
        """The first entry of the validating configurations that is asked about a creation."""
        for configuration in self.of_kind("ValidatingWebhookConfiguration"):
            for entry in configuration["webhooks"]:
                rules = entry["rules"]
                if any(resource.name in rule["resources"] for rule in rules) and self._selected(
                    entry, namespace
                ):
                    return entry  # type: ignore[no-any-return]
        return None

    def _selected(self, entry: Document, namespace: str | None) -> bool:
        selector = (entry.get("namespaceSelector") or {}).get("matchLabels") or {}
        if namespace is None or not selector:
            return True
        found = next(
            (n for n in self.of_kind("Namespace") if n["metadata"]["name"] == namespace), None
        )
        labels = (found or {"metadata": {}})["metadata"].get("labels") or {}
        return bool(selector.items() <= labels.items())

    def _allowed(self, user: str, asked: Mapping[str, str]) -> bool:
        return any(_grants(rule, asked) for rule in self._rules(user, asked.get("namespace", "")))

    def _rules(self, user: str, namespace: str) -> Iterable[Document]:
        """The rules that hold for a service account in a namespace, of all bindings that name it."""
        _, _, home, account = user.split(":")
        for binding in [*self.of_kind("RoleBinding"), *self.of_kind("ClusterRoleBinding")]:
            where = binding["metadata"].get("namespace")
            subjects = [(s.get("namespace", where), s["name"]) for s in binding["subjects"]]
            if (home, account) not in subjects or where not in {None, namespace}:
                continue
            ref = binding["roleRef"]
            for role in self.of_kind(ref["kind"]):
                if role["metadata"]["name"] == ref["name"] and (
                    ref["kind"] == "ClusterRole" or role["metadata"].get("namespace") == where
                ):
                    yield from role["rules"]


def _grants(rule: Document, asked: Mapping[str, str]) -> bool:
    resource = "/".join(filter(None, [asked["resource"], asked.get("subresource", "")]))
    names = rule.get("resourceNames") or []
    return (
        asked["verb"] in rule["verbs"]
        and asked.get("group", "") in rule["apiGroups"]
        and resource in rule["resources"]
        and (not names or asked.get("name", "") in names)
    )


def namespace(name: str, **labels: str) -> Document:
    """A profile's namespace."""
    marked = {PROFILE_LABEL: PROFILE, **labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marked}}
