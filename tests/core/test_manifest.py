"""Manifests become the requests that an API server would make of them."""

import copy

import pytest

from tests.core.builders import (
    CONTROLLER,
    IMAGE,
    NOW,
    Json,
    container,
    finished_pod,
    notebook,
    pod,
    recorded,
    scan_document,
    snapshot,
)
from webhook.core.decision import mutate, validate
from webhook.core.manifest import namespace_mode, request_for
from webhook.core.reading import Malformed
from webhook.core.review import ReviewError, read_review

TEMPLATE = {
    "metadata": {"labels": {"notebook-name": "decoy", "a": "b"}},
    "spec": {"containers": [container("nb")]},
}
STATEFUL_SET: Json = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "nb", "namespace": "team-c"},
    "spec": {"replicas": 1, "template": TEMPLATE},
}


def test_a_pod_is_created_by_nobody_in_particular() -> None:
    made = request_for(finished_pod(), "default")
    assert (made.group, made.resource, made.kind, made.operation) == ("", "pods", "Pod", "CREATE")
    assert (made.namespace, made.name, made.user, made.groups) == ("team-a", "my-nb-0", "", ())
    assert made.object == finished_pod()
    assert made.old_object is None
    assert made.dry_run is False


def test_a_notebook_is_created_as_one() -> None:
    made = request_for(notebook(), "default")
    assert (made.group, made.resource, made.kind) == ("kubeflow.org", "notebooks", "Notebook")
    decision = validate(made, snapshot(scan_document(fails={"uid-1000": "root"})), NOW)
    assert decision.word == "denied"


@pytest.mark.parametrize("held", [None, ""])
def test_the_given_namespace_counts_where_the_manifest_names_none(held: str | None) -> None:
    assert request_for(pod(metadata={"namespace": held}), "default").namespace == "default"


def test_a_stateful_set_becomes_the_pod_that_its_controller_creates() -> None:
    before = copy.deepcopy(STATEFUL_SET)
    made = request_for(STATEFUL_SET, "default")
    assert before == STATEFUL_SET
    assert (made.resource, made.kind, made.name, made.namespace) == (
        "pods",
        "Pod",
        "nb-0",
        "team-c",
    )
    assert made.user == CONTROLLER
    owner = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "nb", "controller": True}
    assert made.object == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "nb-0",
            "generateName": "nb-",
            "namespace": "team-c",
            "labels": {"notebook-name": "decoy", "a": "b"},
            "ownerReferences": [owner],
        },
        "spec": TEMPLATE["spec"],
    }
    decision = mutate(made, snapshot(scan_document(IMAGE)))
    assert decision.subject is not None
    assert decision.subject.notebook == "nb"
    assert decision.patch[0]["value"] == [{"name": "NB_PREFIX", "value": "/notebook/team-c/nb"}]


def test_a_stateful_set_of_no_notebook_is_left_alone() -> None:
    plain = copy.deepcopy(STATEFUL_SET)
    plain["spec"]["template"] = {"spec": {"containers": []}}
    assert validate(request_for(plain, "default"), snapshot(), NOW).subject is None


def test_a_review_is_read_as_it_is() -> None:
    document = recorded("create-pods")
    assert request_for(document, "other") == read_review(document)
    with pytest.raises(ReviewError, match=r"request\.uid is missing"):
        request_for({**document, "request": {**document["request"], "uid": ""}}, "other")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (
            {"kind": "Deployment"},
            (
                "kind must be one of Pod, Notebook, StatefulSet, NotebookPolicy, AdmissionReview, Namespace; "
                "it is Deployment"
            ),
        ),
        (
            {},
            (
                "kind must be one of Pod, Notebook, StatefulSet, NotebookPolicy, AdmissionReview, Namespace; "
                "it is missing"
            ),
        ),
        ({"kind": "Pod", "metadata": []}, "metadata must be an object, not a list"),
        ({"kind": "Pod", "metadata": {"name": 1}}, "metadata.name must be text, not a number"),
        ({"kind": "StatefulSet", "spec": []}, "spec must be an object, not a list"),
        ({"kind": "StatefulSet"}, "spec.template is missing"),
        (
            {"kind": "Pod", "metadata": {"namespace": 5}},
            "metadata.namespace must be text, not a number",
        ),
        (
            {"kind": "StatefulSet", "spec": {"template": {"metadata": []}}},
            "spec.template.metadata must be an object, not a list",
        ),
        (
            {"kind": "StatefulSet", "spec": {"template": {"spec": {"containers": {}}}}},
            "spec.template.spec.containers must be a list, not an object",
        ),
        (
            {"kind": "StatefulSet", "spec": {"template": []}},
            "spec.template must be an object, not a list",
        ),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_by_name(document: Json, problem: str) -> None:
    with pytest.raises(Malformed) as caught:
        request_for(document, "default")
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("labels", "mode"),
    [
        (None, "deny"),
        ({}, "deny"),
        ({"nbgate.dev/mode": "warn"}, "warn"),
        ({"nbgate.dev/mode": "audit"}, "audit"),
        ({"nbgate.dev/mode": "Audit"}, "deny"),
    ],
)
def test_a_namespace_gives_its_mode(labels: dict[str, str] | None, mode: str) -> None:
    document = {"kind": "Namespace", "metadata": {"name": "team-a", "labels": labels}}
    assert namespace_mode(document) == ("team-a", mode)


def test_another_kind_gives_no_mode() -> None:
    assert namespace_mode(pod()) is None
