"""Claims on ImageScans on a real API server: of many one has an image, and only who has it writes a result."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.controllers import Worker, ask_for_scan, scan_of, status_of
from tests.cluster.controlplane import ControlPlane
from tests.cluster.leadership import our_kinds, put_status
from tests.cluster.waiting import wait_for
from webhook.controller import status as statuses
from webhook.controller.claim import Gone, Held
from webhook.controller.status import Status
from webhook.core.document import format_time
from webhook.core.scan import ScanStatus
from webhook.kube import IMAGE_SCANS, Document, Kube, connect
from webhook.kubeerrors import Conflict

pytestmark = pytest.mark.cluster

PATH = "/apis/nbgate.dev/v1alpha1/imagescans"
FOUND = ScanStatus(
    phase="Complete",
    digest=f"sha256:{'a' * 64}",
    verdict="Conforms",
    scanned_at="2026-01-01T00:00:00Z",
    scanner="nbgate/tests",
)


@pytest.fixture(scope="module", autouse=True)
def kinds(control_plane: ControlPlane) -> Iterator[None]:
    with our_kinds(control_plane):
        yield


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


@pytest.fixture
def name(control_plane: ControlPlane) -> str:
    """An ImageScan that somebody asked for."""
    return ask_for_scan(control_plane, f"registry.example.com/team/{secrets.token_hex(4)}:v1")


@pytest.fixture
def held(kube: Kube, name: str) -> Held:
    """A claim of it."""
    return claim(kube, name)


def claim(kube: Kube, name: str, identity: str = "us") -> Held:
    claiming = Worker(kube, identity=identity).claiming
    return claiming.claim(claiming.read(name), scans=True)


def found(document: Document) -> Status:
    return statuses.scanned(document, FOUND, 0.0)


def test_of_ten_who_claim_at_once_one_has_it(kube: Kube, name: str) -> None:
    claiming = Worker(kube).claiming
    read = claiming.read(name)

    def attempt(_: int) -> Held | None:
        try:
            return claiming.claim(read, scans=True)
        except Conflict:
            return None

    with ThreadPoolExecutor(10) as threads:
        won = [one for one in threads.map(attempt, range(10)) if one]

    assert len(won) == 1
    assert won[0].end(found)["status"]["verdict"] == "Conforms"


def test_the_object_says_who_has_it_until_when_and_that_it_is_scanned(
    control_plane: ControlPlane, kube: Kube, name: str
) -> None:
    before = time.time()
    claim(kube, name, "nbgate-controller-7d4f-x")

    status = status_of(control_plane, name)
    assert status["phase"] == "Scanning"
    assert status["claim"]["holder"].startswith("nbgate-controller-7d4f-x_")
    assert format_time(before + 60) <= status["claim"]["until"] <= format_time(time.time() + 60)


def test_two_claims_of_one_replica_are_two(kube: Kube, name: str, held: Held) -> None:
    again = claim(kube, name)

    with pytest.raises(Gone):
        held.renew()
    assert held.gone
    again.renew()


def test_what_others_write_meanwhile_stays_and_takes_nothing_away(
    control_plane: ControlPlane, name: str, held: Held
) -> None:
    used = "2026-01-01T00:00:00Z"
    put_status(control_plane, f"{PATH}/{name}", **status_of(control_plane, name), lastUsedAt=used)
    held.renew()
    control_plane.kubectl("label", "imagescan", name, "team=a")

    held.end(found)

    after = scan_of(control_plane, name)
    assert (after["status"]["lastUsedAt"], after["status"]["verdict"]) == (used, "Conforms")
    assert after["metadata"]["labels"]["team"] == "a"


def test_who_lost_his_claim_writes_no_result(
    control_plane: ControlPlane, kube: Kube, name: str, held: Held
) -> None:
    other = claim(kube, name, "somebody-else")

    with pytest.raises(Gone):
        held.end(found)

    assert status_of(control_plane, name)["claim"]["holder"].startswith("somebody-else_")
    assert "verdict" not in status_of(control_plane, name)
    other.end(found)


def test_an_object_that_is_deleted_meanwhile_takes_no_result(
    control_plane: ControlPlane, kube: Kube, name: str, held: Held
) -> None:
    image = scan_of(control_plane, name)["spec"]["image"]
    kube.delete(IMAGE_SCANS, name, None, grace=0)
    with pytest.raises(Gone):
        held.renew()
    assert ask_for_scan(control_plane, image) == name

    with pytest.raises(Gone):
        held.end(found)

    assert status_of(control_plane, name) == {}


def test_where_the_spec_names_another_image_by_then_the_result_is_dropped(
    control_plane: ControlPlane, kube: Kube, name: str, held: Held
) -> None:
    scan = scan_of(control_plane, name)
    other = {**scan["spec"], "image": "registry.example.com/other:v2"}
    kube.replace(IMAGE_SCANS, {**scan, "spec": other})

    with pytest.raises(Gone):
        held.end(found)

    status = status_of(control_plane, name)
    assert (status["phase"], status["image"]) == ("Pending", "registry.example.com/other:v2")
    assert status.keys().isdisjoint({"claim", "verdict", "attempts", "retryAt"})


def test_claims_are_renewed_while_their_images_are_scanned_and_given_back_at_the_end(
    control_plane: ControlPlane, kube: Kube, name: str
) -> None:
    worker = Worker(kube, claim=3)
    held = worker.claiming.claim(worker.claiming.read(name), scans=True)
    first = status_of(control_plane, name)["claim"]
    worker.keeper.start()
    worker.keeper.keep(held)

    def renewed() -> bool:
        now = status_of(control_plane, name)["claim"]
        return bool(now["until"] > first["until"] and now["holder"] == first["holder"])

    wait_for(renewed, 10, "a renewal")
    assert worker.keeper.held == 1
    worker.keeper.stop(5)

    assert held.gone
    assert status_of(control_plane, name) == {
        "phase": "Pending",
        "image": scan_of(control_plane, name)["spec"]["image"],
    }
    assert worker.complaints == []
