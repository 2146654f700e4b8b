"""References and registries are judged for every container, of all lists."""

from typing import Any

import jsonpatch
import pytest

from tests.core.builders import (
    DIGEST,
    HELP,
    IMAGE,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    Json,
    container,
    exemption,
    finished_container,
    finished_pod,
    request,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from tests.core.deciding import found, judge
from webhook.core.actions import Action
from webhook.core.decision import mutate
from webhook.core.pod import CONTAINERS_LIMIT
from webhook.core.review import ReviewError

PINNED = f"{IMAGE}@{DIGEST}"

LISTS = ("containers", "initContainers", "ephemeralContainers")
ALLOWED: dict[str, Any] = {"registries": {"allow": ["ghcr.io/kubeflow/**"]}}


def with_extra(which: str, extra: Json) -> Json:
    source = finished_pod()
    source["spec"].setdefault(which, []).append(extra)
    return source


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("image", ["", " x", "B", "x:", "x@sha256:1", "x\n", "a" * 10_000])
def test_every_containers_image_must_be_a_reference(which: str, image: str) -> None:
    decision = judge(with_extra(which, container("extra", image)))
    index = 1 if which == "containers" else 0
    assert found(decision) == {"reference": "Deny"}
    assert decision.denied[0].field == f"spec.{which}[{index}].image"


def with_volumes(*references: object) -> Json:
    source = finished_pod()
    images = [{"name": f"v{n}", "image": {"reference": r}} for n, r in enumerate(references)]
    return {**source, "spec": {**source["spec"], "volumes": [*source["spec"]["volumes"], *images]}}


def test_an_image_that_is_a_volume_must_be_from_an_allowed_registry() -> None:
    known = snapshot(scan_document(), **ALLOWED)
    source = with_volumes("ghcr.io/kubeflow/data:1", "ghcr.io.evil.com/kubeflow/data:1")
    last = len(source["spec"]["volumes"]) - 1
    (denied,) = judge(source, known).denied
    assert (denied.rule, denied.field) == ("registry", f"spec.volumes[{last}].image.reference")
    assert "image volume v1: " in judge(source, known).message
    assert found(judge(with_volumes("ghcr.io/kubeflow/data:1", None), known)) == {}
    assert found(judge(with_volumes(" x"))) == {"reference": "Deny"}


def test_a_pod_has_no_more_images_as_volumes_than_it_may_have_containers() -> None:
    assert judge(with_volumes(*["x:1"] * CONTAINERS_LIMIT)).word == "allowed"
    with pytest.raises(ReviewError, match="volumes holds more than 200 images"):
        judge(with_volumes(*["x:1"] * (CONTAINERS_LIMIT + 1)))


@pytest.mark.parametrize("which", LISTS)
@pytest.mark.parametrize("native", [True, False])
def test_every_containers_image_must_be_from_an_allowed_registry(
    which: str, *, native: bool
) -> None:
    known = snapshot(scan_document(), **ALLOWED)
    more = {"restartPolicy": "Always"} if native else {}
    extra = container("extra", "ghcr.io.evil.com/kubeflow/x:1", **more)
    decision = judge(with_extra(which, extra), known)
    assert found(decision) == {"registry": "Deny"}
    assert found(judge(with_extra(which, container("extra", "ghcr.io/kubeflow/a/b")), known)) == {}
    kind = {"containers": "", "initContainers": "init ", "ephemeralContainers": "ephemeral "}[which]
    assert decision.message == (
        f"{kind}container extra: image ghcr.io.evil.com/kubeflow/x:1 is not admitted: "
        "[registry] ghcr.io.evil.com/kubeflow/x is not in an allowed registry: "
        f"use ghcr.io/kubeflow/**. Fix: {HELP}"
    )


def test_the_notebooks_own_image_must_be_from_an_allowed_registry_too() -> None:
    known = snapshot(scan_document("quay.io/x/y:1"), **ALLOWED)
    decision = judge(finished_pod(finished_container(image=f"quay.io/x/y:1@{DIGEST}")), known)
    assert found(decision) == {"registry": "Deny"}
    assert decision.message.startswith(f"image quay.io/x/y:1@{DIGEST} is not admitted: [registry]")


@pytest.mark.parametrize("action", Action)
def test_the_policy_says_what_another_registry_means(action: Action) -> None:
    rules = {"allow": ["ghcr.io/other/**"], "action": action.label}
    decision = judge(finished_pod(), snapshot(scan_document(), registries=rules))
    assert found(decision) == ({"registry": action.label} if action else {})


def test_an_empty_list_allows_any_registry() -> None:
    assert found(judge(finished_pod(), snapshot(scan_document(), registries={"allow": []}))) == {}


def test_a_refusal_names_three_registries_and_the_number_of_the_others() -> None:
    allow = [f"r{number}.example.com/**" for number in range(5)]
    decision = judge(finished_pod(), snapshot(scan_document(), registries={"allow": allow}))
    assert (
        "use r0.example.com/**, r1.example.com/**, r2.example.com/** or 2 more" in decision.message
    )
    four = judge(finished_pod(), snapshot(scan_document(), registries={"allow": allow[:4]}))
    assert "r2.example.com/** or 1 more" in four.message
    three = judge(finished_pod(), snapshot(scan_document(), registries={"allow": allow[:3]}))
    assert "use r0.example.com/**, r1.example.com/**, r2.example.com/**." in three.message


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        (IMAGE, True),
        (PINNED, True),
        (f"{IMAGE}@{PLATFORM_DIGEST}", True),
        # whoever writes the image can put any tag beside a digest
        (f"{IMAGE}@{OTHER_DIGEST}", False),
        (f"{IMAGE.partition(':')[0]}@{DIGEST}", False),
        (f"{IMAGE}-rc", False),
    ],
)
def test_a_pattern_with_a_tag_holds_for_the_digest_that_the_tag_was_resolved_to(
    image: str, *, allowed: bool
) -> None:
    """Else the pod that nbgate pinned itself would be refused by the very list that names its image."""
    source = finished_pod({**finished_container(), "image": image})
    registries = snapshot(scan_document(), registries={"allow": [IMAGE]}, pod={"pinDigest": False})
    assert ("registry" not in found(judge(source, registries))) is allowed
    waived = snapshot(
        scan_document(),
        registries={"allow": ["quay.io/**"]},
        exemptions=[exemption(images=[IMAGE], requirements=["registry"])],
    )
    assert ("registry" not in found(judge(source, waived))) is allowed


def test_what_is_patched_is_allowed_by_a_pattern_with_a_tag() -> None:
    known = snapshot(scan_document(), registries={"allow": [IMAGE]})
    source = stateful_set_pod()
    patched = jsonpatch.apply_patch(source, list(mutate(request(source), known).patch))
    assert found(judge(patched, known)) == {}
