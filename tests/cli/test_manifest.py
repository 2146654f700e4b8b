"""webhook/core/manifest.py: a manifest is judged as the request that the API server would make of it."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import CONTROLLER, recorded
from webhook.core.manifest import KINDS, namespace_mode, request_for
from webhook.core.reading import Malformed
from webhook.core.review import Request, ReviewError, read_review

Json = dict[str, Any]
SPEC: Json = {"containers": [{"name": "my-nb", "image": "nginx:1.25"}]}


def pod(**metadata: Any) -> Json:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": SPEC}


def statefulset(template: Any, **metadata: Any) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "my-nb", "namespace": "team-a", **metadata},
        "spec": {"template": template},
    }


def object_of(request: Request) -> Json:
    assert request.object is not None
    return dict(request.object)


def test_a_pod_is_its_own_creation() -> None:
    document = pod(name="a", namespace="team-a")
    request = request_for(document, "other")
    assert (request.operation, request.group, request.resource) == ("CREATE", "", "pods")
    assert (request.kind, request.namespace, request.name) == ("Pod", "team-a", "a")
    assert (request.object, request.old_object) == (document, None)


def test_a_notebook_is_its_own_creation() -> None:
    document = {**pod(name="a", namespace="team-a"), "kind": "Notebook"}
    request = request_for(document, "other")
    assert (request.group, request.resource) == ("kubeflow.org", "notebooks")
    assert (request.operation, request.kind, request.name) == ("CREATE", "Notebook", "a")


@pytest.mark.parametrize("named", [{}, {"namespace": ""}, {"namespace": None}])
@pytest.mark.parametrize("kind", ["Pod", "Notebook"])
def test_a_manifest_that_names_no_namespace_gets_the_given_one(kind: str, named: Json) -> None:
    assert request_for({**pod(**named), "kind": kind}, "mine").namespace == "mine"


@pytest.mark.parametrize("kind", ["Pod", "Notebook", "StatefulSet"])
def test_nobody_s_word_counts_as_the_controller_s_but_for_a_statefulset(kind: str) -> None:
    document = {**statefulset({"spec": SPEC}), "kind": kind}
    assert request_for(document, "x").user == (CONTROLLER if kind == "StatefulSet" else "")


def test_a_statefulset_is_the_pod_that_its_controller_was_seen_to_create() -> None:
    """create-pods.json is what a real StatefulSet controller sent for a StatefulSet called my-nb."""
    seen = read_review(recorded("create-pods"))
    made = object_of(seen)
    template = {"metadata": {"labels": made["metadata"]["labels"]}, "spec": made["spec"]}
    request = request_for(statefulset(template), "other")
    ours = object_of(request)
    for name in ("operation", "group", "resource", "kind", "namespace", "name", "user"):
        assert getattr(request, name) == getattr(seen, name), name
    for name in ("name", "generateName", "namespace"):
        assert ours["metadata"][name] == made["metadata"][name]
    owner, real = ours["metadata"]["ownerReferences"], made["metadata"]["ownerReferences"]
    assert len(owner) == len(real)
    assert owner[0].items() <= real[0].items()
    assert (ours["apiVersion"], ours["kind"]) == (made["apiVersion"], made["kind"])
    assert ours["spec"] == made["spec"]


def test_a_template_cannot_choose_its_pod_s_name_namespace_or_owner() -> None:
    forged = {
        "name": "x",
        "namespace": "x",
        "generateName": "x",
        "ownerReferences": [{"kind": "StatefulSet", "name": "x", "controller": True}],
    }
    plain = request_for(statefulset({"metadata": {}, "spec": SPEC}), "other")
    assert request_for(statefulset({"metadata": forged, "spec": SPEC}), "other") == plain


def test_labels_and_annotations_come_from_the_template_and_not_from_the_statefulset() -> None:
    template = {"metadata": {"labels": {"a": "1"}, "annotations": {"b": "2"}}, "spec": SPEC}
    document = statefulset(template, labels={"c": "3"}, annotations={"d": "4"})
    metadata = object_of(request_for(document, "other"))["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"a": "1"}, {"b": "2"})


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "kind"),
        ({"kind": None}, "kind"),
        ({"kind": ["Pod"]}, "kind"),
        ({"kind": "Service"}, "kind"),
        ({"kind": "pod"}, "kind"),
        (pod(namespace=3), "metadata.namespace"),
        (pod(name=[]), "metadata.name"),
        (pod(labels={"a": 1}), "metadata.labels['a']"),
        ({"kind": "Pod", "metadata": "x"}, "metadata"),
        ({"kind": "StatefulSet"}, "spec.template"),
        (statefulset(None), "spec.template"),
        (statefulset("x"), "spec.template"),
        ({"kind": "StatefulSet", "spec": []}, "spec"),
        (statefulset({"metadata": 3}), "spec.template.metadata"),
        (statefulset({"metadata": {"labels": {"a": 1}}}), "spec.template.metadata.labels['a']"),
        (statefulset({"spec": []}), "spec.template.spec"),
        (
            statefulset({"spec": {"containers": [{"image": 1}]}}),
            "spec.template.spec.containers[0].image",
        ),
    ],
)
def test_what_cannot_be_read_is_named_by_its_path(document: Json, path: str) -> None:
    with pytest.raises(Malformed) as caught:
        request_for(document, "team")
    assert caught.value.path == path


def test_an_unknown_kind_names_those_there_are_and_itself_cut() -> None:
    with pytest.raises(Malformed, match=f"{', '.join(KINDS)}, Namespace; it is x{{57}}[.]{{3}}$"):
        request_for({"kind": "x" * 100}, "team")


@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE", "CONNECT"])
def test_an_admissionreview_is_the_request_in_it(operation: str) -> None:
    document = recorded("create-pods")
    document["request"]["operation"] = operation
    assert request_for(document, "other") == read_review(document)


def test_an_admissionreview_that_is_malformed_is_a_review_error() -> None:
    with pytest.raises(ReviewError):
        request_for({"kind": "AdmissionReview"}, "team")


@pytest.mark.parametrize(
    ("labels", "mode"),
    [
        ({"nbgate.dev/mode": "warn"}, "warn"),
        ({"nbgate.dev/mode": "audit"}, "audit"),
        ({"nbgate.dev/mode": "deny"}, "deny"),
        ({"nbgate.dev/mode": "Warn"}, "deny"),
        ({"nbgate.dev/mode": ""}, "deny"),
        ({"nbgate.dev/modes": "warn"}, "deny"),
        ({}, "deny"),
        (None, "deny"),
    ],
)
def test_a_namespace_gives_its_mode_and_a_word_we_do_not_know_caps_nothing(
    labels: Json | None, mode: str
) -> None:
    document = {"kind": "Namespace", "metadata": {"name": "team-a", "labels": labels}}
    assert namespace_mode(document) == ("team-a", mode)


@pytest.mark.parametrize("kind", [*KINDS, "", None])
def test_only_a_namespace_gives_a_mode(kind: str | None) -> None:
    labels = {"nbgate.dev/mode": "warn"}
    assert namespace_mode({"kind": kind, "metadata": {"name": "a", "labels": labels}}) is None


def test_a_namespace_that_cannot_be_read_is_malformed() -> None:
    with pytest.raises(Malformed, match=r"metadata\.name must be text"):
        namespace_mode({"kind": "Namespace", "metadata": {"name": 3}})


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["", "x", *KINDS, "Namespace"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "template", "name", "labels", "containers", "request"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from([*KINDS, "Namespace"])},
        optional={"metadata": ANYTHING, "spec": ANYTHING, "request": ANYTHING},
    )
)
def test_any_document_is_read_or_refused_and_never_changed(document: Json) -> None:
    before = copy.deepcopy(document)
    for read in (lambda: request_for(document, "team"), lambda: namespace_mode(document)):
        try:
            read()
        except (Malformed, ReviewError) as error:
            message = str(error)
        else:
            message = "read"
        assert message
        assert document == before
