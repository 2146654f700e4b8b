"""AdmissionReviews: what cannot be decided on is refused by name."""

from collections.abc import Callable
from datetime import date
from typing import Any, get_args

import orjson
import pytest

from tests.core.builders import (
    NOW,
    Json,
    container,
    notebook,
    pod,
    request,
    review,
)
from tests.core.deciding import FAILING, STAGES
from tests.core.places import Path, replaced
from webhook.core.decision import Decision, answer, validate
from webhook.core.pod import EnvVar, Mount, read_spec
from webhook.core.reading import Malformed, kind_of
from webhook.core.review import (
    Operation,
    Request,
    ReviewError,
    parse_review,
    read_review,
)

# What is not JSON, or not this object


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "the body is not JSON"),
        (b"\xff\xfe", "the body is not JSON"),
        (b'{"kind": "AdmissionReview"', "the body is not JSON"),
        (b'{"kind": NaN}', "the body is not JSON"),
        (b'{"kind": Infinity}', "the body is not JSON"),
        (b'{"kind": 1e999}', "the body is not JSON"),
        (b'{"kind": "\\ud800"}', "the body is not JSON"),
        (b'{"kind": "\xed\xa0\x80"}', "the body is not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "the body is not JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "the body is not JSON"),
        (b"null", "the body must be an AdmissionReview object, not null"),
        (b"[]", "the body must be an AdmissionReview object, not a list"),
        (b'"x"', "the body must be an AdmissionReview object, not text"),
        (b"1", "the body must be an AdmissionReview object, not a number"),
        (b"1.5", "the body must be an AdmissionReview object, not a number"),
        (b"true", "the body must be an AdmissionReview object, not true or false"),
        (b"{}", 'kind must be "AdmissionReview", not null'),
    ],
)
def test_what_is_no_review_is_refused_with_the_reason(body: bytes, problem: str) -> None:
    with pytest.raises(ReviewError) as caught:
        parse_review(body)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(("opening", "closing"), [(b"{}", b""), (b"[]", b""), (b"[{", b"}]")])
def test_a_body_of_more_objects_and_lists_than_any_review_has_is_not_read(
    opening: bytes, closing: bytes
) -> None:
    """A quarter of a million: reading millions of them would hold a worker for seconds."""
    each = opening + closing
    count = 250_000 // (each.count(b"{") + each.count(b"["))
    with pytest.raises(ReviewError, match="the body holds more than 250000 objects and lists"):
        parse_review(b"[" + b",".join([each] * count) + b"]")
    with pytest.raises(ReviewError, match="the body must be an AdmissionReview object, not a list"):
        parse_review(b"[" + b",".join([each] * (count - 1)) + b"]")


def test_a_long_body_of_few_objects_is_read() -> None:
    padded = review(pod(annotations={"a": "x" * 300_000}))
    assert parse_review(orjson.dumps(padded)) == read_review(padded)


def test_the_last_of_duplicate_keys_counts_as_it_does_in_the_api_server() -> None:
    body = orjson.dumps(review(pod()))
    twice = body.replace(b'"uid":', b'"uid":"first","uid":', 1)
    assert parse_review(twice) == parse_review(body)


# One wrong field

