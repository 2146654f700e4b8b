"""Processes of `nbgate controller` that share the scans of one cluster."""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.accounts import documented_rights, grant, kubeconfig_of, without
from tests.cluster.controllers import (
    SCANS,
    RunningController,
    Worker,
    ask_for_scan,
    push_image,
    scan_of,
    status_of,
)
from tests.cluster.controlplane import ControlPlane
from tests.cluster.leadership import our_kinds, post
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.scanner.hostile import Answer, Asked, HostileServer, response
from tests.scanner.registry import RunningRegistry
from webhook.controller import turn as documented
from webhook.kube import IMAGE_SCANS, Event, connect
from webhook.stores.listwatch import ListWatch

pytestmark = pytest.mark.cluster

IMAGES = 200
POLICIES = "/apis/nbgate.dev/v1alpha1/notebookpolicies"
RIGHTS = documented_rights(documented.__doc__)


@pytest.fixture(scope="module", autouse=True)
def kinds(control_plane: ControlPlane) -> Iterator[None]:
    with our_kinds(control_plane):
        yield


@pytest.fixture(autouse=True)
def none_left(control_plane: ControlPlane) -> Iterator[None]:
    """Each test begins without ImageScans: any controller works on all that there are."""
    yield
    control_plane.request("DELETE", SCANS)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRegistry]:
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def account(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of an account with the documented rights and no other."""
    kubeconfig = kubeconfig_of(control_plane, tmp_path_factory.mktemp("account"), "scanning")
    grant(control_plane, "scanning", {**RIGHTS, "notebookpolicies.nbgate.dev": ["list", "watch"]})
    return kubeconfig


class Story:
    """What a watch has told of ImageScans: all holders that each had, in their order."""

    def __init__(self) -> None:
        self.holders: dict[str, list[str]] = {}

    def replaced(self, documents: Iterator[Document]) -> None:
        for document in documents:
            self.changed(Event("ADDED", document))

    def changed(self, event: Event) -> None:
        claim = event.object.get("status", {}).get("claim")
        held = self.holders.setdefault(event.object["metadata"]["name"], [])
        if claim and claim["holder"] not in held:
            held.append(claim["holder"])


@pytest.fixture
def story(control_plane: ControlPlane) -> Iterator[Story]:
    told = Story()
    with connect(kubeconfig=str(control_plane.kubeconfig)) as kube:
        watch = ListWatch(kube, IMAGE_SCANS, told)
        watch.start()
        wait_for(lambda: watch.heard_at, 10, "the watch")
        yield told
        watch.stop()


def complete(plane: ControlPlane, names: list[str]) -> bool:
    items = plane.get(f"{SCANS}?limit=1000")["items"]
    done = {i["metadata"]["name"] for i in items if i.get("status", {}).get("phase") == "Complete"}
    return done.issuperset(names)


def test_two_share_two_hundred_scans_and_scan_none_twice(
    control_plane: ControlPlane,
    registry: RunningRegistry,
    account: Path,
    story: Story,
    tmp_path: Path,
) -> None:
    tags = [f"v{number}" for number in range(IMAGES)]
    push_image(registry, "team/shared", "latest")
    for tag in tags:
        push_image(registry, "team/shared", tag)
    names = [ask_for_scan(control_plane, f"{registry.host}/team/shared:{tag}") for tag in tags]
    flags = ("--private-registry", registry.host, "--plain-http", registry.host, "--at-once", "4")
    with ExitStack() as stack:
        both = [
            stack.enter_context(
                RunningController(name, control_plane, tmp_path, *flags, kubeconfig=account)
            )
            for name in ("one", "two")
        ]
        for controller in both:
            controller.await_ready()
        wait_for(lambda: complete(control_plane, names), 120, "all results")
        scanned = [
            metric(one, 'nbgate_scan_duration_seconds_count{result="Violates"}') for one in both
        ]
        assert metric(both[0], "nbgate_scans_pending") == 0
        codes = [one.terminate() for one in both]

    asked = Counter(
        path.rpartition("/")[2]
        for method, path, _, _ in registry.requests()
        if method in {"GET", "HEAD"} and "/team/shared/manifests/" in path
    )
    assert asked == dict.fromkeys(tags, 1)
    assert {name: len(story.holders[name]) for name in names} == dict.fromkeys(names, 1)
    assert sum(scanned) == IMAGES
    assert min(scanned) > IMAGES / 10
    assert codes == [0, 0]


def metric(controller: RunningController, name: str) -> float:
    text = controller.get("/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


class Stalling:
    """A registry that answers nothing until it is let go, and then that it has no such image."""

    def __init__(self) -> None:
        self.flows = threading.Event()

    def script(self, _: Asked) -> Answer:
        while not self.flows.is_set():
            yield 0.1
        yield response(404)


@pytest.fixture
def stalling() -> Stalling:
    return Stalling()


@pytest.fixture
def stalled(stalling: Stalling) -> Iterator[HostileServer]:
    with HostileServer(stalling.script) as server:
        yield server


def started(
    name: str, plane: ControlPlane, directory: Path, account: Path, host: str, *flags: str
) -> RunningController:
    known = ("--private-registry", host, "--plain-http", host)
    return RunningController(name, plane, directory, *known, *flags, kubeconfig=account)


def holders(plane: ControlPlane, names: list[str]) -> list[str]:
    """Who has these images; fewer where somebody has not."""
    claims = [status_of(plane, name).get("claim") for name in names]
    return [claim["holder"] for claim in claims if claim]


def test_one_that_is_killed_in_the_middle_delays_and_loses_nothing(
    control_plane: ControlPlane,
    stalling: Stalling,
    stalled: HostileServer,
    account: Path,
    tmp_path: Path,
) -> None:
    names = [
        ask_for_scan(control_plane, f"{stalled.host}/team/{secrets.token_hex(4)}:v1")
        for _ in range(2)
    ]
    with ExitStack() as stack:
        first = stack.enter_context(
            started("first", control_plane, tmp_path, account, stalled.host, "--claim", "4s")
        )
        wait_for(lambda: len(stalled.asked) == 2, 30, "scans in the middle")
        second = stack.enter_context(
            started("second", control_plane, tmp_path, account, stalled.host, "--claim", "4s")
        )
        second.await_ready()
        first.kill()
        stalling.flows.set()

        def tried() -> bool:
            return all(status_of(control_plane, name).get("conditions") for name in names)

        wait_for(tried, 20, "the other to take them")
        assert {status_of(control_plane, name)["attempts"] for name in names} == {2}


def test_one_that_is_told_to_end_hands_over_within_seconds(
    control_plane: ControlPlane,
    stalling: Stalling,
    stalled: HostileServer,
    account: Path,
    tmp_path: Path,
) -> None:
    names = [
        ask_for_scan(control_plane, f"{stalled.host}/team/{secrets.token_hex(4)}:v1")
        for _ in range(2)
    ]
    with ExitStack() as stack:
        first = stack.enter_context(
            started("first", control_plane, tmp_path, account, stalled.host)
        )
        wait_for(lambda: len(stalled.asked) == 2, 30, "scans in the middle")
        second = stack.enter_context(
            started("second", control_plane, tmp_path, account, stalled.host)
        )
        second.await_ready()
        before = set(holders(control_plane, names))
        began = time.monotonic()
        ending = threading.Thread(target=first.terminate)
        ending.start()

        def handed_over() -> bool:
            now = holders(control_plane, names)
            return len(now) == 2 and before.isdisjoint(now)

        wait_for(handed_over, 10, "the other to take them")
        assert time.monotonic() - began < 5  # one on a quiet machine
        stalling.flows.set()
        assert {status_of(control_plane, name)["attempts"] for name in names} == {1}
        ending.join(20)
        assert time.monotonic() - began < 10
        assert first._process.returncode == 0


def test_slow_images_of_one_namespace_hold_up_those_of_no_other(
    control_plane: ControlPlane,
    registry: RunningRegistry,
    stalled: HostileServer,
    stalling: Stalling,
    account: Path,
    tmp_path: Path,
) -> None:
    slow = [f"{stalled.host}/team/{secrets.token_hex(4)}:v1" for _ in range(6)]
    for image in slow:
        ask_for_scan(control_plane, image, namespace="slow")
    push_image(registry, "team/quick", "v1")
    known = ("--private-registry", registry.host, "--plain-http", registry.host)
    with started("fair", control_plane, tmp_path, account, stalled.host, *known) as controller:
        wait_for(lambda: stalled.asked, 30, "a slow scan")
        quick = ask_for_scan(control_plane, f"{registry.host}/team/quick:v1", namespace="quick")
        wait_for(lambda: complete(control_plane, [quick]), 30, "the scan of the other namespace")
        assert metric(controller, "nbgate_scans_running") == 1
        assert metric(controller, "nbgate_scans_pending") == len(slow) - 1
        stalling.flows.set()


def test_only_named_registries_may_be_here_and_the_policy_says_when_results_are_stale(
    control_plane: ControlPlane, registry: RunningRegistry, account: Path, tmp_path: Path
) -> None:
    digest = push_image(registry, "team/policed", "v1")
    name = ask_for_scan(control_plane, f"{registry.host}/team/policed@{digest}")
    unnamed = ask_for_scan(control_plane, f"localhost:{registry.port}/team/policed:v1")
    with started("policed", control_plane, tmp_path, account, registry.host):
        first = wait_for(lambda: status_of(control_plane, name).get("scannedAt"), 30, "a result")
        policy = {
            "apiVersion": "nbgate.dev/v1alpha1",
            "kind": "NotebookPolicy",
            "metadata": {"name": "default"},
            "spec": {"stale": {"after": "2s"}},
        }
        post(control_plane, POLICIES, policy)
        wait_for(lambda: status_of(control_plane, name)["scannedAt"] > first, 10, "a newer result")
        refused = status_of(control_plane, unnamed)["conditions"][0]
    assert (refused["reason"], refused["status"]) == ("Refused", "False")
    control_plane.request("DELETE", f"{POLICIES}/default")


# -- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "verb"), [(what, verb) for what, verbs in RIGHTS.items() for verb in verbs]
)
def test_without_one_right_the_work_stops_and_says_which(
    control_plane: ControlPlane, tmp_path: Path, what: str, verb: str
) -> None:
    account = f"scanning-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(control_plane, tmp_path, account)
    grant(control_plane, account, without(RIGHTS, what, verb))
    name = ask_for_scan(control_plane, f"127.0.0.1:1/team/{account}:v1")
    with connect(kubeconfig=str(kubeconfig)) as kube:
        worker = Worker(kube)
        watch = ListWatch(kube, IMAGE_SCANS, worker.backlog, report=worker.complaints.append)
        watch.start()
        wait_for(lambda: worker.backlog.known or worker.complaints, 10, "a list")
        worker.turn(name)
        wait_for(lambda: worker.complaints, 10, "a complaint")
        watch.stop()
    assert any(
        f"give it a ClusterRole with verb {verb} on {what}" in one for one in worker.complaints
    )
    assert (scan_of(control_plane, name).get("status") is None) == (verb in {"get", "update"})
