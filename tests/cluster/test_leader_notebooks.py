"""The leader's duties for people: refused notebooks start when their image is fine, and refusals are told on them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.gate import Gate
from tests.cluster.leadership import (
    events_on,
    pod_requests,
    post,
    reasons_on,
    refused_times,
    start_notebook,
)
from tests.cluster.manifests import Document, stateful_set
from tests.cluster.waiting import wait_for
from webhook.controller.refusals import Refusals
from webhook.controller.touching import ANNOTATION, Touching
from webhook.controller.verdicts import Results
from webhook.controller.waiting import FRESH, HEARD, PAUSES
from webhook.core.document import format_time
from webhook.kube import Event, Kube, connect

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

_numbers = itertools.count(1)
DENIED = 'admission webhook "pods.nbgate.dev" denied the request: '


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


@pytest.fixture
def image() -> str:
    return f"registry.example.com/leader/image-{next(_numbers)}:v1"


@pytest.fixture
def results() -> Results:
    return Results()


@pytest.fixture
def touching(kube: Kube, results: Results) -> Touching:
    return Touching(kube, results)


@pytest.fixture
def refusals(kube: Kube) -> Iterator[Refusals]:
    duty = Refusals(kube)
    yield duty
    duty.halt()


def new_scan(gate: Gate, image: str, **facts: object) -> Document:
    """Make a result of this moment."""
    scan = gate.scan_of(image, **facts)
    scan["status"]["scannedAt"] = format_time(time.time())
    # Of results of one tag the one that was resolved last counts.
    scan["status"]["resolvedAt"] = format_time(time.time() + next(_numbers))
    return scan


def tell(gate: Gate, results: Results, image: str, **facts: object) -> Document:
    """Let admission and then the leader know a new result."""
    scan = new_scan(gate, image, **facts)
    gate.holds(scan)
    results.changed(Event("ADDED", scan))
    return scan


def running(duty: Refusals, plane: ControlPlane, namespace: str, name: str, reason: str) -> None:
    """Run the duty until it has said this on a Notebook."""

    def said() -> bool:
        duty.run(time.time())
        return reason in reasons_on(plane, namespace, name)

    wait_for(said, 15, f"{reason} on {name}")


def test_refused_notebooks_start_at_once_when_their_image_turns_out_to_work(
    gate: Gate, namespace: str, image: str, results: Results, touching: Touching, refusals: Refusals
) -> None:
    plane = gate.control_plane
    for name in ("one", "two"):
        start_notebook(plane, name, namespace, image)
    start_notebook(plane, "other", namespace, f"{image}-other")
    running(refusals, plane, namespace, "one", "ScanPending")
    touching.run(time.time())
    times = refused_times(plane, namespace, "one-0", 11)

    scan = tell(gate, results, image)
    touching.run(time.time())

    # Its own next try would come only after twice the last pause.
    by_itself = times[-1] + 2 * (times[-1] - times[-2])
    for name in ("one", "two"):
        gate.pod(namespace, f"{name}-0")
        created = next(
            at
            for at, code in pod_requests(plane, namespace, f"{name}-0")
            if code == HTTPStatus.CREATED
        )
        assert created < by_itself - 1
    assert reasons_on(plane, namespace, "one") == ["ScanPending", "ImageConforms"]
    pending, conforms = events_on(plane, namespace, "one")
    assert (pending["type"], conforms["type"]) == ("Warning", "Normal")
    assert conforms["message"] == f"the image {image} works as a notebook: starting"
    touched = plane.get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/one")
    assert touched["metadata"]["annotations"][ANNOTATION].startswith(scan["status"]["digest"])
    assert ANNOTATION not in str(
        plane.get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/other")["metadata"]
    )


def test_what_is_refused_after_the_touch_too_is_touched_again_seconds_later(
    gate: Gate, kube: Kube, namespace: str, image: str, results: Results
) -> None:
    plane, passed = gate.control_plane, [0.0]
    touching = Touching(kube, results, clock=lambda: time.monotonic() + passed[0])
    start_notebook(plane, "nb", namespace, image)
    refused_times(plane, namespace, "nb-0", 8)
    # The leader knows before this replica of the webhook does.
    scan = new_scan(gate, image)
    results.changed(Event("ADDED", scan))
    touching.run(time.time())
    refused_times(plane, namespace, "nb-0", 9)
    gate.holds(scan)
    passed[0], later = PAUSES[0], time.time() + PAUSES[0]

    touching.run(later)

    gate.pod(namespace, "nb-0")
    touched = plane.get(f"/apis/apps/v1/namespaces/{namespace}/statefulsets/nb")
    assert touched["metadata"]["annotations"][ANNOTATION].endswith(format_time(later))
    assert reasons_on(plane, namespace, "nb") == ["ImageConforms"]


def test_notebooks_that_a_policy_refused_start_when_it_is_relaxed(
    gate: Gate, kube: Kube, namespace: str, image: str, results: Results
) -> None:
    plane, later = gate.control_plane, time.time() + 2 * FRESH
    changed_at = later - 2 * FRESH
    touching = Touching(kube, results, policy_changed_at=lambda: changed_at)
    start_notebook(plane, "nb", namespace, image)
    tell(gate, results, image, failing=("uid-1000",))
    times = refused_times(plane, namespace, "nb-0", 10)
    touching.run(later)
    assert len(pod_requests(plane, namespace, "nb-0")) == 10
    try:
        gate.follows(requirements={"uid-1000": "Warn"})
        touching.halt()
        changed_at = later - HEARD
        touching.run(later)
        gate.pod(namespace, "nb-0")
    finally:
        gate.follows()
    by_itself = times[-1] + 2 * (times[-1] - times[-2])
    assert pod_requests(plane, namespace, "nb-0")[10][0] < by_itself - 1


def test_a_pod_that_was_there_before_is_missed_although_the_status_still_counts_it(
    gate: Gate, namespace: str, image: str, results: Results, touching: Touching
) -> None:
    plane = gate.control_plane
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/nb"
    tell(gate, results, image)
    start_notebook(plane, "nb", namespace, image)
    gate.pod(namespace, "nb-0")
    wait_for(lambda: plane.get(path)["status"].get("replicas") == 1, 20, "the pod to be counted")
    tell(gate, results, image, failing=("uid-1000",))
    plane.kubectl("delete", "pod", "nb-0", "-n", namespace, "--force", "--grace-period=0")
    refused_times(plane, namespace, "nb-0", 9)
    before = plane.get(path)

    tell(gate, results, image)
    touching.run(time.time())

    gate.pod(namespace, "nb-0")
    assert before["status"]["replicas"] == 1
    assert ANNOTATION in plane.get(path)["metadata"]["annotations"]


def test_a_notebook_that_has_its_pod_is_left_alone(
    gate: Gate, namespace: str, image: str, results: Results, touching: Touching
) -> None:
    plane = gate.control_plane
    tell(gate, results, image)
    start_notebook(plane, "nb", namespace, image)
    gate.pod(namespace, "nb-0")
    path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets/nb"
    wait_for(lambda: plane.get(path)["status"].get("replicas") == 1, 20, "the pod to be counted")

    touching.run(time.time())

    assert "annotations" not in plane.get(path)["metadata"]
    assert reasons_on(plane, namespace, "nb") == []


def test_the_owner_of_an_image_that_does_not_work_learns_so_at_once(
    gate: Gate, namespace: str, image: str, results: Results, touching: Touching, refusals: Refusals
) -> None:
    plane = gate.control_plane
    start_notebook(plane, "nb", namespace, image)
    running(refusals, plane, namespace, "nb", "ScanPending")
    times = refused_times(plane, namespace, "nb-0", 10)

    tell(gate, results, image, failing=("uid-1000",))
    touching.run(time.time())

    running(refusals, plane, namespace, "nb", "NotebookRefused")
    by_itself = times[-1] + 2 * (times[-1] - times[-2])
    assert pod_requests(plane, namespace, "nb-0")[10][0] < by_itself - 1
    _, refused = events_on(plane, namespace, "nb")
    assert refused["message"].startswith(f"image {image}@sha256:")
    assert (
        " does not work as a notebook: [uid-1000] about uid-1000. Fix: http" in refused["message"]
    )
    assert refused["type"] == "Warning"
    assert refused["source"] == {"component": "nbgate"}
    # Tried once: what does not work is left to its own retries.
    count = len(pod_requests(plane, namespace, "nb-0"))
    touching.halt()
    touching.run(time.time() + 300)
    assert len(pod_requests(plane, namespace, "nb-0")) == count


def test_a_refusal_is_said_once_by_two_leaders_and_after_a_restart_however_often_it_is_retried(
    gate: Gate, kube: Kube, namespace: str, image: str
) -> None:
    plane = gate.control_plane
    uid = start_notebook(plane, "nb", namespace, image)["metadata"]["uid"]
    refused_times(plane, namespace, "nb-0", 4)

    for _ in range(2):
        leaders = Refusals(kube), Refusals(kube)
        for leader in leaders:
            running(leader, plane, namespace, "nb", "ScanPending")
        refused_times(plane, namespace, "nb-0", 6)
        for leader in leaders:
            leader.run(time.time())
            leader.halt()

    [event] = events_on(plane, namespace, "nb")
    assert event["count"] == 1
    assert event["involvedObject"] == {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "name": "nb",
        "namespace": namespace,
        "uid": uid,
    }
    told = gate.refusals(namespace, "nb")[0]
    assert told["message"].endswith(event["message"])
    assert event["lastTimestamp"] <= told["lastTimestamp"]


def test_what_is_no_notebooks_gets_no_event(
    gate: Gate, namespace: str, image: str, refusals: Refusals
) -> None:
    plane = gate.control_plane
    plane.create(stateful_set("alone", namespace, image))
    gate.refusals(namespace, "alone")
    start_notebook(plane, "nb", namespace, image)

    running(refusals, plane, namespace, "nb", "ScanPending")

    everything = plane.get(f"/api/v1/namespaces/{namespace}/events")["items"]
    assert {
        e["involvedObject"]["name"] for e in everything if e["source"].get("component") == "nbgate"
    } == {"nb"}


def test_a_forged_event_gives_its_author_one_on_their_own_notebook_and_nothing_else(
    gate: Gate, namespace: str, image: str, refusals: Refusals
) -> None:
    plane = gate.control_plane
    start_notebook(plane, "nb", namespace, image)
    now = format_time(time.time())
    elsewhere = {
        "kind": "StatefulSet",
        "apiVersion": "apps/v1",
        "name": "nb",
        "namespace": namespace,
    }
    post(
        plane,
        f"/api/v1/namespaces/{namespace}/events",
        {
            "metadata": {"name": "forged"},
            "involvedObject": elsewhere,
            "reason": "FailedCreate",
            "message": f"{DENIED}image x does not work as a notebook:\n\x1b[31m{'é' * 2000}",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "type": "Normal",
        },
    )

    running(refusals, plane, namespace, "nb", "NotebookRefused")

    forged = next(e for e in events_on(plane, namespace, "nb") if e["reason"] == "NotebookRefused")
    assert forged["message"].startswith("image x does not work as a notebook:??[31m")
    assert len(forged["message"].encode()) <= 1024
