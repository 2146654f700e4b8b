"""What a worker makes of images, on a real API server and a real registry."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.accounts import grant, kubeconfig_of
from tests.cluster.controllers import Worker, ask_for_scan, push_image, scan_of, status_of
from tests.cluster.controlplane import ControlPlane
from tests.cluster.leadership import our_kinds, post, put_status
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.scanner.hostile import HostileServer, response
from tests.scanner.registry import RunningRegistry
from webhook.controller.job import Abandoned
from webhook.core.document import parse_time
from webhook.core.reference import parse
from webhook.core.scan import compact, read_scan_document
from webhook.core.verdict import Finding, build_index
from webhook.kube import IMAGE_SCANS, Kube, connect
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Progress

pytestmark = pytest.mark.cluster

DAY = 86_400.0
PATH = "/apis/nbgate.dev/v1alpha1/imagescans"


@pytest.fixture(scope="module", autouse=True)
def kinds(control_plane: ControlPlane) -> Iterator[None]:
    with our_kinds(control_plane):
        yield


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def repository() -> str:
    return f"team/{secrets.token_hex(4)}"


@pytest.fixture
def worker(kube: Kube, registry: RunningRegistry) -> Worker:
    return Worker(kube, registry.host)


def finding(plane: ControlPlane, name: str) -> Finding:
    """What admission finds for the image of an ImageScan."""
    scan = scan_of(plane, name)
    index = build_index([compact(read_scan_document(scan))])
    return index.find(parse(scan["spec"]["image"]))


def asked(registry: RunningRegistry, repository: str) -> list[str]:
    """What the registry was asked for manifests of a repository by us, who push none."""
    return [
        f"{method} {path.rpartition('/')[2]}"
        for method, path, _, _ in registry.requests()
        if f"/{repository}/manifests/" in path and method in {"GET", "HEAD"}
    ]


def test_a_new_image_is_scanned_and_admission_finds_the_result(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    digest = push_image(registry, repository, "v1", user="0")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")

    assert worker.turn(name) == 0

    found = finding(control_plane, name)
    assert found.digest == digest
    assert found.scan is not None
    assert found.scan.verdict == "Violates"
    status = status_of(control_plane, name)
    assert status["phase"] == "Complete"
    assert status.keys().isdisjoint({"claim", "attempts", "retryAt"})
    assert [one["status"] for one in status["conditions"]] == ["True"]
    assert worker.counted('nbgate_scan_duration_seconds_count{result="Violates"}') == 1


def test_a_tag_that_means_the_same_costs_one_small_request_and_is_young_again(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker.turn(name)
    before, requests = status_of(control_plane, name), asked(registry, repository)
    worker.clock.ahead = 1.1 * DAY

    worker.turn(name)

    after = status_of(control_plane, name)
    assert asked(registry, repository)[len(requests) :] == ["HEAD v1"]
    resolved = [parse_time(status["resolvedAt"]) for status in (before, after)]
    assert resolved[1] - resolved[0] > DAY
    assert {**after, "resolvedAt": "", "conditions": []} == {
        **before,
        "resolvedAt": "",
        "conditions": [],
    }
    assert worker.counted("nbgate_tag_resolutions_total") == 1


def test_a_tag_that_has_moved_is_scanned_and_until_then_the_old_result_stays(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    old = push_image(registry, repository, "v1", user="1000")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker.turn(name)
    before = finding(control_plane, name)
    new = push_image(registry, repository, "v1", user="0")
    worker.clock.ahead = 1.1 * DAY
    meanwhile: list[Document] = []
    worker.keeper.keep = lambda held: meanwhile.append(scan_of(control_plane, held.name))  # type: ignore[method-assign]  # a look from outside, between claim and scan

    worker.turn(name)

    assert meanwhile[0]["status"]["claim"]
    index = build_index([compact(read_scan_document(meanwhile[0]))])
    assert index.find(parse(meanwhile[0]["spec"]["image"])) == before
    assert (before.digest, finding(control_plane, name).digest) == (old, new)


def test_a_result_that_grows_old_is_found_anew(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    digest = push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}@{digest}")
    worker.turn(name)
    first = status_of(control_plane, name)["scannedAt"]
    worker.clock.ahead = 4 * DAY
    worker.turn(name)
    assert status_of(control_plane, name)["scannedAt"] == first
    worker.clock.ahead = 6 * DAY
    worker.turn(name)
    assert parse_time(status_of(control_plane, name)["scannedAt"]) > parse_time(first) + 5 * DAY


def test_a_failure_is_told_in_the_object_and_tried_again_when_its_time_has_come(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    image = f"{registry.host}/{repository}:v1"
    name = ask_for_scan(control_plane, image)

    worker.turn(name)

    status = status_of(control_plane, name)
    condition = status["conditions"][0]
    assert (status["phase"], status["attempts"]) == ("Failed", 1)
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "Scanned",
        "False",
        "NotFound",
    )
    assert "check name, tag and digest" in condition["message"]
    pending = finding(control_plane, name).pending
    assert pending is not None
    assert pending.note == condition["message"]

    push_image(registry, repository, "v1")
    worker.turn(name)
    assert status_of(control_plane, name) == status
    worker.clock.ahead = 600
    worker.turn(name)
    assert status_of(control_plane, name)["phase"] == "Complete"


def test_a_failure_drops_no_result_and_admission_judges_by_it_as_before(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    digest = push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker.turn(name)
    before = finding(control_plane, name)
    registry.delete_manifest(repository, digest)

    worker.clock.ahead = 1.1 * DAY
    worker.turn(name)

    status = status_of(control_plane, name)
    assert (status["phase"], status["attempts"]) == ("Complete", 1)
    assert status["conditions"][0]["reason"] == "NotFound"
    assert finding(control_plane, name) == before
    assert finding(control_plane, name).stale(worker.clock() + 7 * DAY, 7 * DAY)


def test_a_registry_that_asks_for_patience_gets_it_for_all_its_images(
    control_plane: ControlPlane,
    kube: Kube,
    registry: RunningRegistry,
    repository: str,
) -> None:
    push_image(registry, repository, "v1")
    busy = response(429, headers={"Retry-After": "900"})
    with HostileServer(lambda _: [busy]) as limited:
        worker = Worker(kube, limited.host, registry.host)
        ours = [
            ask_for_scan(control_plane, f"{host}/{repository}:{tag}")
            for host, tag in ((limited.host, "a"), (limited.host, "b"), (registry.host, "v1"))
        ]
        for name in ours:
            worker.backlog.update(scan_of(control_plane, name))
        taken = drained(worker)
        assert len(limited.asked) == 1

        status = status_of(control_plane, taken[0] if taken[0] != ours[2] else taken[1])
        assert status["conditions"][0]["reason"] == "RateLimited"
        assert 900 <= parse_time(status["retryAt"]) - worker.clock() + 5 <= 1000
        assert ours[2] in taken
        assert len(taken) == 2
        assert worker.backlog.paused == 1
        worker.clock.ahead = 1000
        assert len(drained(worker)) == 1
        assert len(limited.asked) == 2
    assert status_of(control_plane, ours[2])["phase"] == "Complete"


def drained(worker: Worker) -> list[str]:
    """Do all that is due; give the names."""
    names = []
    while (record := worker.backlog.take(0)) is not None:
        names.append(record.name)
        worker.backlog.done(record.name, worker.turn(record.name))
    return names


@dataclass(frozen=True, slots=True)
class Started:
    """A probe that does something in the place of starting the image."""

    instead: Callable[[], Observation]
    name: str = "tests"

    def platform(self) -> str:
        return "linux/amd64"

    def observe(self, target: Target, progress: Progress) -> Observation:
        del target, progress
        return self.instead()


def broken(error: BaseException) -> Started:
    """A probe of a cluster in trouble."""

    def fail() -> Observation:
        raise error

    return Started(fail)


def test_trouble_of_the_cluster_is_no_fault_of_the_image_or_its_registry(
    control_plane: ControlPlane, kube: Kube, registry: RunningRegistry, repository: str
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker = Worker(kube, registry.host, probe=broken(ProbeError("no node takes the pod")))

    worker.turn(name)

    status = status_of(control_plane, name)
    assert status["conditions"][0]["reason"] == "ProbeFailed"
    assert parse_time(status["retryAt"]) - worker.clock() < 60
    assert worker.backlog.paused == 0


def test_a_fault_of_ours_is_told_in_the_object_and_ends_no_worker(
    control_plane: ControlPlane, kube: Kube, registry: RunningRegistry, repository: str
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")

    Worker(kube, registry.host, probe=broken(KeyError("oops"))).turn(name)

    status = status_of(control_plane, name)
    assert status["conditions"][0]["reason"] == "InternalError"
    assert status["phase"] == "Failed"


def test_an_image_that_kills_who_scans_it_is_taken_later_each_time(
    control_plane: ControlPlane, kube: Kube, registry: RunningRegistry, repository: str
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker = Worker(kube, registry.host, probe=broken(SystemExit("as if killed")))
    pauses = []
    for _ in range(4):
        began = worker.clock()
        with pytest.raises(SystemExit):
            worker.turn(name)
        status = status_of(control_plane, name)
        assert status["claim"]
        pauses.append(round((parse_time(status["retryAt"]) - began) / 60))
        worker.clock.ahead += 60 * pauses[-1] + 1
        # The claim was seen when the watch told of it.
        worker.backlog.update(scan_of(control_plane, name))
        worker.clock.ahead += 60
    assert pauses == [1, 2, 4, 8]


def test_an_image_at_a_private_address_is_refused_unless_its_registry_is_named(
    control_plane: ControlPlane, kube: Kube, registry: RunningRegistry, repository: str
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    before = len(registry.requests())

    Worker(kube, registry.host, private=False).turn(name)

    condition = status_of(control_plane, name)["conditions"][0]
    assert condition["reason"] == "Refused"
    assert "--private-registry" in condition["message"]
    assert len(registry.requests()) == before


@pytest.mark.parametrize("image", ["oci:latest", "docker-archive:latest"])
def test_no_image_is_taken_for_a_file_of_this_machine(
    control_plane: ControlPlane, kube: Kube, image: str
) -> None:
    looked_up: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    name = ask_for_scan(control_plane, image)
    Worker(kube, resolve=resolve).turn(name)

    assert looked_up == ["registry-1.docker.io"]
    assert status_of(control_plane, name)["conditions"][0]["reason"] == "Refused"


def test_a_spec_that_cannot_be_read_says_so_and_is_let_be(
    control_plane: ControlPlane, worker: Worker
) -> None:
    name = f"broken-{secrets.token_hex(4)}"
    post_raw(control_plane, name, "registry.example.com/UPPER:v1")
    worker.turn(name)
    scan = scan_of(control_plane, name)
    assert scan["status"]["phase"] == "Failed"
    assert "spec.image: is not an image reference" in scan["status"]["conditions"][0]["message"]
    worker.turn(name)
    assert scan_of(control_plane, name) == scan


def post_raw(plane: ControlPlane, name: str, image: str) -> None:
    document = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name},
        "spec": {"image": image},
    }
    assert plane.request("POST", PATH, document).status == 201


def test_a_status_that_cannot_be_read_is_as_good_as_none(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, worker: Worker
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    put_status(control_plane, f"{PATH}/{name}", phase="Complete", verdict="Violates")

    worker.turn(name)

    assert finding(control_plane, name).scan is not None


def test_what_nobody_wants_any_more_is_given_back(
    control_plane: ControlPlane, kube: Kube, registry: RunningRegistry, repository: str
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    worker = Worker(kube, registry.host, probe=broken(Abandoned()))

    worker.turn(name)

    assert status_of(control_plane, name)["phase"] == "Pending"
    assert "claim" not in status_of(control_plane, name)


def test_a_result_waits_until_it_can_be_written(
    control_plane: ControlPlane, registry: RunningRegistry, repository: str, tmp_path: Path
) -> None:
    push_image(registry, repository, "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/{repository}:v1")
    account = f"worker-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(control_plane, tmp_path, account)
    grant(control_plane, account, {"imagescans.nbgate.dev": ["get"]})
    writing = {"imagescans.nbgate.dev/status": ["update"]}
    grant(control_plane, f"{account}-writes", writing, account=account)

    def outage() -> Observation:
        """Leave the worker without the right to write, until it has noticed."""
        path = f"/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/{account}-writes"
        binding = control_plane.get(path)
        binding["metadata"] = {"name": binding["metadata"]["name"]}
        control_plane.request("DELETE", path)
        threading.Thread(target=lambda: restore(path.rpartition("/")[0], binding)).start()
        time.sleep(0.5)
        raise ProbeError("no API server")

    def restore(path: str, binding: Document) -> None:
        wait_for(lambda: worker.complaints, 10, "the worker to complain")
        post(control_plane, path, binding)

    with connect(kubeconfig=str(kubeconfig)) as kube:
        worker = Worker(kube, registry.host, probe=Started(outage))
        worker.turn(name)

    assert "give it a ClusterRole with verb update" in worker.complaints[0]
    assert status_of(control_plane, name)["conditions"][0]["message"] == "no API server"


def test_an_object_that_is_gone_is_forgotten(
    control_plane: ControlPlane, kube: Kube, worker: Worker
) -> None:
    name = ask_for_scan(control_plane, "registry.example.com/team/gone:v1")
    worker.backlog.update(scan_of(control_plane, name))
    kube.delete(IMAGE_SCANS, name, None, grace=0)

    assert worker.turn(name) == 0
    assert worker.backlog.known == 0
