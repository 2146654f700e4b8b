"""nbgate in front of the control plane: a real server, and webhook configurations that name it."""

from __future__ import annotations

import itertools
import json
import urllib.parse
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tests.cluster.controlplane import Answer, ControlPlane, RequestRefused
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.server.documents import policy, put, scan
from tests.server.running import RunningServer

RELOAD_SECONDS = 10
RETRY_SECONDS = 30


class Gate:
    """The control plane with nbgate in force, and what tests ask of both.

    Attributes:
        scans: the documents that nbgate holds, by image.
    """

    def __init__(self, control_plane: ControlPlane, server: RunningServer) -> None:
        self.control_plane = control_plane
        self.server = server
        self.scans: dict[str, Document] = {}
        self._numbers = itertools.count(1)
        self._generation = 1

    def knows(self, image: str, **facts: Any) -> str:
        """Give nbgate a scan of an image, and return the digest that it was resolved to."""
        document = self.scan_of(image, **facts)
        self.holds(document)
        digest: str = document["status"]["digest"]
        return digest

    def scan_of(self, image: str, **facts: Any) -> Document:
        """Make a scan of an image, with a name and a digest of its own."""
        number = next(self._numbers)
        document = scan(image, name=f"scan-{number}", **facts)
        document["status"]["digest"] = f"sha256:{number:064x}"
        return document

    def holds(self, *documents: Document) -> None:
        """Give nbgate new scans, in one file, and wait until they count."""
        before = self._message("Scans")
        for document in documents:
            self.scans[document["spec"]["image"]] = document
        name = documents[0]["metadata"]["name"]
        put(self.server.home / "scans" / f"{name}.json", list(documents))
        wait_for(lambda: self._message("Scans") != before, RELOAD_SECONDS, "the scans to count")

    def follows(self, **spec: object) -> None:
        """Give nbgate a policy, and wait until it holds."""
        self._generation += 1
        document = policy(**spec)
        document["metadata"] = {"name": "test", "generation": self._generation}
        put(self.server.home / "policy.json", document)
        wait_for(
            lambda: f"@{self._generation} holds" in self._message("Policy"),
            RELOAD_SECONDS,
            "the policy to hold",
        )

    def _message(self, condition: str) -> str:
        listed = self.server.client.get("/readyz").json()["conditions"]
        return next(str(c["message"]) for c in listed if c["type"] == condition)

    def post(self, document: Document, *, dry_run: bool = False) -> Answer:
        """Create an object."""
        return self.control_plane.request("POST", _path(document, dry_run=dry_run), document)

    def pod(self, namespace: str, name: str) -> Document:
        """Wait for a pod, and return it."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        return wait_for(
            lambda: self.control_plane.get(path),
            RETRY_SECONDS,
            f"the pod {name}",
            ignoring=(RequestRefused,),
        )

    def refusals(self, namespace: str, name: str) -> list[Document]:
        """Wait for the StatefulSet's FailedCreate events, and return them."""
        return wait_for(
            lambda: [
                event
                for event in self._events(namespace)
                if event["reason"] == "FailedCreate" and event["involvedObject"]["name"] == name
            ],
            RETRY_SECONDS,
            f"a FailedCreate event of {name}",
        )

    def _events(self, namespace: str) -> list[Document]:
        items: list[Document] = self.control_plane.get(f"/api/v1/namespaces/{namespace}/events")[
            "items"
        ]
        return items

    def records(self, namespace: str) -> list[Document]:
        """The namespace's audit records of nbgate's own."""
        return [r for r in self.server.records() if r["namespace"] == namespace]

    def annotations(self, namespace: str, code: int) -> list[Mapping[str, str]]:
        """Wait for the API server's audit events of pod creations with this code; return their annotations."""

        def found() -> list[Mapping[str, str]]:
            return [
                event["annotations"]
                for event in self.control_plane.audit_events(namespace)
                if event["verb"] == "create"
                and event["objectRef"]["resource"] == "pods"
                and event["responseStatus"]["code"] == code
            ]

        return wait_for(found, 10, "the API server's audit event")


_PLURALS = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "StatefulSet": "/apis/apps/v1/namespaces/{}/statefulsets",
    "Notebook": "/apis/kubeflow.org/v1beta1/namespaces/{}/notebooks",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
}


def _path(document: Document, *, dry_run: bool) -> str:
    base = _PLURALS[document["kind"]].format(document["metadata"]["namespace"])
    return f"{base}?{urllib.parse.urlencode({'dryRun': 'All'})}" if dry_run else base


def message_of(answer: Answer) -> str:
    """Why the API server refused a request."""
    assert answer.status == HTTPStatus.FORBIDDEN, answer.text
    document = json.loads(answer.text)
    message: str = document["message"]
    return message


def created(answer: Answer) -> Document:
    """What a request created."""
    assert answer.status == HTTPStatus.CREATED, answer.text
    return answer.document


def container(pod: Document, name: str) -> Document:
    """One of a pod's containers."""
    return next(c for c in pod["spec"]["containers"] if c["name"] == name)


def env(held: Document) -> dict[str, str]:
    """A container's variables; each must stand once."""
    names = [entry["name"] for entry in held.get("env", [])]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", "") for entry in held.get("env", [])}
