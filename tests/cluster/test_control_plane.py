"""The harness is real: what the other cluster tests rely on happens on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cluster import webhooks
from tests.cluster.cluster import Cluster, KubectlFailed
from tests.cluster.component import ComponentEnded
from tests.cluster.controlplane import Answer, ControlPlane, RequestRefused
from tests.cluster.enforcement import in_force
from tests.cluster.identities import ALICE
from tests.cluster.manifests import (
    NOTEBOOK_VERSIONS,
    Document,
    notebook,
    pod_of,
    profile,
    stateful_set,
)
from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for

pytestmark = pytest.mark.cluster

IMAGE = "registry.example.com/team/notebook:1"
STATEFUL_SETS = "system:serviceaccount:kube-system:statefulset-controller"


def requests_for_pods(
    control_plane: ControlPlane, namespace: str, verb: str, count: int
) -> list[Document] | None:
    """Return that many audit events, once they are there."""
    events = [
        event
        for event in control_plane.audit_events(namespace)
        if event["verb"] == verb and event["objectRef"]["resource"] == "pods"
    ]
    return events if len(events) == count else None


@pytest.mark.usefixtures("controllers")
def test_stateful_set_controller_creates_the_pod_of_a_stateful_set(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.create(stateful_set("analysis", namespace, IMAGE))

    pod = wait_for(
        lambda: control_plane.get(f"/api/v1/namespaces/{namespace}/pods/analysis-0"),
        10,
        "the StatefulSet's pod",
        ignoring=(RequestRefused,),
    )
    [owner] = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("StatefulSet", "analysis", True)
    [created] = wait_for(
        lambda: requests_for_pods(control_plane, namespace, "create", 1), 5, "its audit event"
    )
    assert created["user"]["username"] == STATEFUL_SETS


@pytest.mark.parametrize("version", NOTEBOOK_VERSIONS)
def test_notebook_is_served_in_each_of_its_versions(
    cluster: Cluster, namespace: str, version: str
) -> None:
    made = notebook("analysis", namespace, IMAGE, version=version)

    cluster.create(made)

    for other in NOTEBOOK_VERSIONS:
        path = f"/apis/kubeflow.org/{other}/namespaces/{namespace}/notebooks/analysis"
        assert cluster.get(path)["spec"] == made["spec"]


def test_dry_run_changes_nothing(cluster: Cluster, namespace: str) -> None:
    pod = pod_of(stateful_set("analysis", namespace, IMAGE))

    done = cluster.create(pod, flags=("--dry-run=server", "--output=json"))

    assert json.loads(done.stdout)["spec"]["containers"][0]["image"] == IMAGE
    assert cluster.get(f"/api/v1/namespaces/{namespace}/pods")["items"] == []


def test_audit_events_tell_who_asked_for_what_and_the_answer(
    control_plane: ControlPlane, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/pods"
    refused = control_plane.request("GET", path, token=ALICE.token)
    control_plane.kubectl("get", "--raw", path, user="bob", groups=("team-b",), check=False)

    first, second = wait_for(
        lambda: requests_for_pods(control_plane, namespace, "list", 2), 5, "two audit events"
    )

    assert refused.status == first["responseStatus"]["code"] == HTTPStatus.FORBIDDEN
    assert (first["user"]["username"], first["user"]["groups"][0]) == (ALICE.user, "team-a")
    assert second["impersonatedUser"]["username"] == "bob"
    assert second["impersonatedUser"]["groups"][0] == "team-b"
    assert (first["level"], first["stage"]) == ("Metadata", "ResponseComplete")


@pytest.fixture
def absent_webhook(control_plane: ControlPlane) -> Iterator[str]:
    """nbgate's validating configuration, in force, without its server: all it matches is refused."""
    with reserved_ports(1) as [port]:
        ca_bundle = control_plane.certificate.read_bytes()
        with in_force(control_plane, webhooks.validating(port, ca_bundle)):
            yield "failed calling webhook"


