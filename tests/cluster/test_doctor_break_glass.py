"""docs/break-glass.md does what it says, on a real control plane where nbgate is asked and nobody answers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.doctoring import typed
from tests.cluster.manifests import stateful_set
from tests.cluster.orphaned import admitted, orphaned
from tests.cluster.waiting import wait_for
from tests.pages import blocks, read

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

PAGE = read("break-glass.md")
GET_OUT, GET_OUT_MORE, RETRY, ONE_NAMESPACE, FAIL_OPEN = blocks(PAGE, "sh")


@pytest.fixture
def plane(control_plane: ControlPlane, namespace: str) -> Iterator[ControlPlane]:
    """nbgate's configurations are there, its Service is not: every notebook is refused."""
    with orphaned(control_plane, namespace):
        yield control_plane


def closed(plane: ControlPlane, namespace: str) -> None:
    wait_for(lambda: not admitted(plane, namespace), 20, "the configurations to be in force")


def test_one_command_gets_out_within_seconds_though_nobody_answers(
    plane: ControlPlane, namespace: str
) -> None:
    closed(plane, namespace)
    typed(plane, GET_OUT)
    started = time.monotonic()
    wait_for(lambda: admitted(plane, namespace), 20, "pods to be admitted")
    assert time.monotonic() - started < 5
    typed(plane, GET_OUT_MORE)


def test_refused_notebooks_start_when_they_are_retried(plane: ControlPlane, namespace: str) -> None:
    closed(plane, namespace)
    plane.create(stateful_set("nb", namespace, "registry.example.com/nb:1"))
    wait_for(lambda: refusals(plane, namespace) >= 5, 30, "pauses between tries to be long")
    typed(plane, GET_OUT)
    wait_for(lambda: admitted(plane, namespace), 20, "pods to be admitted")
    typed(plane, RETRY)
    started = time.monotonic()
    wait_for(
        lambda: plane.get(f"/api/v1/namespaces/{namespace}/pods/nb-0"),
        20,
        "the notebook's pod",
        ignoring=(RequestRefused,),
    )
    assert time.monotonic() - started < 5


def refusals(plane: ControlPlane, namespace: str) -> int:
    """How often the StatefulSet's controller was refused a pod."""
    events = plane.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    return sum(event.get("count", 1) for event in events if event["reason"] == "FailedCreate")


def test_failing_open_admits_what_nobody_judges(plane: ControlPlane, namespace: str) -> None:
    closed(plane, namespace)
    typed(plane, FAIL_OPEN)
    wait_for(lambda: admitted(plane, namespace), 20, "pods to be admitted")
    found = plane.get(
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/nbgate"
    )
    assert {hook["failurePolicy"] for hook in found["webhooks"]} == {"Ignore"}


def test_a_namespace_can_be_labelled(plane: ControlPlane, namespace: str) -> None:
    typed(plane, ONE_NAMESPACE.replace("NAMESPACE", namespace))
    (undo,) = re.findall(r"`(kubectl label .*mode-)`", PAGE)
    typed(plane, undo.replace("NAMESPACE", namespace))
    labels = plane.get(f"/api/v1/namespaces/{namespace}")["metadata"]["labels"]
    assert "nbgate.dev/mode" not in labels


def test_the_role_for_people_on_call_is_enough(plane: ControlPlane) -> None:
    (text,) = blocks(PAGE, "yaml")
    role = yaml.safe_load(text)
    binding = {
        "apiVersion": role["apiVersion"],
        "kind": "ClusterRoleBinding",
        "metadata": role["metadata"],
        "subjects": [{"kind": "User", "name": "on-call"}],
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": role["metadata"]["name"],
        },
    }
    plane.create(role, binding)
    for command in (FAIL_OPEN, GET_OUT, GET_OUT_MORE):
        typed(plane, command.replace("kubectl", "kubectl --as on-call", 1))
    plane.kubectl("delete", "clusterrole,clusterrolebinding", role["metadata"]["name"])
