"""What happens to two notebooks whose images nobody has seen before, one that works and one that does not.

It is played once, on the deployed nbgate, by the means of the people who take part: the spawner creates a Notebook,
notebook-controller its StatefulSet, and from then on nobody does anything but look.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.cluster.controlplane import RequestRefused
from tests.cluster.deployed import Deployed
from tests.cluster.manifests import Document, notebook, profile, stateful_set_of
from tests.cluster.waiting import wait_for
from tests.images.building import push
from webhook.core.scan import scan_name

NAMESPACE = "team-story"
GOOD, BAD = "lab", "odd"  # the notebooks
IMAGES = {GOOD: "jupyterlab", BAD: "not-uid-1000"}
SCAN_SECONDS = 120  # both at once, pulled and started on two cores
START_SECONDS = 60
NOT_YET = (RequestRefused, httpx.TransportError)
SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What was seen.

    Attributes:
        images: the images' names, by the notebooks'.
        spawner: what kubectl said when the Notebooks were created.
        moments: when it was seen first, on the monotonic clock, in their order: `refused`, `verdict`, `created` (the
            pod), `running`, `answered`.
        pod: the pod that started.
        answer: to GET under the prefix.
    """

    images: Mapping[str, str]
    spawner: str
    moments: Mapping[str, float]
    pod: Document
    answer: httpx.Response
    deployed: Deployed

    def scan(self, name: str) -> Document:
        """Return the ImageScan of a notebook's image."""
        return self.deployed.node.plane.get(f"{SCANS}/{scan_name(self.images[name])}")

    def events(self, name: str, kind: str) -> list[Document]:
        """Return the Events about an object of a notebook's name, the oldest first."""
        return events(self.deployed, name, kind)


def play(deployed: Deployed, layouts: Mapping[str, Path]) -> Story:
    """Create both notebooks and look on until one answers and the other was refused for what it is."""
    plane = deployed.node.plane
    registry = deployed.node.registry.host
    images = {name: f"{registry}/story/{image}:v1" for name, image in IMAGES.items()}
    for name, image in images.items():
        push(layouts[IMAGES[name]], image)
    plane.create(*profile(NAMESPACE))
    wait_for(
        lambda: plane.admits_pods_of("default-editor", NAMESPACE),
        30,
        "the account",
        ignoring=NOT_YET,
    )
    notebooks = [notebook(name, NAMESPACE, image, claim=False) for name, image in images.items()]
    spawner = plane.create(*notebooks).stderr
    plane.create(*(stateful_set_of(one) for one in notebooks))

    moments: dict[str, float] = {}
    wait_for(lambda: events(deployed, GOOD, "StatefulSet"), START_SECONDS, "a refusal")
    moments["refused"] = time.monotonic()
    scan = f"{SCANS}/{scan_name(images[GOOD])}"
    wait_for(
        lambda: plane.get(scan).get("status", {}).get("verdict"),
        SCAN_SECONDS,
        "the verdict",
        ignoring=NOT_YET,
    )
    moments["verdict"] = time.monotonic()
    path = f"/api/v1/namespaces/{NAMESPACE}/pods/{GOOD}-0"
    wait_for(lambda: plane.get(path), START_SECONDS, "the notebook's pod", ignoring=NOT_YET)
    moments["created"] = time.monotonic()
    wait_for(lambda: plane.get(path)["status"]["phase"] == "Running", START_SECONDS, "it to run")
    moments["running"] = time.monotonic()
    pod = plane.get(path)
    answer = wait_for(
        lambda: _answer(pod["status"]["podIP"]), START_SECONDS, "its server", ignoring=NOT_YET
    )
    moments["answered"] = time.monotonic()
    wait_for(
        lambda: any("[uid-1000]" in e["message"] for e in events(deployed, BAD, "Notebook")),
        SCAN_SECONDS,
        "the other one to be refused for its image",
    )
    return Story(
        images=images, spawner=spawner, moments=moments, pod=pod, answer=answer, deployed=deployed
    )


def events(deployed: Deployed, name: str, kind: str) -> list[Document]:
    """Return the Events about an object in the story, the oldest first."""
    path = f"/api/v1/namespaces/{NAMESPACE}/events?fieldSelector=involvedObject.kind={kind},involvedObject.name={name}"
    items: list[Document] = deployed.node.plane.get(path)["items"]
    return sorted(items, key=lambda event: str(event["metadata"]["creationTimestamp"]))


def _answer(address: str) -> httpx.Response | None:
    """Ask as Istio does, under the prefix; None until the answer is 200."""
    url = f"http://{address}:8888/notebook/{NAMESPACE}/{GOOD}/"
    answer = httpx.get(url, follow_redirects=True, trust_env=False, timeout=10)
    return answer if answer.status_code == httpx.codes.OK else None
