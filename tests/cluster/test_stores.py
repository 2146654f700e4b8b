"""A store follows a real API server, and what breaks in between is told, mended, or in the end refused."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.accounts import grant, kubeconfig_of
from tests.cluster.controlplane import ControlPlane
from tests.cluster.line import Line
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.cluster.webhookside import API, RIGHTS, kinds_served
from tests.server.documents import scan
from webhook.core.reference import parse
from webhook.core.scan import scan_name
from webhook.kube import Kube, connect
from webhook.kubeerrors import Expired
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.snapshot import Store
from webhook.stores.snapshotcache import SnapshotCache

pytestmark = pytest.mark.cluster

SECONDS = 20  # for what takes a fraction of one
SCANS, POLICIES = f"{API}/imagescans", f"{API}/notebookpolicies"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    with kinds_served(control_plane):
        yield control_plane


@pytest.fixture(scope="module")
def account(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kubeconfig of somebody who may do what a replica may, and no more."""
    name = f"stores-{secrets.token_hex(4)}"
    path = kubeconfig_of(plane, tmp_path_factory.mktemp("stores"), name)
    grant(plane, name, RIGHTS)
    return path


@pytest.fixture
def line(plane: ControlPlane) -> Iterator[Line]:
    with Line(plane) as line:
        yield line


class Replica:
    """A store as `nbgate serve` has it, looked at by hand; its clock can be put forward."""

    def __init__(self, kube: Kube, folder: Path) -> None:
        self.ahead = 0.0
        self.reports: list[str] = []
        report, clock = self.reports.append, self.clock
        self.scans = ClusterScans(kube, clock=clock, report=report)
        self.policy = ClusterPolicy(kube, clock=clock, report=report)
        self.modes = NamespaceModes(kube, clock=clock, report=report)
        cache = SnapshotCache(
            folder,
            scans=self.scans,
            policy=self.policy,
            modes=self.modes,
            clock=clock,
            wall=lambda: time.time() + self.ahead,
            report=report,
        )
        self.store = Store(self.scans, self.policy, self.modes, cache=cache, clock=clock)

    def clock(self) -> float:
        return time.monotonic() + self.ahead

    def usable(self) -> bool:
        return self.store.usable

    def eventually(self, look: Callable[[], Any], what: str, seconds: float = SECONDS) -> None:
        def refreshed() -> Any:
            self.store.refresh()
            return look()

        wait_for(refreshed, seconds, what)

    def verdict(self, image: str) -> str | None:
        found = self.store.current.scans.find(parse(image)).scan
        return found.verdict if found else None

    def message(self, name: str) -> str:
        return next(one.message for one in self.store.standings() if one.name == name)

    def mode(self, namespace: str) -> str | None:
        return self.store.current.modes.get(namespace)


@contextmanager
def replica(kubeconfig: Path, folder: Path, *, ready: bool = True) -> Iterator[Replica]:
    with connect(kubeconfig=str(kubeconfig)) as kube:
        one = Replica(kube, folder)
        one.store.start()
        try:
            if ready:
                one.eventually(one.usable, "the replica to be in step")
            yield one
        finally:
            one.store.stop()


def an_image() -> str:
    return f"registry.example.com/notebooks/{secrets.token_hex(6)}:1"


def ask(plane: ControlPlane, method: str, path: str, body: Document | None = None) -> Document:
    answer = plane.request(method, path, body)
    assert answer.status in {HTTPStatus.OK, HTTPStatus.CREATED}, answer.text
    return answer.document


def put_scan(plane: ControlPlane, image: str, failing: tuple[str, ...] = ()) -> None:
    """Create an image's scan with its status, or replace the status."""
    name = scan_name(image)
    document = scan(image, name=name, digit=secrets.choice("0123456789abcdef"), failing=failing)
    found = plane.request("GET", f"{SCANS}/{name}")
    stored = found.document if found.status == 200 else ask(plane, "POST", SCANS, document)
    ask(plane, "PUT", f"{SCANS}/{name}/status", {**stored, "status": document["status"]})


def delete_scan(plane: ControlPlane, image: str) -> None:
    ask(plane, "DELETE", f"{SCANS}/{scan_name(image)}")


def put_policy(plane: ControlPlane, **spec: object) -> None:
    document = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "default"},
        "spec": spec,
    }
    found = plane.request("GET", f"{POLICIES}/default")
    if found.status == 200:
        version = found.document["metadata"]["resourceVersion"]
        document["metadata"] = {"name": "default", "resourceVersion": version}
        ask(plane, "PUT", f"{POLICIES}/default", document)
    else:
        ask(plane, "POST", POLICIES, document)


@pytest.fixture
def policy_gone(plane: ControlPlane) -> Iterator[None]:
    yield
    plane.request("DELETE", f"{POLICIES}/default")


# -- Changes reach the snapshot --------------------------------------------------------------------


