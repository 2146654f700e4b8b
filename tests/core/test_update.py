"""On UPDATE only what changed is judged, and nothing that changed escapes."""

from typing import Any

import pytest
from hypothesis import given

from tests.core.builders import (
    CONTROLLER,
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    USER,
    Json,
    container,
    finished_container,
    finished_pod,
    notebook,
    pod,
    request,
    scan_document,
    snapshot,
    workspace,
)
from tests.core.generated import PODS
from webhook.core.decision import Decision, Snapshot, validate

BAD = f"registry.example.com/bad:1@{OTHER_DIGEST}"
SCANS = (
    scan_document(IMAGE),
    scan_document(
        "registry.example.com/bad:1",
        name="bad",
        digest=OTHER_DIGEST,
        platforms=(),
        fails={"uid-1000": "user root has UID 0"},
    ),
)
KNOWN = snapshot(*SCANS)


def update(old: Json, new: Json, known: Snapshot = KNOWN, **fields: Any) -> Decision:
    return validate(request(new, old=old, user=USER, **fields), known, NOW)


def rules(decision: Decision) -> set[str]:
    return {violation.rule for violation in decision.violations}


def with_image(image: str, *more: Json, **fields: Any) -> Json:
    return finished_pod(finished_container(image=image), *more, **fields)


@pytest.mark.parametrize(
    "source",
    [
        with_image(BAD),
        with_image(f"unscanned@sha256:{'e' * 64}"),
        with_image("B@"),
        with_image(BAD, container("side", "B")),
        with_image(BAD, initContainers=[container("init", "B")]),
        finished_pod(container()),
    ],
    ids=["violates", "unscanned", "no reference", "side", "init", "nothing patched"],
)
def test_a_bad_pod_that_stays_as_it_is_is_not_judged_again(source: Json) -> None:
    labelled = {**source, "metadata": {**source["metadata"], "annotations": {"a": "b"}}}
    assert rules(update(source, source)) == set()
    assert rules(update(source, labelled)) == set()
    assert rules(validate(request(source), KNOWN, NOW)) != set()


def test_an_image_that_changes_is_judged() -> None:
    assert rules(update(finished_pod(), with_image(BAD))) == {"uid-1000"}
    unscanned = with_image(f"unscanned@sha256:{'e' * 64}")
    assert rules(update(finished_pod(), unscanned)) == {"unscanned"}
    assert rules(update(with_image(BAD), unscanned)) == {"unscanned"}
    assert rules(update(with_image(BAD), finished_pod())) == set()


def test_a_stored_pod_is_known_by_its_owner_too_when_it_stays_as_it_is() -> None:
    """Its label names another container than its StatefulSet does: each counts as the notebook, before and after."""
    side = finished_container("side", f"registry.example.com/bad:1@{OTHER_DIGEST}")
    source = with_image(BAD, side, labels={"notebook-name": "side"})
    assert rules(update(source, source)) == set()
    assert rules(update(source, {**source, "status": {}})) == set()


def test_a_bad_image_for_a_bad_image_is_judged() -> None:
    other = with_image(f"registry.example.com/other:2@{OTHER_DIGEST}")
    assert rules(update(with_image(BAD), other)) == {"uid-1000"}


def test_an_image_by_tag_must_be_pinned_when_it_changes() -> None:
    """Nothing is patched on UPDATE: whoever changes the image names the digest."""
    stored = with_image(f"x@{DIGEST}")
    raw = finished_container()
    raw["image"] = IMAGE
    assert rules(update(stored, finished_pod(raw))) == {"pod-digest"}


@pytest.mark.parametrize("which", ["containers", "initContainers", "ephemeralContainers"])
def test_a_container_that_is_new_is_judged_even_with_an_image_that_was_there(which: str) -> None:
    known = snapshot(*SCANS, registries={"allow": ["ghcr.io/**"]})
    old, new = (
        finished_pod(initContainers=[container("init", "busybox")], ephemeralContainers=[])
        for _ in range(2)
    )
    new["spec"][which] = [*new["spec"][which], container("extra", "busybox")]
    assert rules(update(old, new, known)) == {"registry"}
    assert rules(update(new, new, known)) == set()