ENVELOPE: list[tuple[Path, object, str]] = [
    (("kind",), "Pod", 'kind must be "AdmissionReview", not "Pod"'),
    (("kind",), "a\nb\x1b", 'kind must be "AdmissionReview", not "a?b?"'),
    (("kind",), 1, 'kind must be "AdmissionReview", not a number'),
    (("kind",), "x" * 99, f'kind must be "AdmissionReview", not "{"x" * 60}"'),
    (("apiVersion",), None, 'apiVersion must be "admission.k8s.io/v1", not null'),
    (
        ("apiVersion",),
        "admission.k8s.io/v1beta1",
        (
            'apiVersion must be "admission.k8s.io/v1", not "admission.k8s.io/v1beta1": '
            "set admissionReviewVersions to [v1] in the webhook configuration"
        ),
    ),
    (("request",), None, "request must be an object, not null"),
    (("request",), [], "request must be an object, not a list"),
    (("request", "uid"), None, "request.uid is missing"),
    (("request", "uid"), "", "request.uid is missing"),
    (("request", "uid"), 7, "request.uid must be text, not a number"),
    (("request", "uid"), "u" * 129, "request.uid must have at most 128 characters"),
    (("request", "kind"), "Pod", "request.kind must be an object, not text"),
    (("request", "resource"), "pods", "request.resource must be an object, not text"),
    (("request", "resource"), None, "request.resource.resource is missing"),
    (("request", "resource"), {}, "request.resource.resource is missing"),
    (("request", "resource", "resource"), "", "request.resource.resource is missing"),
    (("request", "resource", "resource"), 1, "request.resource.resource must be text"),
    (("request", "resource", "group"), 1, "request.resource.group must be text"),
    (("request", "kind", "kind"), 1, "request.kind.kind must be text"),
    (("request", "userInfo", "username"), 1, "request.userInfo.username must be text"),
    (("request", "subResource"), 1, "request.subResource must be text, not a number"),
    (("request", "operation"), None, "request.operation must be one of CREATE, UPDATE,"),
    (("request", "operation"), "create", "request.operation must be one of CREATE, UPDATE,"),
    (("request", "operation"), [], "request.operation must be text, not a list"),
    (("request", "namespace"), 1, "request.namespace must be text, not a number"),
    (("request", "name"), {}, "request.name must be text, not an object"),
    (("request", "userInfo"), [], "request.userInfo must be an object, not a list"),
    (("request", "userInfo", "groups"), "g", "request.userInfo.groups must be a list of text"),
    (("request", "userInfo", "groups"), [1], "request.userInfo.groups must be a list of text"),
    (("request", "dryRun"), "false", "request.dryRun must be true or false, not text"),
    (("request", "dryRun"), 0, "request.dryRun must be true or false, not a number"),
    (("request", "object"), [], "request.object must be an object, not a list"),
    (("request", "oldObject"), "x", "request.oldObject must be an object, not text"),
]


@pytest.mark.parametrize(("path", "value", "problem"), ENVELOPE)
def test_a_wrong_field_of_the_request_is_named(path: Path, value: object, problem: str) -> None:
    with pytest.raises(ReviewError) as caught:
        parse_review(orjson.dumps(replaced(review(pod()), path, value)))
    assert str(caught.value).startswith(problem)


def test_a_uid_of_128_characters_is_read() -> None:
    longest = replaced(review(pod()), ("request", "uid"), "u" * 128)
    assert parse_review(orjson.dumps(longest)).uid == "u" * 128


@pytest.mark.parametrize("who", [None, {}, {"username": None}, {"username": "", "groups": None}])
def test_who_asks_may_be_nobody(who: object) -> None:
    seen = read_review(replaced(review(pod()), ("request", "userInfo"), who))
    assert (seen.user, seen.groups) == ("", ())


def test_what_a_pod_leaves_out_reads_as_empty_or_as_not_there() -> None:
    spec = read_spec({"containers": [{"env": [{}], "volumeMounts": [{}]}], "volumes": [{}]})
    (held,) = spec.containers
    assert (held.name, held.image, held.security, held.resources) == ("", "", None, None)
    assert held.env == (EnvVar("", "", {}),)
    assert held.mounts == (Mount("", ""),)
    assert [(each.name, each.claim) for each in spec.volumes or ()] == [("", None)]
    (volume,) = read_spec({"volumes": [{"image": {"reference": ""}}]}).containers
    assert (volume.list, volume.name, volume.image) == ("volumes", "", "")
    (bare,) = read_spec({"containers": [{}]}).containers
    assert (bare.env, bare.mounts) == (None, None)


