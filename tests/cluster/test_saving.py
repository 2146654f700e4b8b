"""`--save cluster` on a real API server: results become ImageScans that admission can read."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.accounts import (
    Rights,
    documented_rights,
    grant,
    kubeconfig_of,
    without,
)
from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.webhookside import kinds_served
from webhook.core.scan import ScanDocument, read_scan_document, scan_name
from webhook.kube import IMAGE_SCANS, Kube, connect
from webhook.kubeerrors import Conflict, Forbidden, NotFound
from webhook.scanner import saving
from webhook.scanner.saving import save_to_cluster

pytestmark = pytest.mark.cluster

SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


@pytest.fixture(scope="module")
def kind(control_plane: ControlPlane) -> Iterator[None]:
    """The kind ImageScan is served."""
    with kinds_served(control_plane):
        yield


@pytest.fixture
def image() -> str:
    return f"registry.example.com/team/{secrets.token_hex(4)}:v1"


def scanned(image: str, *, at: str = "2026-01-02T00:00:00Z", **status: Any) -> ScanDocument:
    result = {
        "phase": "Complete",
        "digest": f"sha256:{'a' * 64}",
        "verdict": "Conforms",
        "serving": "Prefix",
        "resolvedAt": at,
        "scannedAt": at,
    }
    return read_scan_document(
        {
            "apiVersion": "nbgate.dev/v1alpha1",
            "kind": "ImageScan",
            "metadata": {"name": scan_name(image)},
            "spec": {"image": image},
            "status": {**result, **status},
        }
    )


def stored(plane: ControlPlane, image: str) -> Document:
    return plane.get(f"{SCANS}/{scan_name(image)}")


def test_without_the_kind_the_cure_is_named(kube: Kube, image: str) -> None:
    with pytest.raises(NotFound, match=r"does not know the kind ImageScan: install .*deploy/"):
        save_to_cluster(kube, scanned(image))


@pytest.mark.usefixtures("kind")
def test_a_new_result_is_created_with_its_status(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    document = scanned(image)

    assert save_to_cluster(kube, document) == "created"

    found = read_scan_document(stored(control_plane, image))
    # In the cluster it also says of which image, for there the spec may come to name another.
    assert found.status == document.status.model_copy(update={"image": image})
    assert found.spec == document.spec


@pytest.mark.usefixtures("kind")
def test_a_newer_result_replaces_the_status_and_leaves_what_people_wrote(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    save_to_cluster(kube, scanned(image))
    found = stored(control_plane, image)
    found["spec"]["interval"] = "1h"
    found["metadata"]["labels"] = {"team": "a"}
    kube.replace(IMAGE_SCANS, found)

    saved = save_to_cluster(kube, scanned(image, at="2026-01-03T00:00:00Z", serving="Root"))

    assert saved == "replaced"
    now = stored(control_plane, image)
    assert (now["spec"]["interval"], now["metadata"]["labels"]) == ("1h", {"team": "a"})
    assert (now["status"]["serving"], now["status"]["resolvedAt"]) == (
        "Root",
        "2026-01-03T00:00:00Z",
    )


@pytest.mark.usefixtures("kind")
def test_when_it_was_used_and_who_scans_it_now_stays_and_how_a_try_failed_goes(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    save_to_cluster(kube, scanned(image))
    found = stored(control_plane, image)
    used = "2026-01-02T12:00:00Z"
    others = {"lastUsedAt": used, "claim": {"holder": "a controller", "until": used}}
    failure = {
        "attempts": 3,
        "retryAt": used,
        "conditions": [{"type": "Scanned", "status": "False"}],
    }
    kube.replace(
        IMAGE_SCANS, {**found, "status": {**found["status"], **others, **failure}}, part="status"
    )

    save_to_cluster(kube, scanned(image, at="2026-01-03T00:00:00Z"))

    status = stored(control_plane, image)["status"]
    assert (status["lastUsedAt"], status["claim"]) == (used, others["claim"])
    assert (status["attempts"], status["conditions"]) == (0, [])
    assert "retryAt" not in status


@pytest.mark.usefixtures("kind")
def test_an_older_result_does_not_hide_a_newer_one(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    save_to_cluster(kube, scanned(image))

    assert save_to_cluster(kube, scanned(image, at="2026-01-01T00:00:00Z")) == "kept"

    assert stored(control_plane, image)["status"]["resolvedAt"] == "2026-01-02T00:00:00Z"


@pytest.mark.usefixtures("kind")
def test_an_object_that_only_asks_for_a_scan_gets_its_status(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    asked = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "ImageScan"}
    wanted = {"metadata": {"name": scan_name(image)}, "spec": {"image": image}}
    control_plane.create({**asked, **wanted})

    assert save_to_cluster(kube, scanned(image)) == "replaced"

    assert stored(control_plane, image)["status"]["phase"] == "Complete"


@pytest.mark.usefixtures("kind")
def test_an_object_of_our_name_for_another_image_becomes_ours(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    asked = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "ImageScan"}
    other = {"metadata": {"name": scan_name(image)}, "spec": {"image": "other:v1"}}
    control_plane.create({**asked, **other})

    save_to_cluster(kube, scanned(image))

    assert stored(control_plane, image)["spec"]["image"] == image


@pytest.mark.usefixtures("kind")
def test_of_scanners_that_save_at_once_the_newest_result_stays(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    times = [f"2026-01-02T00:00:0{second}Z" for second in range(4)]

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda at: save_to_cluster(kube, scanned(image, at=at)), times))

    assert stored(control_plane, image)["status"]["resolvedAt"] == times[-1]


@pytest.mark.usefixtures("kind")
def test_a_change_in_between_is_a_conflict(kube: Kube, image: str) -> None:
    save_to_cluster(kube, scanned(image))
    read = kube.get(IMAGE_SCANS, scan_name(image))
    kube.replace(IMAGE_SCANS, {**read, "spec": {"image": image, "interval": "1h"}})

    with pytest.raises(Conflict, match="the object has been modified"):
        kube.replace(IMAGE_SCANS, {**read, "spec": {"image": image, "interval": "2h"}})


RIGHTS = documented_rights(saving.__doc__)


def save_all_ways(plane: ControlPlane, directory: Path, rights: Rights) -> None:
    """Create a result, replace it, and correct one of another image, as an account with these rights."""
    name = f"saver-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(plane, directory, name)
    grant(plane, name, rights)
    image = f"registry.example.com/{name}:v1"
    with connect(kubeconfig=str(kubeconfig)) as kube:
        save_to_cluster(kube, scanned(image))
        save_to_cluster(kube, scanned(image))
        patch = ("--type=merge", "--patch", '{"spec": {"image": "other:v1"}}')
        plane.kubectl("patch", "imagescan", scan_name(image), *patch)
        save_to_cluster(kube, scanned(image))


@pytest.mark.usefixtures("kind")
def test_the_documented_rights_are_enough(control_plane: ControlPlane, tmp_path: Path) -> None:
    save_all_ways(control_plane, tmp_path, RIGHTS)


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize(
    ("what", "verb"), [(what, verb) for what, verbs in RIGHTS.items() for verb in verbs]
)
def test_without_one_of_them_saving_fails_and_names_it(
    control_plane: ControlPlane, tmp_path: Path, what: str, verb: str
) -> None:
    with pytest.raises(Forbidden, match=f"ClusterRole with verb {verb} on {what}$"):
        save_all_ways(control_plane, tmp_path, without(RIGHTS, what, verb))