def test_a_container_that_changes_lists_is_judged() -> None:
    known = snapshot(*SCANS, registries={"allow": ["ghcr.io/**"]})
    extra = container("extra", "busybox")
    old = finished_pod(initContainers=[extra])
    new = finished_pod(ephemeralContainers=[extra])
    assert rules(update(old, new, known)) == {"registry"}


def test_a_container_that_moves_is_not_judged_again() -> None:
    side = container("side", "B")
    old = finished_pod(side, finished_container())
    new = finished_pod(finished_container(), side)
    assert rules(update(old, new)) == set()


def test_what_an_update_undoes_is_judged() -> None:
    assert rules(update(finished_pod(), finished_pod(finished_container(env=[])))) == {"pod-prefix"}


def test_a_pod_that_becomes_a_notebook_is_judged_in_full() -> None:
    stored = pod(container(image="B"), notebook=None)
    labelled = pod(container(image="B"))
    assert rules(update(stored, labelled)) == {"reference", "pod-prefix", "pod-uid", "pod-home"}


def test_an_update_without_a_stored_object_is_judged_in_full() -> None:
    decision = validate(request(with_image(BAD), operation="UPDATE"), KNOWN, NOW)
    assert rules(decision) == {"uid-1000"}


def test_a_stored_object_that_was_being_deleted_vouches_for_nothing() -> None:
    deleting = with_image(BAD)
    deleting["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert rules(update(deleting, with_image(BAD))) == {"uid-1000"}
    assert rules(update(with_image(BAD), deleting)) == set()


def test_stopping_a_notebook_whose_image_is_bad_is_not_blocked() -> None:
    image = {"name": "my-nb", "image": "registry.example.com/bad:1"}
    running = notebook(image)
    stopped = notebook(image, annotations={"kubeflow-resource-stopped": "2026-01-01T00:00:00Z"})
    assert rules(update(running, stopped)) == set()
    assert rules(update(notebook(), running)) == {"uid-1000"}


def test_a_scan_that_turns_bad_while_the_pod_runs_blocks_no_update_of_it() -> None:
    known = snapshot(scan_document(IMAGE, fails={"uid-1000": "found later"}))
    assert rules(update(finished_pod(), finished_pod(priority=1), known)) == set()


def test_an_update_that_drops_the_label_is_judged_as_what_the_pod_was() -> None:
    """The pod keeps running, under the notebook's Service: whoever takes the label off sets no image free."""
    bare = with_image(BAD)
    del bare["metadata"]["labels"]["notebook-name"]
    assert rules(update(finished_pod(), bare)) == {"uid-1000"}
    same = finished_pod()
    del same["metadata"]["labels"]["notebook-name"]
    assert rules(update(finished_pod(), same)) == set()
    assert update(same, bare).subject is None


@pytest.mark.parametrize("user", [USER, CONTROLLER])
def test_an_update_that_drops_label_and_owner_is_judged_under_the_stored_names(user: str) -> None:
    bare = with_image(BAD)
    del bare["metadata"]["labels"]["notebook-name"], bare["metadata"]["ownerReferences"]
    decision = validate(request(bare, old=finished_pod(), user=user), KNOWN, NOW)
    assert rules(decision) == {"uid-1000"}
    assert decision.subject is not None
    assert decision.subject.notebook == "my-nb"


def test_one_wrong_value_for_another_is_a_change() -> None:
    old, new = (
        finished_pod(finished_container(securityContext={"runAsUser": user})) for user in (1, 0)
    )
    assert rules(update(old, new)) == {"pod-uid"}
    assert rules(update(old, old)) == set()


def test_dropping_the_label_makes_no_sidecar_the_notebook() -> None:
    """The pod's own name must not stand in for a label that is gone: the first container would be judged by it."""

    def labelled(labels: Json) -> Json:
        env = [{"name": "NB_PREFIX", "value": "/notebook/team-a/nb"}]
        side, serving = container("side", "unscanned:1"), finished_container("nb", env=env)
        meta = {"name": "bare-0", "labels": labels}
        return pod(side, serving, metadata=meta, volumes=[workspace("home")])

    assert rules(update(labelled({"notebook-name": "nb"}), labelled({}))) == set()


@given(source=PODS)
def test_what_does_not_change_is_never_refused(source: Json) -> None:
    assert update(source, source).violations == ()
