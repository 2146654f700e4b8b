"""[workloads] Both Deployments run, in this version, and a PodDisruptionBudget keeps them during drains."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import CONTROLLER, WEBHOOK, Place
from webhook.doctor.reading import mapping, name_of, number, objects, text
from webhook.doctor.site import Site
from webhook.kube import DEPLOYMENTS, PODS, Document

COMPONENTS = {"webhook": WEBHOOK, "controller": CONTROLLER}


def pods_of(site: Site, component: str) -> Sequence[Document]:
    """Give a component's pods. Raises KubeError."""
    labels = f"app.kubernetes.io/name=nbgate,app.kubernetes.io/component={component}"
    return site.all(PODS, site.place.namespace, labels)


def running_pods(site: Site, component: str) -> Sequence[Document]:
    """Give those whose containers run, ready or not. Raises KubeError."""
    return [
        pod
        for pod in pods_of(site, component)
        if text(pod, "status", "phase") == "Running"
        and not text(pod, "metadata", "deletionTimestamp")
    ]


def judge(
    component: str, deployment: Document | None, pods: Sequence[Document], place: Place
) -> Iterator[Finding]:
    """Judge a Deployment, None where it is not there, and its pods."""
    name = COMPONENTS[component]
    where = f"deployment/{name}"
    if deployment is None:
        yield wrong(f"is not in namespace {place.namespace}", where, place.install)
        return
    wanted = number(deployment, "spec", "replicas")
    available = number(deployment, "status", "availableReplicas")
    logs = f"{place.here} logs deployment/{name} --tail=20"
    if not wanted:
        cure = f"{place.here} scale deployment {name} --replicas={REPLICAS[component]}"
        yield wrong("is scaled to 0", where, cure)
    elif not available:
        yield wrong(f"0 of {wanted} replicas are available", where, logs)
    elif available < wanted:
        yield warning(f"{available} of {wanted} replicas are available", where, logs)
    else:
        yield ok(f"{available} of {wanted} replicas are available", where)
    if component == "webhook" and wanted == 1:
        cure = f"{place.here} scale deployment {name} --replicas={REPLICAS[component]}"
        yield warning("has one replica: a drained node is an outage", where, cure)
    yield from _version(component, deployment, place, where)
    for pod in pods:
        yield from _pod(component, pod, place)


# What deploy/ installs; a test holds them equal.
REPLICAS = {"webhook": 3, "controller": 2}


def _version(component: str, deployment: Document, place: Place, where: str) -> Iterator[Finding]:
    containers = objects(deployment, "spec", "template", "spec", "containers")
    image = next((text(c, "image") for c in containers if c.get("name") == component), "")
    told = _VERSION.search(image.partition("@")[0])
    if told is None:
        yield ok(f"runs {cut(image, 200)}, which tells no version", where)
    elif told[1] == place.version:
        yield ok(f"runs version {place.version}", where)
    else:
        what = f"runs {cut(image, 200)}, and this is nbgate {place.version}: what follows may not hold for it"
        yield warning(what, where, place.install)


# A tag that is a version, with or without a `v` in front; a team's own tags tell nothing.
_VERSION = re.compile(r":v?(\d+\.\d+\.\d+[^:/]*)$")


def _pod(component: str, pod: Document, place: Place) -> Iterator[Finding]:
    name, where = name_of(pod), f"pod/{name_of(pod)}"
    if text(pod, "metadata", "deletionTimestamp"):
        return
    conditions = objects(pod, "status", "conditions")
    ready = next((c for c in conditions if c.get("type") == "Ready"), {})
    if ready.get("status") == "True":
        return
    describe = f"{place.here} describe pod {name}"
    for status in objects(pod, "status", "containerStatuses"):
        if status.get("name") == component:
            yield warning(f"is not ready: {_state(status)}", where, describe)
            return
    scheduled = next((c for c in conditions if c.get("type") == "PodScheduled"), {})
    why = text(scheduled, "message") or text(pod, "status", "phase") or "nothing is known of it"
    yield warning(f"is not ready: {cut(why, 200)}", where, describe)


def _state(status: Mapping[str, Any]) -> str:
    waiting = mapping(status, "state", "waiting")
    ended = mapping(status, "state", "terminated") or mapping(status, "lastState", "terminated")
    if waiting:
        said = f"{text(waiting, 'reason')} {text(waiting, 'message')}".strip()
        if not ended or not text(waiting, "reason").startswith("CrashLoop"):
            return cut(said, 200)
    if ended:
        return f"its container ended with exit code {number(ended, 'exitCode')}"
    return "its container runs, and does not say that it is ready"


def _look(site: Site) -> Iterator[Finding]:
    for component, name in COMPONENTS.items():
        deployment = site.ours(DEPLOYMENTS, name)
        pods = pods_of(site, component) if deployment else []
        yield from judge(component, deployment, pods, site.place)


CHECK = Check(
    id="workloads",
    why="Nobody answers the API server without the webhook's pods, and nothing is scanned without the controller's.",
    look=_look,
)
