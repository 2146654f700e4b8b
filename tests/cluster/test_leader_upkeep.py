"""The leader's duties for documents: when results were last used, which go, and what policies' status says."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.leadership import our_kinds, post, put_status
from tests.cluster.manifests import Document, notebook, stateful_set
from tests.server.documents import scan
from webhook.controller.policystatus import PolicyStatusUpkeep
from webhook.controller.usage import ADMISSION, REQUESTED_BY, Usage
from webhook.core.document import format_time
from webhook.core.policy import PolicyStatus
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import scan_name
from webhook.kube import IMAGE_SCANS, Kube, connect
from webhook.kubeerrors import Conflict

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("kinds")]

SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"
POLICIES = "/apis/nbgate.dev/v1alpha1/notebookpolicies"
DAY = 86_400.0


@pytest.fixture(scope="module")
def kinds(control_plane: ControlPlane) -> Iterator[None]:
    with our_kinds(control_plane):
        yield


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


class Shelf:
    """The ImageScans of one test."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self._run = secrets.token_hex(4)
        self._names: dict[str, str] = {}

    def image(self, what: str) -> str:
        return f"registry.example.com/{self._run}/{what}:v1"

    def holds(self, what: str, *, by: str = ADMISSION, **status: Any) -> str:
        """Create an ImageScan with a result, or with what is given in its place; give its digest."""
        document = scan(self.image(what))
        name = self._names[what] = scan_name(self.image(what))
        labels = {REQUESTED_BY: by} if by else {}
        created = {**document, "metadata": {"name": name, "labels": labels}}
        post(self.plane, SCANS, {key: created[key] for key in created if key != "status"})
        digest = f"sha256:{secrets.token_hex(32)}"
        past = format_time(time.time() - DAY)
        result = {**document["status"], "digest": digest, "scannedAt": past, "resolvedAt": past}
        put_status(self.plane, f"{SCANS}/{name}", **(status or result))
        return digest

    def found(self, what: str) -> Document | None:
        """Give the ImageScan, if there still is one."""
        try:
            return self.plane.get(f"{SCANS}/{self._names[what]}")
        except RequestRefused:
            return None

    def last_used(self, what: str) -> str | None:
        found = self.found(what)
        assert found is not None, what
        used: str | None = found["status"].get("lastUsedAt")
        return used

    def left(self) -> set[str]:
        return {what for what in self._names if self.found(what)}


@pytest.fixture
def shelf(control_plane: ControlPlane) -> Shelf:
    return Shelf(control_plane)


