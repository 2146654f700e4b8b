"""[replicas] Every replica says that it is ready, and why not where it is not."""

import json
from collections.abc import Iterator

from webhook.core.words import cut
from webhook.doctor.certificate import replica_of
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, unknown, warning
from webhook.doctor.place import Place
from webhook.doctor.reading import objects, text
from webhook.doctor.served import Replica, readiness
from webhook.doctor.site import Site
from webhook.doctor.workloads import COMPONENTS, running_pods
from webhook.kubeerrors import KubeError

_PORTS = {"webhook": ("https", 8443), "controller": ("http", 8080)}


def judge(pod: str, body: bytes, place: Place) -> Iterator[Finding]:
    """Judge what `/readyz` said."""
    where, cure = f"pod/{pod}", f"{place.here} logs {pod} --tail=20"
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        yield unknown("answers /readyz with something that is not nbgate's", where, cure)
        return
    conditions = objects(told, "conditions")
    failing = [c for c in conditions if c.get("status") == "False"]
    for condition in failing:
        message = cut(text(condition, "message"), 300)
        yield warning(f"{text(condition, 'type')}: {message}", where, cure)
    if not failing:
        yield ok(f"says that it is ready ({len(conditions)} conditions)", where)


def _look(site: Site) -> Iterator[Finding]:
    for component, deployment in COMPONENTS.items():
        name, default = _PORTS[component]
        running = running_pods(site, component)
        if not running:
            yield unknown("no pod runs, so none can be asked", f"deployment/{deployment}")
        for pod in running:
            yield from _one(site, replica_of(site, pod, name, default), tls=component == "webhook")


def _one(site: Site, replica: Replica, *, tls: bool) -> Iterator[Finding]:
    try:
        body = readiness(replica, tls=tls)
    except KubeError as error:
        cure = f"{site.place.here} logs {replica.pod} --tail=20"
        yield unknown(str(error), f"pod/{replica.pod}", cure)
        return
    yield from judge(replica.pod, body, site.place)


CHECK = Check(
    id="replicas",
    why="A replica that is not ready gets no requests, and what it says of itself is shown nowhere else.",
    look=_look,
)
