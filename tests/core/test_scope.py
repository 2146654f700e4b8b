"""What is judged at all: notebooks' pods, Notebooks, and ephemeral containers as both kinds of server send them."""

from typing import Any

import pytest

from tests.core.builders import (
    NOW,
    Json,
    container,
    ephemeral_containers,
    exemption,
    finished_pod,
    notebook,
    pod,
    request,
    scan_document,
    snapshot,
)
from tests.core.deciding import found, judge
from tests.core.places import replaced
from webhook.core.decision import UNTOUCHED, answer, mutate, validate

ALLOWED: dict[str, Any] = {"registries": {"allow": ["ghcr.io/kubeflow/**"]}}

# What is left alone


@pytest.mark.parametrize(
    ("source", "fields"),
    [
        (pod(notebook=None), {}),
        (pod(labels={"Notebook-Name": "x"}, notebook=None), {}),
        (pod(annotations={"kubernetes.io/config.mirror": "abc"}), {}),
        (pod(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {"old": pod()}),
        (notebook(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}), {"old": notebook()}),
        (pod(), {"operation": "DELETE"}),
        (pod(), {"operation": "CONNECT"}),
        (notebook(), {"operation": "DELETE"}),
        (pod(), {"subresource": "status", "old": pod()}),
        (pod(), {"subresource": "resize", "old": pod()}),
        (pod(), {"subresource": "exec", "operation": "CONNECT"}),
        (notebook(), {"subresource": "status", "old": notebook()}),
        (
            {"kind": "StatefulSet", "metadata": {"labels": {"notebook-name": "x"}}},
            {},
        ),
    ],
)
def test_what_is_not_ours_is_allowed_untouched(source: Json, fields: dict[str, Any]) -> None:
    seen = request(source, **fields)
    assert validate(seen, snapshot(), NOW) == UNTOUCHED
    assert mutate(seen, snapshot()) == UNTOUCHED
    assert answer(UNTOUCHED, snapshot()).allowed
    assert answer(UNTOUCHED, snapshot()).annotations == {}


def test_a_deletion_without_an_object_is_allowed() -> None:
    assert judge({}, old=pod(), operation="DELETE") == UNTOUCHED


def test_a_pod_without_containers_has_no_image_to_judge() -> None:
    decision = judge(finished_pod() | {"spec": {"containers": []}})
    assert decision.word == "allowed"
    assert decision.use is None


# Ephemeral containers


def test_ephemeral_containers_of_older_servers_are_judged_without_their_pod() -> None:
    known = snapshot(**ALLOWED)
    debug = container("dbg", "busybox:1.36")
    source = ephemeral_containers(debug, container("bad", "B"))
    decision = judge(
        source, known, old=ephemeral_containers(debug), subresource="ephemeralcontainers"
    )
    assert found(decision) == {"reference": "Deny"}
    assert decision.denied[0].field == "ephemeralContainers[1].image"
    assert decision.subject is not None
    assert decision.subject.kind == "EphemeralContainers"
    assert decision.subject.notebook == "my-nb-0"
    both = judge(
        ephemeral_containers(debug),
        known,
        old=ephemeral_containers(),
        subresource="ephemeralcontainers",
    )
    assert found(both) == {"registry": "Deny"}
    assert found(judge(ephemeral_containers(), known, old=ephemeral_containers())) == {}


@pytest.mark.parametrize(
    ("asked", "held", "name"), [("a-0", "b-0", "a-0"), ("", "b-0", "b-0"), ("a-0", "", "a-0")]
)
def test_ephemeral_containers_are_known_by_the_pod_that_they_are_added_to(
    asked: str, held: str, name: str
) -> None:
    source = replaced(ephemeral_containers(container("dbg")), ("metadata", "name"), held)
    decision = judge(source, old=ephemeral_containers(), name=asked)
    assert decision.subject is not None
    assert decision.subject.notebook == name


@pytest.mark.parametrize(("namespace", "waived"), [("team-a", True), ("team-b", False)])
def test_an_exemption_holds_for_ephemeral_containers_of_its_namespace(
    namespace: str, *, waived: bool
) -> None:
    known = snapshot(exemptions=[exemption(requirements=["registry"])], **ALLOWED)
    debug = ephemeral_containers(container("dbg", "busybox"))
    decision = judge(debug, known, old=ephemeral_containers(), namespace=namespace)
    assert ("registry" not in found(decision)) is waived


def test_ephemeral_containers_of_newer_servers_are_judged_in_their_pod() -> None:
    known = snapshot(scan_document(), **ALLOWED)
    stored = finished_pod()
    debug = [container("dbg", "busybox:1.36")]
    source = finished_pod(ephemeralContainers=debug)
    decision = judge(source, known, old=stored, subresource="ephemeralcontainers")
    assert found(decision) == {"registry": "Deny"}
    assert decision.denied[0].field == "spec.ephemeralContainers[0].image"
    again = judge(source, known, old=source, subresource="ephemeralcontainers")
    assert found(again) == {}


def test_an_ephemeral_container_of_another_pod_is_left_alone() -> None:
    source = pod(notebook=None, ephemeralContainers=[container("dbg", "B")])
    decision = judge(source, old=pod(notebook=None), subresource="ephemeralcontainers")
    assert decision == UNTOUCHED
