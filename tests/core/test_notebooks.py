"""A Notebook is refused only for what is known to be wrong with its image: the spawner's form shows that at once."""

from typing import Any

import pytest

from tests.core.builders import (
    DIGEST,
    HELP,
    IMAGE,
    NOW,
    Json,
    container,
    finished_pod,
    notebook,
    pending_document,
    request,
    scan_document,
    snapshot,
)
from tests.core.deciding import found
from webhook.core.decision import UNTOUCHED, Decision, Snapshot, mutate, validate
from webhook.core.requirements import REQUIREMENTS

REWRITE = "notebooks.kubeflow.org/http-rewrite-uri"
# what on a pod would deny, whatever it is
STRICT: dict[str, Any] = {
    "unscanned": "Deny",
    "unknown": "Deny",
    "stale": {"after": "1h", "action": "Deny"},
}


def judge(source: Json, known: Snapshot, **fields: Any) -> Decision:
    return validate(request(source, user="alice@example.com", **fields), known, NOW)


@pytest.mark.parametrize("requirement", REQUIREMENTS)
@pytest.mark.parametrize("dry_run", [True, False])
def test_a_failed_requirement_is_refused_in_the_form(requirement: str, *, dry_run: bool) -> None:
    known = snapshot(scan_document(fails={requirement: "it fails"}))
    decision = judge(notebook(), known, dry_run=dry_run)
    assert decision.message == (
        f"image {IMAGE} does not work as a notebook: [{requirement}] it fails. Fix: {HELP}"
    )
    assert decision.denied[0].field == "spec.template.spec.containers[0].image"


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        ([], {"unscanned": "Warn"}),
        ([pending_document()], {"unscanned": "Warn"}),
        ([pending_document(phase="Failed")], {"unscanned": "Warn"}),
        ([scan_document()], {"stale": "Warn"}),
        (
            [scan_document(unknown={"nb-prefix": "no probe ran"})],
            {"stale": "Warn", "nb-prefix": "Warn"},
        ),
        (
            [scan_document(fails={"uid-1000": "no"})],
            {"stale": "Warn", "uid-1000": "Deny"},
        ),
    ],
)
def test_what_is_only_not_known_to_be_right_warns_and_never_denies(
    scans: list[Json], expected: Json
) -> None:
    """A dry run may ask for no scan, and the spawner starts with one: a denial would lock its user out for ever."""
    known = snapshot(*scans, **STRICT)
    assert found(judge(notebook(), known)) == expected
    on_pod = validate(request(finished_pod()), known, NOW)
    assert set(found(on_pod)) == set(expected)
    assert set(found(on_pod).values()) == {"Deny"}


@pytest.mark.parametrize(
    ("scans", "words"),
    [
        ([], "scan it"),
        ([pending_document()], "the notebook starts when the scan is done"),
        ([pending_document(phase="Failed")], "its last scan failed"),
    ],
)
def test_a_warning_about_a_real_image_says_what_happens_next(scans: list[Json], words: str) -> None:
    """A client cuts a warning at 120 characters: the image gives way, from its front."""
    (warning,) = judge(notebook(), snapshot(*scans)).warnings
    assert warning.startswith("[unscanned] image ")
    assert "jupyter-scipy:v1.10.0: " in warning
    assert warning.endswith(words)


@pytest.mark.parametrize("action", ["Audit", "Off"])
def test_a_policy_that_says_less_than_warn_is_followed(action: str) -> None:
    decision = judge(notebook(), snapshot(unscanned=action))
    assert found(decision) == ({"unscanned": "Audit"} if action == "Audit" else {})
    assert decision.warnings == ()


def test_what_nbgate_will_patch_is_no_fault_of_a_notebook() -> None:
    source = notebook(
        {
            "name": "my-nb",
            "image": IMAGE,
            "env": [{"name": "NB_PREFIX", "value": "/"}],
            "securityContext": {"runAsUser": 0},
        }
    )
    assert found(judge(source, snapshot(scan_document()))) == {}
    assert mutate(request(source), snapshot(scan_document())) == UNTOUCHED


