"""Webhook configurations that are surely in force, and later surely not."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http import HTTPStatus

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for

CANARY = "canary.nbgate.test"
SECONDS = 20  # the API server takes up to about one


@contextmanager
def in_force(control_plane: ControlPlane, *configurations: Document) -> Iterator[None]:
    """Create webhook configurations for as long as the context is open.

    The API server heeds a change of them a little later than it acknowledges it, so that a test could
    run past its webhook, or into that of the test before. It heeds a configuration as a whole, and so
    each gets one more webhook, a canary: it refuses ConfigMaps with a label of its own, which dry
    runs show. The wait is for the first refusal, and in the end for the first success.
    """
    with ExitStack() as stack:
        for configuration in configurations:
            stack.enter_context(_in_force(control_plane, configuration))
        yield


@contextmanager
def _in_force(control_plane: ControlPlane, configuration: Document) -> Iterator[None]:
    label = f"canary-{secrets.token_hex(4)}"
    kind, name = configuration["kind"], configuration["metadata"]["name"]
    webhooks = [*configuration["webhooks"], _canary(label)]
    control_plane.create({**configuration, "webhooks": webhooks})
    try:
        wait_for(lambda: _refused(control_plane, label), SECONDS, f"{kind} {name} to be in force")
        yield
    finally:
        control_plane.kubectl("delete", kind, name)
        wait_for(lambda: not _refused(control_plane, label), SECONDS, f"{kind} {name} to be gone")


def _canary(label: str) -> Document:
    configmaps = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    return {
        "name": CANARY,
        # Port 1 is a reserved one that nobody listens on: the call fails at once.
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**configmaps, "operations": ["CREATE"]}],
        "objectSelector": {"matchLabels": {label: ""}},
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }


def _refused(control_plane: ControlPlane, label: str) -> bool:
    configmap = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": label, "labels": {label: ""}},
    }
    path = "/api/v1/namespaces/default/configmaps?dryRun=All"
    answer = control_plane.request("POST", path, configmap)
    if answer.status == HTTPStatus.CREATED:
        return False
    assert CANARY in answer.text, answer.text
    return True
