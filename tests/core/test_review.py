"""AdmissionReviews: what cannot be decided on is refused by name, and every answer keeps the protocol."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    CUDA_IMAGE,
    NOW,
    RECORDED,
    Json,
    container,
    notebook,
    pod,
    recorded,
    request,
    review,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from webhook.core.audit import build_record
from webhook.core.decision import Decision, answer, mutate, validate
from webhook.core.review import (
    Answer,
    Cause,
    Operation,
    Request,
    ReviewError,
    parse_review,
    read_review,
    render_answer,
)

Path = tuple[str | int, ...]
NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))
KNOWN = snapshot(scan_document(CUDA_IMAGE, fails={"uid-1000": "user root has UID 0"}, cuda=True))
STAGES: tuple[Callable[[Request], Decision], ...] = (
    lambda seen: mutate(seen, KNOWN),
    lambda seen: validate(seen, KNOWN, NOW),
)


def replaced(document: Any, path: Path, value: object) -> Any:
    """Give a copy of the document with one value replaced; an empty path replaces all of it."""
    if not path:
        return value
    step, *rest = path
    if isinstance(document, dict):
        return {**document, step: replaced(document.get(step), tuple(rest), value)}
    return [
        replaced(item, tuple(rest), value) if i == step else item for i, item in enumerate(document)
    ]


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
        ("spec", "volumes", 0, "emptyDir"),
        "x",
        "spec.volumes[0].emptyDir must be an object, not text",
    ),
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
    (("spec", "containers"), [{}] * 201, "spec.containers holds more than 200 containers"),
    (
        ("spec", "ephemeralContainers"),
        [{}] * 201,
        "spec.ephemeralContainers holds more than 200 containers",
    ),
    (
        (*CONTAINER, "resources"),
        {"requests": 1},
        "spec.containers[0].resources.requests must be an object, not a number",
    ),
    (
        ("spec", "initContainers"),
        [{"restartPolicy": 1}],
        "spec.initContainers[0].restartPolicy must be text, not a number",
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
        validate(with_field("oldObject", path, value), KNOWN, NOW)
    assert str(caught.value) == f"request.oldObject.{problem}"


def test_a_wrong_field_of_a_notebook_is_named_where_it_stands() -> None:
    wrong = notebook({"name": "my-nb", "image": ["x"]})
    with pytest.raises(ReviewError) as caught:
        validate(request(wrong), KNOWN, NOW)
    place = "request.object.spec.template.spec.containers[0].image"
    assert str(caught.value) == f"{place} must be text, not a list"


@pytest.mark.parametrize("path", [("spec",), ("spec", "template"), ("spec", "template", "spec")])
def test_a_wrong_step_to_a_notebooks_containers_is_named_where_it_stands(path: Path) -> None:
    sent = replaced(review(notebook()), ("request", "object", *path), [])
    with pytest.raises(ReviewError) as caught:
        validate(read_review(sent), KNOWN, NOW)
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
    many = {
        name: [container(f"{name}{number}", "B") for number in range(200)]
        for name in ("containers", "initContainers", "ephemeralContainers")
    }
    decision = validate(request(pod(**many)), KNOWN, NOW)
    assert len([v for v in decision.denied if v.rule == "reference"]) == 600
    sent = response(render_answer("u", answer(decision, KNOWN)))
    assert len(sent["status"]["details"]["causes"]) == 50


def test_a_wrong_field_of_an_ephemeral_containers_object_is_named() -> None:
    wrong: Json = {"kind": "EphemeralContainers", "metadata": {}, "ephemeralContainers": {}}
    with pytest.raises(ReviewError) as caught:
        validate(request(wrong, operation="UPDATE", subresource="ephemeralcontainers"), KNOWN, NOW)
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


# Anything at all: a review leads to a decision, or to a ReviewError


def paths(document: object, here: Path = ()) -> Iterator[Path]:
    """List the paths of every value in a document."""
    yield here
    if isinstance(document, dict):
        for key, value in document.items():
            yield from paths(value, (*here, key))
    if isinstance(document, list):
        for index, value in enumerate(document):
            yield from paths(value, (*here, index))


def survives(document: object) -> None:
    """Take a document the whole way: no exception but ReviewError, and whatever comes out can be sent."""
    for stage in STAGES:
        try:
            seen = parse_review(orjson.dumps(document))
            decision = stage(seen)
        except ReviewError:
            continue
        sent = orjson.loads(render_answer(seen.uid, answer(decision, KNOWN)))
        assert sent["response"]["uid"] == seen.uid
        record = build_record(seen, decision, KNOWN, endpoint="validate", now=NOW, seconds=0.0)
        assert b"\n" not in orjson.dumps(record)


VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    2**64 - 1,
    1.5,
    "",
    "x",
    [],
    ["x"],
    [{}],
    {},
    {"x": 1},
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NB_PREFIX", "my-nb", "istio-proxy", "/home/jovyan", "EphemeralContainers"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "image", "env", "limits", "value"]) | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", NAMES)
def test_any_wrong_type_anywhere_leads_to_a_decision_or_a_review_error(name: str) -> None:
    document = recorded(name)
    for path in paths(document):
        if "managedFields" in path:
            continue
        for value in VALUES:
            survives(replaced(document, path, value))


@given(data=st.data(), name=st.sampled_from(NAMES))
def test_any_few_wrong_values_lead_to_a_decision_or_a_review_error(
    data: st.DataObject, name: str
) -> None:
    document: object = recorded(name)
    for _ in range(data.draw(st.integers(1, 4))):
        places = [path for path in paths(document) if "managedFields" not in path]
        document = replaced(document, data.draw(st.sampled_from(places)), data.draw(ANYTHING))
    survives(document)


@given(st.binary(max_size=200) | ANYTHING.map(orjson.dumps))
def test_any_other_bytes_are_no_review(body: bytes) -> None:
    with pytest.raises(ReviewError):
        parse_review(body)


@pytest.mark.parametrize("depth", [10, 100, 240])
def test_an_object_that_nests_deeply_is_decided_on(depth: int) -> None:
    nested: Json = {}
    for _ in range(depth):
        nested = {"a": nested}
    for stage in STAGES:
        assert stage(request(pod(unknown=nested))).subject is not None


def test_numbers_past_64_bits_are_no_whole_numbers() -> None:
    text = json.dumps(review(pod(securityContext={"fsGroup": 2**64})))
    with pytest.raises(ReviewError, match="fsGroup must be a whole number"):
        mutate(parse_review(text.encode()), KNOWN)


# The answer


def response(sent: bytes) -> Json:
    envelope = json.loads(sent)
    assert envelope.keys() == {"apiVersion", "kind", "response"}
    assert envelope["apiVersion"] == "admission.k8s.io/v1"
    assert envelope["kind"] == "AdmissionReview"
    found: Json = envelope["response"]
    return found


def test_an_allowing_answer_says_no_more_than_that() -> None:
    assert response(render_answer("u-1", Answer(allowed=True, annotations={}))) == {
        "uid": "u-1",
        "allowed": True,
    }


def test_a_denial_carries_code_403_its_reason_and_one_cause_per_violation() -> None:
    cause = Cause(reason="uid-1000", message="user root has UID 0", field="spec.containers[0]")
    denial = Answer(allowed=False, message="no", causes=[cause], annotations={})
    assert response(render_answer("u-1", denial)) == {
        "uid": "u-1",
        "allowed": False,
        "status": {
            "status": "Failure",
            "code": 403,
            "reason": "Forbidden",
            "message": "no",
            "details": {
                "causes": [
                    {
                        "reason": "uid-1000",
                        "message": "user root has UID 0",
                        "field": "spec.containers[0]",
                    }
                ]
            },
        },
    }


def test_a_patch_is_sent_in_base64_with_its_type() -> None:
    operations = [{"op": "add", "path": "/spec/x", "value": "ü"}]
    sent = response(render_answer("u", Answer(allowed=True, annotations={}, patch=operations)))
    assert sent["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(sent["patch"], validate=True)) == operations


def test_warnings_and_annotations_are_sent_as_they_are() -> None:
    given_answer = Answer(allowed=True, warnings=["w"], annotations={"policy": "default@1"})
    assert response(render_answer("u", given_answer)) == {
        "uid": "u",
        "allowed": True,
        "warnings": ["w"],
        "auditAnnotations": {"policy": "default@1"},
    }


IMAGES = st.sampled_from(["", "B", CUDA_IMAGE, "busybox", "x" * 10_000, "ü\n\x1b[31m"])


@given(
    uid=st.text(st.characters(codec="utf-8"), min_size=1, max_size=128),
    images=st.lists(IMAGES, min_size=1, max_size=40),
    mode=st.sampled_from(["deny", "warn", "audit"]),
)
def test_every_answer_keeps_the_protocol(uid: str, images: list[str], mode: str) -> None:
    containers = [container(f"c{i}", image) for i, image in enumerate(images)]
    known = snapshot(scan_document(CUDA_IMAGE), modes={"team-a": mode})
    seen = parse_review(
        orjson.dumps(replaced(review(stateful_set_pod(*containers)), ("request", "uid"), uid))
    )
    for decision in (mutate(seen, known), validate(seen, known, NOW)):
        sent = response(render_answer(seen.uid, answer(decision, known)))
        assert sent["uid"] == uid
        assert ("patch" in sent) == ("patchType" in sent) == bool(decision.patch)
        assert sent["allowed"] is not bool(decision.denied)
        assert ("status" in sent) is bool(decision.denied)
        assert all(len(text) <= 120 and text.isprintable() for text in sent.get("warnings", []))
        assert sum(map(len, sent.get("warnings", []))) <= 4096
        if decision.denied:
            assert sent["status"]["code"] == 403
            causes = sent["status"]["details"]["causes"]
            assert len(causes) == min(len(decision.denied), 50)
