"""Golden decisions on reviews that a real API server (1.20) sent: what is patched, what is said, what is left alone."""

import json
from typing import NamedTuple

import jsonpatch
import pytest

from tests.core.builders import (
    CUDA_IMAGE,
    DIGEST,
    HELP,
    NOW,
    RECORDED,
    Json,
    notebook,
    recorded,
    review,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from webhook.core.decision import mutate, validate
from webhook.core.review import parse_review

FALLBACK = "no workspace volume: files in /home/jovyan are lost when the notebook stops"


class Golden(NamedTuple):
    """What is expected of one recorded review, with one scan known: that of the CUDA image, which conforms."""

    user: str
    operation: str
    resource: str
    mutated: str = "allowed"
    patch: tuple[Json, ...] = ()
    mutate_warnings: tuple[str, ...] = ()
    validated: str = "allowed"
    message: str = ""
    warnings: tuple[str, ...] = ()


CONTROLLER = "system:serviceaccount:kube-system:statefulset-controller"
WAITING = "it has no scan result: ask your platform team to scan it"


def add(path: str, value: object) -> Json:
    return {"op": "add", "path": path, "value": value}


GOLDEN = {
    "create-notebooks": Golden("admin", "CREATE", "notebooks"),
    "create-notebooks-dryrun": Golden("admin", "CREATE", "notebooks"),
    "update-notebooks": Golden("admin", "UPDATE", "notebooks"),
    "delete-pods": Golden(CONTROLLER, "DELETE", "pods"),
    "update-pods-ephemeralcontainers": Golden("admin", "UPDATE", "pods/ephemeralcontainers"),
    "create-pods": Golden(
        CONTROLLER,
        "CREATE",
        "pods",
        patch=(
            add(
                "/spec/containers/0/securityContext",
                {"runAsUser": 1000, "runAsNonRoot": True},
            ),
            {
                "op": "replace",
                "path": "/spec/containers/0/image",
                "value": f"{CUDA_IMAGE}@{DIGEST}",
            },
            add("/spec/containers/0/resources/limits/nvidia.com~1gpu", "1"),
        ),
        validated="denied",
        message=(
            "container my-nb is not admitted: [pod-uid] runAsUser must be 1000, and is not set; "
            f"[pod-digest] it must name the digest that was scanned: {CUDA_IMAGE}@{DIGEST}"
        ),
    ),
    "create-pods-dryrun": Golden(
        "admin",
        "CREATE",
        "pods",
        mutated="warned",
        patch=(
            add(
                "/spec/containers/0/env", [{"name": "NB_PREFIX", "value": "/notebook/team-a/bare"}]
            ),
            add(
                "/spec/containers/0/securityContext",
                {"runAsUser": 1000, "runAsNonRoot": True},
            ),
            add("/spec/securityContext/fsGroup", 100),
            add("/spec/volumes/-", {"name": "nbgate-home", "emptyDir": {"sizeLimit": "10Gi"}}),
            add(
                "/spec/containers/0/volumeMounts/-",
                {"name": "nbgate-home", "mountPath": "/home/jovyan"},
            ),
            add("/spec/containers/0/resources/limits", {"nvidia.com/gpu": "1"}),
        ),
        mutate_warnings=(FALLBACK,),
        validated="denied",
        message=(
            "image quay.io/jupyter/pytorch-notebook:cuda12-latest is not admitted: "
            f"[unscanned] {WAITING}; "
            "[pod-prefix] NB_PREFIX must be set once, to /notebook/team-a/bare; "
            "[pod-uid] runAsUser must be 1000, and is not set; "
            "[pod-home] nothing is mounted at /home/jovyan"
        ),
    ),
    "update-pods": Golden(
        "admin",
        "UPDATE",
        "pods",
        validated="denied",
        message=f"image docker.io/library/nginx:1.25 is not admitted: [unscanned] {WAITING}",
    ),
}
KNOWN = snapshot(scan_document(CUDA_IMAGE, cuda=True))


def body(name: str) -> bytes:
    return (RECORDED / f"{name}.json").read_bytes()


def test_every_recorded_review_has_a_golden_decision() -> None:
    assert {path.stem for path in RECORDED.glob("*.json")} == set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_a_recorded_review_is_read_as_it_was_sent(name: str) -> None:
    golden, sent = GOLDEN[name], recorded(name)["request"]
    request = parse_review(body(name))
    assert (request.user, request.operation, request.resource) == golden[:3]
    assert request.uid == sent["uid"]
    assert request.kind == sent["kind"]["kind"]
    assert request.group == sent["resource"]["group"]
    assert request.namespace == "team-a"
    assert request.name == sent["name"]
    assert request.groups == tuple(sent["userInfo"]["groups"])
    assert request.dry_run is name.endswith("dryrun")
    assert request.object == sent["object"]
    assert request.old_object == sent.get("oldObject")


@pytest.mark.parametrize("name", GOLDEN)
def test_a_recorded_review_is_mutated_as_expected(name: str) -> None:
    golden = GOLDEN[name]
    decision = mutate(parse_review(body(name)), KNOWN)
    assert decision.patch == golden.patch
    assert decision.warnings == golden.mutate_warnings
    assert decision.word == golden.mutated
    assert not decision.violations


@pytest.mark.parametrize("name", GOLDEN)
def test_a_recorded_review_is_judged_as_expected(name: str) -> None:
    golden = GOLDEN[name]
    decision = validate(parse_review(body(name)), KNOWN, NOW)
    assert decision.word == golden.validated
    assert decision.message == (f"{golden.message}. Fix: {HELP}" if golden.message else "")
    assert decision.warnings == golden.warnings
    assert not decision.patch


@pytest.mark.parametrize("name", ["create-pods", "create-pods-dryrun"])
def test_a_recorded_pod_is_admitted_once_it_is_patched_and_its_image_scanned(name: str) -> None:
    review = recorded(name)
    image = review["request"]["object"]["spec"]["containers"][0]["image"]
    known = snapshot(scan_document(image, cuda=True))
    request = parse_review(body(name))
    patched = jsonpatch.apply_patch(request.object, list(mutate(request, known).patch))
    review["request"]["object"] = patched
    final = parse_review(json.dumps(review).encode())
    assert mutate(final, known).patch == ()
    assert validate(final, known, NOW).violations == ()


@pytest.mark.parametrize(
    ("name", "source"), [("create-pods", stateful_set_pod()), ("create-notebooks", notebook())]
)
def test_the_builders_send_what_the_api_server_sends(name: str, source: Json) -> None:
    """A negative control of this room: a builder that strays from the recorded shape would test nothing."""
    sent, built = recorded(name)["request"], review(source)["request"]
    assert built.keys() | {"options"} == sent.keys()
    assert built["resource"] == sent["resource"]
    assert built["object"].keys() == sent["object"].keys()
    assert built["object"]["metadata"].keys() <= sent["object"]["metadata"].keys()