def run_pod(plane: ControlPlane, namespace: str, image: str, digest: str) -> None:
    """Create a notebook's pod that a kubelet would have found to be of this digest."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    container = {"name": "nb", "image": image}
    labels = {"notebook-name": "nb"}
    meta = {"name": "nb-0", "labels": labels}
    post(plane, path, {"metadata": meta, "spec": {"containers": [container]}})
    state = {"name": "nb", "image": image, "ready": True, "restartCount": 0}
    image_id = f"registry.example.com/elsewhere@{digest}"
    put_status(
        plane, f"{path}/nb-0", phase="Running", containerStatuses=[{**state, "imageID": image_id}]
    )


def violating() -> dict[str, Any]:
    """Make the status of an image that does not work."""
    past = format_time(time.time() - DAY)
    return {
        "phase": "Complete",
        "digest": f"sha256:{secrets.token_hex(32)}",
        "verdict": "Violates",
        "checks": [{"requirement": "uid-1000", "result": "Fail", "message": "root"}],
        "scannedAt": past,
        "resolvedAt": past,
    }


def test_what_is_in_use_is_marked_and_stays_and_what_is_not_goes_after_its_time(
    control_plane: ControlPlane, kube: Kube, namespace: str, shelf: Shelf
) -> None:
    running = shelf.holds("running")
    for what in ("pinned", "stopped", "resting", "unused"):
        shelf.holds(what)
    shelf.holds("refused", **violating())
    shelf.holds("persons", by="")
    shelf.holds("absent", phase="Failed", attempts=9)
    run_pod(control_plane, namespace, "registry.example.com/other:v2", running)
    pinned = stateful_set("pinned", namespace, f"{shelf.image('pinned')}@sha256:{'f' * 64}")
    stopped = stateful_set("stopped", namespace, shelf.image("stopped"))
    for made in (pinned, stopped):
        made["spec"]["replicas"] = 0
        post(control_plane, f"/apis/apps/v1/namespaces/{namespace}/statefulsets", made)
    for what in ("resting", "refused"):
        made = notebook(what, namespace, shelf.image(what), version="v1")
        post(control_plane, f"/apis/kubeflow.org/v1/namespaces/{namespace}/notebooks", made)
    duty = Usage(kube, prune_after=30 * DAY)
    used = {"running", "pinned", "stopped", "resting", "refused"}
    now = time.time()

    duty.run(now)

    assert shelf.left() == used | {"unused", "persons", "absent"}
    assert {shelf.last_used(what) for what in used} == {format_time(now)}
    assert {shelf.last_used(what) for what in ("unused", "persons")} == {None}
    versions = versions_of(control_plane, SCANS)
    duty.run(now + 3600)
    assert versions_of(control_plane, SCANS) == versions
    Usage(kube, prune_after=None).run(now + DAY + 60)
    assert shelf.left() == used | {"unused", "persons"}
    assert {shelf.last_used(what) for what in used} == {format_time(now + DAY + 60)}
    duty.run(now + DAY + 61)
    assert shelf.left() == used | {"persons"}
    duty.run(now + 300 * DAY)
    assert shelf.left() == used | {"persons"}
    control_plane.kubectl("delete", "notebook", "resting", "-n", namespace)
    duty.run(now + 300 * DAY + 60)
    # Seen in use a minute before, though nobody uses it now.
    assert shelf.left() == used | {"persons"}
    duty.run(now + 331 * DAY)
    assert shelf.left() == used - {"resting"} | {"persons"}


def test_what_has_changed_since_it_was_looked_at_is_not_deleted(
    control_plane: ControlPlane, kube: Kube, shelf: Shelf
) -> None:
    shelf.holds("unused")
    seen = shelf.found("unused")
    assert seen is not None
    name = seen["metadata"]["name"]
    control_plane.kubectl("label", "imagescan", name, "team=a")

    with pytest.raises(Conflict, match=f"cannot delete imagescans.nbgate.dev {name}: "):
        kube.delete(IMAGE_SCANS, name, None, grace=0, seen=seen)

    assert shelf.left() == {"unused"}
    changed = shelf.found("unused")
    kube.delete(IMAGE_SCANS, name, None, grace=0, seen=changed)
    assert shelf.left() == set()


# -- policies -------------------------------------------------------------------------------------


@pytest.fixture
def policy(control_plane: ControlPlane) -> Iterator[Policies]:
    policies = Policies(control_plane)
    yield policies
    control_plane.kubectl("delete", "notebookpolicies", "--all")


class Policies:
    """The NotebookPolicies of one test."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def create(self, name: str, **spec: Any) -> None:
        kind = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "NotebookPolicy"}
        post(self.plane, POLICIES, {**kind, "metadata": {"name": name}, "spec": spec})

    def status(self, name: str) -> PolicyStatus:
        return PolicyStatus.model_validate(self.plane.get(f"{POLICIES}/{name}")["status"])


def test_the_status_of_policies_says_what_they_are(
    control_plane: ControlPlane, kube: Kube, policy: Policies
) -> None:
    policy.create("default", requirements={"nb-prefix": "Warn"})
    policy.create("other", requirements=dict.fromkeys(REQUIREMENTS, "Audit"))
    everywhere = {"name": "a", "reason": "r", "expires": "2027-01-01"}
    policy.create("wrong", exemptions=[everywhere], stale={"after": "0h"})
    duty = PolicyStatusUpkeep(kube)

    duty.run(time.time())

    default, other, wrong = (policy.status(name) for name in ("default", "other", "wrong"))
    assert (default.mode, default.valid, default.in_force) == ("Deny", True, True)
    assert (other.mode, other.valid, other.in_force) == ("Audit", True, False)
    assert (wrong.mode, wrong.valid, wrong.in_force) == (None, False, False)
    [condition] = wrong.conditions
    assert (condition.type, condition.status) == ("Valid", "False")
    assert "spec.stale.after: " in condition.message
    assert "spec.exemptions[0]: names neither namespaces nor images" in condition.message
    versions = versions_of(control_plane, POLICIES)
    duty.run(time.time() + 100)
    assert versions_of(control_plane, POLICIES) == versions


def test_a_change_shows_within_one_run(
    control_plane: ControlPlane, kube: Kube, policy: Policies
) -> None:
    policy.create("default")
    duty = PolicyStatusUpkeep(kube)
    duty.run(1_800_000_000)
    patch = '{"spec": {"requirements": {"uid-1000": "Warn"}, "acceptRewrite": false}}'
    control_plane.kubectl("patch", "notebookpolicy", "default", "--type=merge", "-p", patch)

    duty.run(1_800_000_100)

    status = policy.status("default")
    assert status.observed_generation == 2
    assert status.conditions[0].last_transition_time == format_time(1_800_000_000)


def versions_of(plane: ControlPlane, path: str) -> dict[str, str]:
    items = plane.get(path)["items"]
    return {item["metadata"]["name"]: item["metadata"]["resourceVersion"] for item in items}