def test_scans_come_change_and_go(plane: ControlPlane, account: Path, tmp_path: Path) -> None:
    known, new = an_image(), an_image()
    put_scan(plane, known)
    with replica(account, tmp_path) as one:
        assert (one.verdict(known), one.verdict(new)) == ("Conforms", None)
        put_scan(plane, new)
        one.eventually(lambda: one.verdict(new) == "Conforms", "the new scan", 2)
        put_scan(plane, new, failing=("uid-1000",))
        one.eventually(lambda: one.verdict(new) == "Violates", "the change", 2)
        delete_scan(plane, new)
        one.eventually(lambda: one.verdict(new) is None, "the end", 2)
        assert one.verdict(known) == "Conforms"


def test_what_the_definition_takes_and_nbgate_does_not_is_told_and_hides_nothing(
    plane: ControlPlane, account: Path, tmp_path: Path
) -> None:
    good, bad = an_image(), an_image()
    put_scan(plane, good)
    put_scan(plane, bad)
    with replica(account, tmp_path) as one:
        stored = ask(plane, "GET", f"{SCANS}/{scan_name(bad)}")
        stored["status"]["verdict"] = "Violates"
        ask(plane, "PUT", f"{SCANS}/{scan_name(bad)}/status", stored)
        one.eventually(lambda: one.scans.unreadable == 1, "the fault")
        assert (one.verdict(good), one.verdict(bad)) == ("Conforms", "Conforms")
        assert f"imagescans/{scan_name(bad)}: status.verdict" in one.message("Scans")
        delete_scan(plane, bad)
        one.eventually(lambda: one.scans.unreadable == 0 and not one.verdict(bad), "the end")


@pytest.mark.usefixtures("policy_gone")
def test_the_policy_named_default_holds_while_it_is_there(
    plane: ControlPlane, account: Path, tmp_path: Path
) -> None:
    def held() -> tuple[str, int]:
        now = one.store.current
        return now.policy.spec.unscanned.label, now.policy_generation

    with replica(account, tmp_path) as one:
        assert held() == ("Deny", 0)
        put_policy(plane, unscanned="Warn")
        one.eventually(lambda: held() == ("Warn", 1), "the policy")
        # the definition knows no rule against it
        put_policy(plane, unscanned="Audit", pod={"home": {"claim": "-"}})
        one.eventually(lambda: one.policy.problems, "the fault")
        assert held() == ("Warn", 1)
        assert "a newer one was refused" in one.message("Policy")
        put_policy(plane, unscanned="Audit")
        one.eventually(lambda: held() == ("Audit", 3), "the cure")
        ask(plane, "DELETE", f"{POLICIES}/default")
        one.eventually(lambda: held() == ("Deny", 0), "the default policy")


def test_the_label_of_a_namespace_is_followed(
    plane: ControlPlane, account: Path, namespace: str, tmp_path: Path
) -> None:
    def label(*arguments: str) -> None:
        plane.kubectl("label", "--overwrite", "namespace", namespace, *arguments)

    with replica(account, tmp_path) as one:
        label("nbgate.dev/mode=warn")
        one.eventually(lambda: one.mode(namespace) == "warn", "the label")
        label("nbgate.dev/mode=wran")
        one.eventually(lambda: one.mode(namespace) is None, "the slip of the pen")
        assert f"namespaces/{namespace}" in one.message("Namespaces")
        label("nbgate.dev/mode=audit")
        one.eventually(lambda: one.mode(namespace) == "audit", "the cure")
        label("nbgate.dev/mode-")
        one.eventually(lambda: one.mode(namespace) is None, "the label to be gone")
        assert one.message("Namespaces") == "0 namespaces only warn or audit"


# -- What breaks -----------------------------------------------------------------------------------


def test_when_the_line_breaks_everything_is_listed_again(
    plane: ControlPlane, account: Path, line: Line, tmp_path: Path
) -> None:
    stays, goes, comes = an_image(), an_image(), an_image()
    put_scan(plane, stays)
    put_scan(plane, goes)
    with replica(line.config(account, tmp_path), tmp_path) as one:
        line.cut()
        one.eventually(lambda: one.scans.trouble and one.modes.trouble, "the trouble")
        assert one.usable()
        assert "no answer" in one.message("Scans")
        delete_scan(plane, goes)
        put_scan(plane, comes)
        broken_at = one.scans.heard_at
        assert broken_at is not None
        line.mend()
        one.eventually(lambda: one.verdict(comes), "what came meanwhile")
        assert (one.verdict(stays), one.verdict(goes)) == ("Conforms", None)
        one.eventually(lambda: not one.scans.trouble, "the watch")
        one.eventually(lambda: (one.scans.heard_at or 0) > broken_at, "the proof")
        put_scan(plane, stays, failing=("uid-1000",))
        one.eventually(lambda: one.verdict(stays) == "Violates", "what comes now")