def test_absent_webhook_blocks_a_labelled_pod_and_no_other(
    control_plane: ControlPlane, namespace: str, absent_webhook: str
) -> None:
    labelled = pod_of(stateful_set("analysis", namespace, IMAGE))
    other = pod_of(stateful_set("job", namespace, IMAGE))
    del other["metadata"]["labels"]["notebook-name"]

    with pytest.raises(KubectlFailed, match=f'{absent_webhook} "pods.nbgate.dev"'):
        control_plane.create(labelled)
    control_plane.create(other)


def test_absent_webhook_blocks_nothing_outside_profiles(
    control_plane: ControlPlane, absent_webhook: str
) -> None:
    labelled = pod_of(stateful_set("analysis", "default", IMAGE))
    labelled["spec"]["serviceAccountName"] = "default"

    created = control_plane.create(labelled, flags=["--dry-run=server"], check=False)

    assert absent_webhook not in created.stderr
    assert created.returncode == 0


@pytest.mark.parametrize("version", NOTEBOOK_VERSIONS)
def test_absent_webhook_blocks_notebooks_of_every_version(
    control_plane: ControlPlane, namespace: str, absent_webhook: str, version: str
) -> None:
    with pytest.raises(KubectlFailed, match=f'{absent_webhook} "notebooks.nbgate.dev"'):
        control_plane.create(notebook("analysis", namespace, IMAGE, version=version))


def add_ephemeral_container(control_plane: ControlPlane, namespace: str, pod: str) -> Answer:
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}/ephemeralcontainers"
    found = control_plane.get(path)
    # An EphemeralContainers before 1.22, a Pod since.
    holder = found["spec"] if found["kind"] == "Pod" else found
    holder["ephemeralContainers"] = [
        {
            "name": "debugger",
            "image": IMAGE,
            "imagePullPolicy": "IfNotPresent",
            "terminationMessagePolicy": "File",
        }
    ]
    return control_plane.request("PUT", path, found)


def test_absent_webhook_blocks_ephemeral_containers(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.create(pod_of(stateful_set("analysis", namespace, IMAGE)))
    with reserved_ports(1) as [port]:
        configuration = webhooks.validating(port, control_plane.certificate.read_bytes())

        with in_force(control_plane, configuration):
            blocked = add_ephemeral_container(control_plane, namespace, "analysis-0")
        allowed = add_ephemeral_container(control_plane, namespace, "analysis-0")

    refusal = blocked.document["message"]
    assert 'failed calling webhook "ephemeral-containers.nbgate.dev"' in refusal
    assert allowed.status == HTTPStatus.OK


def test_object_selector_would_let_ephemeral_containers_by_before_1_22(
    control_plane: ControlPlane, namespace: str
) -> None:
    if control_plane.version >= (1, 22):
        pytest.skip("from 1.22 on the request carries the Pod, with its labels")
    control_plane.create(pod_of(stateful_set("analysis", namespace, IMAGE)))
    with reserved_ports(1) as [port]:
        configuration = webhooks.validating(port, control_plane.certificate.read_bytes())
        for webhook in configuration["webhooks"]:
            webhook["objectSelector"] = webhooks.NOTEBOOK_PODS

        with in_force(control_plane, configuration):
            by = add_ephemeral_container(control_plane, namespace, "analysis-0")

    assert by.status == HTTPStatus.OK


def test_server_that_ends_is_reported_with_the_end_of_its_log(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    flags = ["--no-such-flag"]

    with (
        pytest.raises(ComponentEnded, match=r"kube-apiserver ended with code 1(?s:.*)no-such-flag"),
        ControlPlane(control_plane.programs, tmp_path, apiserver_flags=flags),
    ):
        pass


def test_without_controllers_pods_are_admitted_all_the_same(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    programs = replace(control_plane.programs, controller_manager=None)

    with ControlPlane(programs, tmp_path) as bare:
        bare.create(*profile("team-a"), pod_of(stateful_set("analysis", "team-a", IMAGE)))

        assert bare.get("/api/v1/namespaces/team-a/pods/analysis-0")["kind"] == "Pod"
        assert not bare.runs_controllers
