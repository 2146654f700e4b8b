"""What tests of the leader's duties share: nbgate's own kinds, and what happened to pods, notebooks and leases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.manifests import Document, notebook, stateful_set_of
from tests.cluster.waiting import wait_for
from webhook.core.document import parse_time

DEFINITIONS = Path(__file__).parents[2] / "deploy" / "crds"
PLURALS = ("imagescans", "notebookpolicies")


@contextmanager
def our_kinds(plane: ControlPlane) -> Iterator[None]:
    """Serve ImageScan and NotebookPolicy, as they are deployed, while the context is open."""
    files = [f"--filename={DEFINITIONS / plural}.yaml" for plural in PLURALS]
    plane.kubectl("create", *files)
    try:
        for plural in PLURALS:
            path = f"/apis/nbgate.dev/v1alpha1/{plural}"
            wait_for(
                lambda path=path: plane.get(path),  # type: ignore[misc]
                20,
                f"the kind of {plural}",
                ignoring=(RequestRefused,),
            )
        yield
    finally:
        plane.kubectl("delete", *files, "--wait=true")


def post(plane: ControlPlane, path: str, document: Document) -> Document:
    """Create an object by a request, which is quicker than kubectl; `path` is that of its collection."""
    answer = plane.request("POST", path, document)
    assert answer.status == HTTPStatus.CREATED, answer.text
    return answer.document


def put_status(plane: ControlPlane, path: str, **status: Any) -> Document:
    """Replace an object's status; `path` is the object's."""
    held = plane.get(path)
    answer = plane.request("PUT", f"{path}/status", {**held, "status": status})
    assert answer.status == HTTPStatus.OK, answer.text
    return answer.document


def start_notebook(plane: ControlPlane, name: str, namespace: str, image: str) -> Document:
    """Create a Notebook, and its StatefulSet as the notebook-controller does; give the Notebook."""
    made = notebook(name, namespace, image, version="v1")
    created = post(plane, f"/apis/kubeflow.org/v1/namespaces/{namespace}/notebooks", made)
    post(plane, f"/apis/apps/v1/namespaces/{namespace}/statefulsets", stateful_set_of(made))
    return created


def events_on(plane: ControlPlane, namespace: str, name: str) -> list[Document]:
    """Give the Events on a Notebook, in the order in which they were created."""
    selected = f"involvedObject.kind=Notebook,involvedObject.name={name}"
    path = f"/api/v1/namespaces/{namespace}/events?fieldSelector={selected}"
    items: list[Document] = plane.get(path)["items"]
    return sorted(items, key=lambda event: int(event["metadata"]["resourceVersion"]))


def reasons_on(plane: ControlPlane, namespace: str, name: str) -> list[str]:
    """Give their reasons."""
    return [event["reason"] for event in events_on(plane, namespace, name)]


def pod_requests(plane: ControlPlane, namespace: str, pod: str) -> list[tuple[float, int]]:
    """Give when the pod's creation was asked for, and the codes of the answers, from the API server's audit log."""
    return [
        (parse_time(event["requestReceivedTimestamp"]), event["responseStatus"]["code"])
        for event in plane.audit_events(namespace)
        if event["verb"] == "create"
        and event["objectRef"]["resource"] == "pods"
        and event["objectRef"].get("name", pod) == pod
    ]


def refused_times(plane: ControlPlane, namespace: str, pod: str, count: int) -> list[float]:
    """Wait until a pod has been refused so many times; give when."""

    def refused() -> list[float]:
        asked = pod_requests(plane, namespace, pod)
        found = [at for at, code in asked if code == HTTPStatus.FORBIDDEN]
        return found if len(found) >= count else []

    return wait_for(refused, 40, f"{count} refusals of {pod}")


def dumped(document: Document) -> str:
    """Write a document in a way that two equal ones have in common."""
    return json.dumps(document, sort_keys=True)