@pytest.mark.parametrize("which", ["containers", "initContainers"])
def test_reference_and_registry_are_judged_for_every_container(which: str) -> None:
    known = snapshot(scan_document(), registries={"allow": ["ghcr.io/kubeflow/**"]})
    source = notebook()
    spec = source["spec"]["template"]["spec"]
    spec.setdefault(which, []).extend([container("a", "B"), container("b", "busybox")])
    decision = judge(source, known)
    assert found(decision) == {"reference": "Deny", "registry": "Deny"}
    start = 1 if which == "containers" else 0
    assert [violation.field for violation in decision.denied] == [
        f"spec.template.spec.{which}[{start}].image",
        f"spec.template.spec.{which}[{start + 1}].image",
    ]


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_every_version_of_a_notebook_is_judged(version: str) -> None:
    source = notebook({"name": "my-nb", "image": "B"})
    source["apiVersion"] = f"kubeflow.org/{version}"
    assert found(judge(source, snapshot())) == {"reference": "Deny"}


# An image that serves at / only needs the rewrite that Kubeflow asks Istio for by an annotation

AT_ROOT = {"nb-prefix": "404 under NB_PREFIX", "allow-origin": "no header"}
ROOT = snapshot(scan_document(serving="Root", fails=AT_ROOT))


def test_an_image_at_root_needs_the_rewrite_annotation() -> None:
    decision = judge(notebook(), ROOT)
    assert found(decision) == {"nb-prefix": "Deny"}
    assert f"[nb-prefix] it answers at / only: add the annotation {REWRITE}: /" in decision.message


def test_with_the_annotation_an_image_at_root_is_fine() -> None:
    assert found(judge(notebook(annotations={REWRITE: "/"}), ROOT)) == {}


def test_an_empty_annotation_is_none() -> None:
    """Kubeflow ignores it too (notebook-controller, generateVirtualService)."""
    assert found(judge(notebook(annotations={REWRITE: ""}), ROOT)) == {"nb-prefix": "Deny"}


def test_taking_the_annotation_away_is_refused() -> None:
    stored = notebook(annotations={REWRITE: "/"})
    assert found(judge(notebook(), ROOT, old=stored)) == {"nb-prefix": "Deny"}
    assert found(judge(notebook(), ROOT, old=notebook())) == {}


def test_a_pod_never_carries_the_annotation_and_needs_none() -> None:
    assert found(validate(request(finished_pod()), ROOT, NOW)) == {}


@pytest.mark.parametrize("annotations", [{}, {REWRITE: "/"}])
def test_without_accept_rewrite_the_annotation_helps_nothing(annotations: dict[str, str]) -> None:
    known = snapshot(scan_document(serving="Root", fails=AT_ROOT), acceptRewrite=False)
    decision = judge(notebook(annotations=annotations), known)
    assert found(decision) == {"nb-prefix": "Deny", "allow-origin": "Deny"}


def test_an_image_under_the_prefix_needs_no_annotation() -> None:
    assert found(judge(notebook(), snapshot(scan_document()))) == {}


def test_a_notebook_is_judged_by_the_container_of_its_name() -> None:
    known = snapshot(scan_document(fails={"uid-1000": "no"}))
    beside = {"name": "side", "image": IMAGE}
    fine = {"name": "my-nb", "image": f"x@sha256:{'f' * 64}"}
    assert found(judge(notebook(beside, fine), known)) == {"unscanned": "Warn"}
    assert found(judge(notebook(beside), known)) == {"uid-1000": "Deny"}
    pinned = {"name": "my-nb", "image": f"x@{DIGEST}"}
    assert found(judge(notebook(pinned), known)) == {"uid-1000": "Deny"}


def test_a_notebook_without_containers_has_no_image_to_judge() -> None:
    empty = notebook()
    empty["spec"] = {}
    assert judge(empty, snapshot()).violations == ()