def test_a_fault_without_a_path_is_told_without_one_and_a_lists_item_needs_no_dot() -> None:
    assert str(Malformed("", "is too deep")) == "is too deep"
    assert str(Malformed("", "is too deep").under("object")) == "object is too deep"
    assert str(Malformed("a", "is missing").under("[0]").under("items")) == "items[0].a is missing"


def test_what_json_has_no_type_for_is_named_all_the_same() -> None:
    """YAML reads a day where JSON has text."""
    assert kind_of(date(2026, 1, 1)) == "date"


@pytest.mark.parametrize("operation", get_args(Operation))
def test_every_operation_is_read(operation: Operation) -> None:
    assert request(pod(), operation=operation).operation == operation


def test_what_may_be_absent_reads_as_empty() -> None:
    least = {
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {"uid": "1", "operation": "CONNECT", "resource": {"resource": "nodes"}},
    }
    assert read_review(least) == Request(
        uid="1",
        group="",
        resource="nodes",
        kind="",
        operation="CONNECT",
        namespace="",
        name="",
        user="",
        groups=(),
        dry_run=False,
        object=None,
        old_object=None,
    )


CONTAINER: Path = ("spec", "containers", 0)
OBJECT: list[tuple[Path, object, str]] = [
    (("metadata",), [], "metadata must be an object, not a list"),
    (("metadata", "name"), 1, "metadata.name must be text, not a number"),
    (("metadata", "generateName"), True, "metadata.generateName must be text, not true or false"),
    (("metadata", "labels"), "x", "metadata.labels must be an object, not text"),
    (("metadata", "labels", "a/b"), 1, "metadata.labels['a/b'] must be text, not a number"),
    (("metadata", "labels", "n"), None, "metadata.labels['n'] must be text, not null"),
    (("metadata", "annotations"), {"a": []}, "metadata.annotations['a'] must be text, not a list"),
    (("metadata", "ownerReferences"), {}, "metadata.ownerReferences must be a list, not an object"),
    (
        ("metadata", "ownerReferences"),
        [{}, 1],
        "metadata.ownerReferences[1] must be an object, not a number",
    ),
    (
        ("metadata", "ownerReferences"),
        [{"controller": 1}],
        "metadata.ownerReferences[0].controller must be true or false, not a number",
    ),
    (
        ("metadata", "ownerReferences"),
        [{"controller": True}, {"name": 1}],
        "metadata.ownerReferences[1].name must be text, not a number",
    ),
    (
        ("metadata", "ownerReferences"),
        [{"kind": []}],
        "metadata.ownerReferences[0].kind must be text, not a list",
    ),
    (("spec",), [], "spec must be an object, not a list"),
    (("metadata", "deletionTimestamp"), 1, "metadata.deletionTimestamp must be text, not a number"),
    (("spec", "securityContext"), [], "spec.securityContext must be an object, not a list"),
    (
        ("spec", "securityContext", "fsGroup"),
        "100",
        "spec.securityContext.fsGroup must be a whole number, not text",
    ),
    (
        ("spec", "securityContext", "runAsUser"),
        True,
        "spec.securityContext.runAsUser must be a whole number, not true or false",
    ),
    (("spec", "volumes"), "x", "spec.volumes must be a list, not text"),
    (("spec", "volumes", 0), "x", "spec.volumes[0] must be an object, not text"),
    (("spec", "volumes", 0, "name"), 1, "spec.volumes[0].name must be text, not a number"),
    (
        ("spec", "volumes", 0, "persistentVolumeClaim"),
        [],
        "spec.volumes[0].persistentVolumeClaim must be an object, not a list",
    ),
    (
        ("spec", "volumes"),
        [{"persistentVolumeClaim": {"claimName": 1}}],
        "spec.volumes[0].persistentVolumeClaim.claimName must be text, not a number",
    ),
    (("spec", "tolerations"), {}, "spec.tolerations must be a list, not an object"),
    (("spec", "tolerations", 1), [], "spec.tolerations[1] must be an object, not a list"),
    (("spec", "runtimeClassName"), 1, "spec.runtimeClassName must be text, not a number"),
    (("spec", "resourceClaims"), {}, "spec.resourceClaims must be a list, not an object"),
    (("spec", "containers"), {}, "spec.containers must be a list, not an object"),
    (("spec", "initContainers"), [1], "spec.initContainers[0] must be an object, not a number"),
    (("spec", "ephemeralContainers"), "x", "spec.ephemeralContainers must be a list, not text"),
    (CONTAINER, None, "spec.containers[0] must be an object, not null"),
    ((*CONTAINER, "name"), [], "spec.containers[0].name must be text, not a list"),
    ((*CONTAINER, "image"), 1.5, "spec.containers[0].image must be text, not a number"),
    ((*CONTAINER, "env"), {}, "spec.containers[0].env must be a list, not an object"),
    ((*CONTAINER, "env"), [[]], "spec.containers[0].env[0] must be an object, not a list"),
    (
        (*CONTAINER, "env"),
        [{"name": "A"}, {"name": 1}],
        "spec.containers[0].env[1].name must be text, not a number",
    ),
    (
        (*CONTAINER, "env"),
        [{"name": "A", "value": 1}],
        "spec.containers[0].env[0].value must be text, not a number",
    ),
    (
        (*CONTAINER, "volumeMounts"),
        [{"mountPath": 1}],
        "spec.containers[0].volumeMounts[0].mountPath must be text, not a number",
    ),
    (
        (*CONTAINER, "volumeMounts"),
        [{"name": 1}],
        "spec.containers[0].volumeMounts[0].name must be text, not a number",
    ),
    (
        (*CONTAINER, "securityContext"),
        {"runAsUser": 1000.0},
        "spec.containers[0].securityContext.runAsUser must be a whole number, not a number",
    ),
    (
        (*CONTAINER, "securityContext"),
        {"runAsNonRoot": "true"},
        "spec.containers[0].securityContext.runAsNonRoot must be true or false, not text",
    ),
    ((*CONTAINER, "resources"), [], "spec.containers[0].resources must be an object, not a list"),
    (
        (*CONTAINER, "resources"),
        {"limits": []},
        "spec.containers[0].resources.limits must be an object, not a list",
    ),
    (
        (*CONTAINER, "resources"),
        {"claims": {}},
        "spec.containers[0].resources.claims must be a list, not an object",
    ),
    (
        ("spec", "containers"),
        [{}] * 201,
        "spec.containers holds more than 200 containers: split the pod",
    ),
    (
        ("spec", "ephemeralContainers"),
        [{}] * 201,
        "spec.ephemeralContainers holds more than 200 containers: split the pod",
    ),
    (
        (*CONTAINER, "resources"),
        {"requests": 1},
        "spec.containers[0].resources.requests must be an object, not a number",
    ),
]


