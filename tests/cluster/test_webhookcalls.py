"""Calls that fail are in what is read of the API server's metrics and log: else their absence would show nothing."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.enforcement import in_force
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.cluster.webhookcalls import Calls, calls

pytestmark = pytest.mark.cluster

LABEL = "nbgate.dev/nobody-answers"


def unanswered(kind: str, policy: str) -> Document:
    """Return a configuration whose one webhook is at a port where nobody listens."""
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    webhook = {
        "name": f"{policy.lower()}.nbgate.dev",
        "clientConfig": {"url": "https://127.0.0.1:1/"},
        "rules": [{**rule, "operations": ["CREATE"]}],
        "objectSelector": {"matchLabels": {LABEL: ""}},
        "failurePolicy": policy,
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": f"{policy.lower()}-unanswered"},
        "webhooks": [webhook],
    }


def test_calls_that_fail_are_counted_by_entry_open_and_closed(control_plane: ControlPlane) -> None:
    metadata = {"name": "unanswered", "namespace": "default", "labels": {LABEL: ""}}
    configmap = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    configurations = unanswered("Mutating", "Ignore"), unanswered("Validating", "Fail")
    with in_force(control_plane, *configurations):
        before = calls(control_plane)
        answer = control_plane.request("POST", "/api/v1/namespaces/default/configmaps", configmap)
        found = wait_for(lambda: failures(control_plane, before), 10, "both in the log")

    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert found.made == {"ignore.nbgate.dev": 1, "fail.nbgate.dev": 1}
    assert found.failed == {"fail.nbgate.dev": 1}
    opened, closed = found.complaints
    assert opened.startswith("ignore.nbgate.dev failed open: ")
    assert closed.startswith("fail.nbgate.dev failed closed: ")


def failures(plane: ControlPlane, before: Calls) -> Calls | None:
    found = calls(plane).since(before)
    return found if len(found.complaints) == 2 else None
