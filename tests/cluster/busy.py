"""Notebook pods created at a steady pace on the deployed nbgate, and what counts as lost.

Lost is a request that the API server refused because it could not ask nbgate (`calling_webhook_error` in its metrics,
for the validating side, which fails closed), and one that it let by unasked (in its log, for the mutating side, which
fails open: no metric tells of that before 1.22). Beside both stands that every pod came out patched.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from tests.cluster.controlplane import RequestRefused
from tests.cluster.deployed import Deployed
from tests.cluster.gate import container, env
from tests.cluster.manifests import Document, pod_of, profile, stateful_set
from tests.cluster.paced import Creation, Load, creating
from tests.cluster.waiting import wait_for
from tests.cluster.webhookcalls import Calls, calls
from tests.images.building import push
from webhook.core.scan import scan_name

PACE = 20.0  # creations a second
PROFILE = "team-busy"
PODS = f"/api/v1/namespaces/{PROFILE}/pods"
SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"
MUTATE, VALIDATE = "mutate.pods.nbgate.dev", "pods.nbgate.dev"
SECONDS = 180  # for anything to be over; a rotation takes 75
BUSY = 0.8  # of the pace, on a machine that does other things besides


@dataclass(slots=True)
class Busy:
    """Pods that were created for some time, what the API server said of its calls, and when something was done."""

    load: Load
    begin: float
    end: float = 0.0
    calls: Calls = field(default_factory=lambda: Calls(made={}, failed={}, complaints=()))
    windows: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Note when that was done: from the begin of the context until a second after its end."""
        begin = time.monotonic()
        yield
        self.load.wait(int(PACE), SECONDS)
        self.windows[what] = begin, time.monotonic()

    def creations(self, what: str = "") -> list[Creation]:
        """Return the requests that were under way while that was done, by default all."""
        begin, end = self.windows.get(what, (self.begin, self.end))
        return [one for one in self.load.creations if one.at + one.seconds > begin and one.at < end]

    def assert_nothing_lost(self, what: str = "") -> None:
        """Check that meanwhile all were granted and patched, and that the pace was kept: else nothing could be lost."""
        found = self.creations(what)
        begin, end = self.windows.get(what, (self.begin, self.end))
        lost, slipped = refusals(found, begin), unpatched(found)
        assert not lost, lost
        assert not slipped, slipped
        assert len(found) > PACE * (end - begin) * BUSY

    def assert_no_call_failed(self) -> None:
        """Check what the API server says of all the time: it asked about every pod, and had an answer each time."""
        assert not self.calls.failed, self.calls
        assert not self.calls.complaints, self.calls
        count = sum(one.created for one in self.load.creations)
        assert self.calls.made[MUTATE] >= count
        assert self.calls.made[VALIDATE] >= count


def refusals(creations: list[Creation], begin: float) -> list[tuple[float, int, str]]:
    """Return what was not granted: when, in seconds from `begin` on; the status; the end of what was said."""
    others = sorted((one for one in creations if not one.created), key=lambda one: one.at)
    return [(round(one.at - begin, 1), one.status, one.text[-400:]) for one in others]


def unpatched(creations: list[Creation]) -> list[str]:
    """Return the names of pods that were created and not patched."""
    made = [one.pod for one in creations if one.created]
    return [pod["metadata"]["name"] for pod in made if not _patched(pod)]


def _patched(pod: Document) -> bool:
    name = pod["metadata"]["labels"]["notebook-name"]
    made = container(pod, name)
    prefix = f"/notebook/{PROFILE}/{name}"
    return "@sha256:" in made["image"] and env(made)["NB_PREFIX"] == prefix


@contextmanager
def busy(deployed: Deployed, image: str) -> Iterator[Busy]:
    """Create notebook pods of an image for as long as the context is open, and a second before and after."""
    plane = deployed.node.plane
    before = calls(plane)
    with creating(plane, lambda name: unplaced(image, name), per_second=PACE) as load:
        load.wait(int(PACE), SECONDS)
        seen = Busy(load=load, begin=time.monotonic())
        yield seen
        load.wait(int(PACE), SECONDS)
        seen.end = time.monotonic()
    seen.calls = calls(plane).since(before)


def unplaced(image: str, name: str) -> Document:
    """Return a notebook's pod that no node can run."""
    pod = pod_of(stateful_set(name, PROFILE, image, claim=False))
    pod["spec"]["nodeSelector"] = {"nbgate.dev/of-no-node": "true"}
    return pod


def known_image(deployed: Deployed, layout: Path) -> str:
    """Push an image that conforms, ask for its scan as a person would, and make a profile; return its name."""
    plane = deployed.node.plane
    name = f"{deployed.node.registry.host}/busy/conforming:v1"
    push(layout, name)
    scan = {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": scan_name(name)},
        "spec": {"image": name},
    }
    plane.create(*profile(PROFILE), scan)
    _until(lambda: plane.admits_pods_of("default-editor", PROFILE), "the service account")
    path = f"{SCANS}/{scan_name(name)}"
    _until(lambda: plane.get(path).get("status", {}).get("verdict") == "Conforms", "the verdict")
    tried = f"{PODS}?dryRun=All", unplaced(name, "first")
    _until(
        lambda: plane.request("POST", *tried).status == HTTPStatus.CREATED, "admission to know it"
    )
    return name


def _until(predicate: Callable[[], bool], what: str) -> None:
    wait_for(predicate, SECONDS, what, ignoring=(RequestRefused,))