def with_field(which: str, path: Path, value: object) -> Request:
    """Read a review of a pod, a field of whose new or stored object has this value."""
    sent = review(pod(), old=pod() if which == "oldObject" else None)
    return parse_review(orjson.dumps(replaced(sent, ("request", which, *path), value)))


@pytest.mark.parametrize("stage", STAGES, ids=["mutate", "validate"])
@pytest.mark.parametrize(("path", "value", "problem"), OBJECT)
def test_a_wrong_field_of_a_pod_is_named(
    path: Path, value: object, problem: str, stage: Callable[[Request], Decision]
) -> None:
    with pytest.raises(ReviewError) as caught:
        stage(with_field("object", path, value))
    assert str(caught.value) == f"request.object.{problem}"


@pytest.mark.parametrize(("path", "value", "problem"), OBJECT)
def test_a_wrong_field_of_a_stored_pod_is_named(path: Path, value: object, problem: str) -> None:
    with pytest.raises(ReviewError) as caught:
        validate(with_field("oldObject", path, value), FAILING, NOW)
    assert str(caught.value) == f"request.oldObject.{problem}"


def test_a_wrong_field_of_a_notebook_is_named_where_it_stands() -> None:
    wrong = notebook({"name": "my-nb", "image": ["x"]})
    with pytest.raises(ReviewError) as caught:
        validate(request(wrong), FAILING, NOW)
    place = "request.object.spec.template.spec.containers[0].image"
    assert str(caught.value) == f"{place} must be text, not a list"