def test_what_is_old_is_told_then_refused_and_well_again_when_the_line_is(
    account: Path, line: Line, tmp_path: Path
) -> None:
    with replica(line.config(account, tmp_path), tmp_path) as one:
        fresh = one.message("Scans")
        line.cut()
        one.eventually(lambda: one.scans.trouble, "the trouble")
        one.ahead += 100
        assert one.usable()
        assert f"{fresh}, last compared with its source 10" in one.message("Scans")
        one.ahead += 500
        assert not one.usable()
        assert "not compared with its source for 60" in one.message("Scans")
        line.mend()
        one.eventually(one.usable, "the replica to be well again")
        one.eventually(lambda: one.message("Scans") == fresh, "its word")


def test_who_is_refused_says_which_right_is_missing_and_keeps_what_is_known(
    plane: ControlPlane, line: Line, tmp_path: Path
) -> None:
    name, image = f"stores-{secrets.token_hex(4)}", an_image()
    put_scan(plane, image)
    kubeconfig = kubeconfig_of(plane, tmp_path, name)
    grant(plane, name, RIGHTS)
    with replica(line.config(kubeconfig, tmp_path), tmp_path) as one:
        plane.kubectl("delete", "clusterrolebinding", name)
        line.cut()
        line.mend()
        missing = "verb list on imagescans.nbgate.dev"
        one.eventually(lambda: missing in one.scans.trouble, "the refusal")
        assert one.verdict(image) == "Conforms"
        grant(plane, f"{name}-again", RIGHTS, account=name)
        one.eventually(lambda: not one.scans.trouble, "the watch")


class Late:
    """The API server, asked to watch from a version that it has forgotten, once."""

    def __init__(self, kube: Kube) -> None:
        self.cached, self.pages = kube.cached, kube.pages
        self.refusals: list[str] = []
        self._kube = kube

    @contextmanager
    def watch(self, *arguments: Any, version: str, **rest: Any) -> Iterator[Any]:
        asked = version if self.refusals else "1"
        try:
            with self._kube.watch(*arguments, version=asked, **rest) as events:
                yield events
        except Expired as error:
            self.refusals.append(str(error))
            raise


def test_a_version_that_was_compacted_away_leads_to_a_list(
    plane: ControlPlane, account: Path
) -> None:
    image = an_image()
    put_scan(plane, image)
    with connect(kubeconfig=str(account)) as kube:
        late, reports = Late(kube), list[str]()
        scans = ClusterScans(late, report=reports.append)
        scans.start()
        wait_for(lambda: scans.refresh() or scans.heard_at is not None, SECONDS, "the second list")
        assert scans.current.find(parse(image)).scan is not None
        scans.stop()
    assert len(late.refusals) == 1
    assert "too old" in reports[0]


# -- Without the API server ------------------------------------------------------------------------


def test_a_replica_that_starts_while_the_api_server_is_away_decides_with_what_was_known(
    plane: ControlPlane, account: Path, line: Line, tmp_path: Path
) -> None:
    image, later = an_image(), an_image()
    put_scan(plane, image)
    kubeconfig = line.config(account, tmp_path)
    with replica(kubeconfig, tmp_path / "snapshot"):
        pass
    line.cut()
    put_scan(plane, later)
    with replica(kubeconfig, tmp_path / "snapshot", ready=False) as one:
        assert one.usable()
        assert (one.verdict(image), one.verdict(later)) == ("Conforms", None)
        assert 0 < one.store.age() < 60
        one.ahead += 601
        assert not one.usable()
        line.mend()
        one.eventually(lambda: one.verdict(later), "the cluster")
        one.eventually(one.usable, "the replica to be well again")


def test_without_a_snapshot_and_an_api_server_nothing_is_decided(
    account: Path, line: Line, tmp_path: Path
) -> None:
    kubeconfig = line.config(account, tmp_path)
    line.cut()
    with replica(kubeconfig, tmp_path, ready=False) as one:
        one.eventually(lambda: one.scans.trouble, "the trouble")
        assert not one.usable()
        assert one.message("Scans").startswith("has not been read yet: cannot list imagescans")
        line.mend()
        one.eventually(one.usable, "the cluster")


@pytest.mark.usefixtures("policy_gone")
def test_a_policy_that_is_broken_from_the_start_is_no_default(
    plane: ControlPlane, account: Path, tmp_path: Path
) -> None:
    put_policy(plane, pod={"home": {"claim": "-"}})
    with replica(account, tmp_path, ready=False) as one:
        one.eventually(lambda: one.scans.heard_at and one.policy.problems, "the fault")
        assert not one.usable()
        assert "notebookpolicies/default: spec.pod.home.claim" in one.message("Policy")
        put_policy(plane)
        one.eventually(one.usable, "the cure")