@pytest.mark.parametrize("path", [("spec",), ("spec", "template"), ("spec", "template", "spec")])
def test_a_wrong_step_to_a_notebooks_containers_is_named_where_it_stands(path: Path) -> None:
    sent = replaced(review(notebook()), ("request", "object", *path), [])
    with pytest.raises(ReviewError) as caught:
        validate(read_review(sent), FAILING, NOW)
    place = ".".join(map(str, path))
    assert str(caught.value) == f"request.object.{place} must be an object, not a list"


@pytest.mark.parametrize("stage", STAGES, ids=["mutate", "validate"])
def test_a_pod_without_a_namespace_is_refused_by_name(
    stage: Callable[[Request], Decision],
) -> None:
    """Else its prefix would be /notebook//my-nb."""
    with pytest.raises(ReviewError, match=r"^request\.namespace is missing"):
        stage(request(pod(), namespace=""))


def test_200_containers_of_each_list_are_judged() -> None:
    many: dict[str, Any] = {
        name: [container(f"{name}{number}", "B") for number in range(200)]
        for name in ("containers", "initContainers", "ephemeralContainers")
    }
    decision = validate(request(pod(**many)), FAILING, NOW)
    assert len([v for v in decision.denied if v.rule == "reference"]) == 600
    assert len(answer(decision, FAILING).causes) == len(decision.denied)


def test_a_wrong_field_of_an_ephemeral_containers_object_is_named() -> None:
    wrong: Json = {"kind": "EphemeralContainers", "metadata": {}, "ephemeralContainers": {}}
    with pytest.raises(ReviewError) as caught:
        validate(
            request(wrong, operation="UPDATE", subresource="ephemeralcontainers"), FAILING, NOW
        )
    assert str(caught.value) == "request.object.ephemeralContainers must be a list, not an object"


@pytest.mark.parametrize("stage", STAGES, ids=["mutate", "validate"])
def test_a_created_object_that_is_missing_is_named(stage: Callable[[Request], Decision]) -> None:
    with pytest.raises(ReviewError) as caught:
        stage(parse_review(orjson.dumps(replaced(review(pod()), ("request", "object"), None))))
    assert str(caught.value) == "request.object is missing, though the operation is CREATE"


NULLABLE: list[Path] = [
    *((("metadata", key)) for key in ("labels", "annotations", "ownerReferences", "generateName")),
    *(("spec", key) for key in ("volumes", "securityContext", "tolerations", "runtimeClassName")),
    *(("spec", key) for key in ("initContainers", "ephemeralContainers", "resourceClaims")),
    *((*CONTAINER, key) for key in ("env", "volumeMounts", "securityContext", "resources")),
    (*CONTAINER, "resources", "limits"),
]


@pytest.mark.parametrize("path", NULLABLE)
def test_null_reads_as_absent_as_it_does_in_the_api_server(path: Path) -> None:
    absent = review(pod())
    place: Any = absent["request"]["object"]
    for step in path[:-1]:
        place = place[step]
    place.pop(path[-1], None)
    null = replaced(absent, ("request", "object", *path), None)
    for stage in STAGES:
        assert stage(read_review(null)).patch == stage(read_review(absent)).patch
        assert stage(read_review(null)).message == stage(read_review(absent)).message
