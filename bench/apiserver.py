"""Pods created through a real API server: with no webhook, with those that answer a constant, with nbgate.

They are namespaces of one control plane, of which each has its own webhook configurations, so that they are asked in
turn within seconds. The API server and etcd run alone: no controller, no node. What was created is deleted between the
runs. One constant is `allowed`; the other has the patch of nbgate in it, which costs the API server something too.
"""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import orjson

from bench.apiobjects import configurations, namespace, pod, pods
from bench.child import CouldNotMeasure, Running, processor_seconds
from bench.corpus import make_scans, write_folder
from bench.load import Post, put
from bench.measure import Run
from bench.servers import Servers
from tests.cluster.cluster import KubectlFailed
from tests.cluster.component import ComponentEnded
from tests.cluster.controlplane import ControlPlane
from tests.cluster.discovery import Absent, Misconfigured, Programs, find_kubernetes
from tests.cluster.enforcement import in_force
from tests.cluster.identities import ADMIN
from webhook.core.decision import Snapshot, mutate
from webhook.core.document import format_time
from webhook.core.review import parse_review
from webhook.core.verdict import build_index

NONE, CONSTANT, PATCH, GATE = "none", "constant", "patch", "nbgate"
CLIENTS = (1, 16)
# generateName draws one of 27^5 names, and before Kubernetes 1.30 does not draw again where it is taken: of the few
# thousand pods of a run that befalls one in every third run. Many more would be another fault.
_NAMES_TAKEN = 0.002

Runs = Mapping[tuple[str, int], Sequence[Run]]


@cache
def _programs() -> Programs | str:
    """Find the programs of a control plane, built where they are missing; else the reason."""
    # A cluster of somebody's own is not to be loaded, and could not reach these webhooks.
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    try:
        found = find_kubernetes(environment, lambda line: print(line, file=sys.stderr))
    except Misconfigured as error:
        return str(error)
    match found:
        case Programs():
            # Without controllers, which would look at every pod.
            return replace(found, controller_manager=None)
        case Absent():
            return found.reason
        case _:
            return "there is a cluster, and it is not the measurement's own"


def unready() -> str:
    """Tell why no API server can be started here, nothing where it can."""
    found = _programs()
    return "" if isinstance(found, Programs) else f"it needs a Kubernetes: {found}"


def version() -> str:
    """Name the API server's version: the major and the minor part."""
    found = _programs()
    return ".".join(map(str, found.version)) if isinstance(found, Programs) else "none"


def create_pods(folder: Path, rounds: int) -> Runs:
    """Create pods in every namespace in turn, for a second each, round for round. Raises CouldNotMeasure.

    Many short rounds, every other one backwards: what the API server and etcd clean up after one namespace falls into
    the time of the next, and a machine has slow spells of some seconds.
    """
    try:
        with _setting(folder) as setting:
            return _create(setting, rounds)
    except (ComponentEnded, KubectlFailed, OSError) as error:
        raise CouldNotMeasure(f"apiserver: {error}") from error


def _create(setting: "_Setting", rounds: int) -> Runs:
    for name in setting.names:
        setting.check(name)
        setting.create(name, max(CLIENTS), 1)  # for warming up
    runs: dict[tuple[str, int], list[Run]] = {}
    for number in range(rounds):
        names = setting.names if number % 2 else setting.names[::-1]
        for clients in CLIENTS:
            for name in names:
                run = setting.create(name, clients, 1)
                runs.setdefault((name, clients), []).append(run)
    return runs


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """A control plane with a namespace for each of the servers, by name, and one for none."""

    plane: ControlPlane
    servers: Mapping[str, Running]
    folder: Path

    @property
    def names(self) -> Sequence[str]:
        """What there is to compare."""
        return (NONE, *self.servers)

    def check(self, name: str) -> None:
        """Make sure that the namespace has the webhook that it is to have. Raises CouldNotMeasure."""
        answer = self.plane.request("POST", f"{pods(name)}?dryRun=All", pod(name))
        if answer.status != 201:
            raise CouldNotMeasure(f"apiserver: {answer.status} {answer.text[:500]}")
        context = answer.document["spec"]["containers"][0].get("securityContext", {})
        if ("runAsUser" in context) != (name in {GATE, PATCH}):
            raise CouldNotMeasure(f"apiserver: a pod in {name} has the securityContext {context}")

    def create(self, name: str, clients: int, seconds: int) -> Run:
        """Create pods for some seconds, and delete them."""
        body = self.folder / f"{name}.json"
        body.write_bytes(orjson.dumps(pod(name)))
        url = f"{self.plane.url}{pods(name)}"
        headers = {"Authorization": f"Bearer {ADMIN.token}"}
        post = Post(url=url, body=body, headers=headers, may_fail=_NAMES_TAKEN)
        before, own = self._processor_seconds(), self._webhook_seconds(name)
        load = put(post, connections=clients, seconds=seconds)
        run = Run(
            load=load,
            processor=self._processor_seconds() - before,
            webhook=self._webhook_seconds(name) - own,
        )
        answer = self.plane.request("DELETE", pods(name))
        if answer.status != 200:
            raise CouldNotMeasure(f"apiserver: {answer.status} {answer.text[:500]}")
        return run

    def _webhook_seconds(self, name: str) -> float:
        server = self.servers.get(name)
        return processor_seconds(server.process) if server else 0.0

    def _processor_seconds(self) -> float:
        programs = [self.plane.component(name).pid for name in ("kube-apiserver", "etcd")]
        webhooks = [server.process for server in self.servers.values()]
        return sum(map(processor_seconds, [*programs, *webhooks]))


@contextmanager
def _setting(folder: Path) -> Iterator[_Setting]:
    programs = _programs()
    if not isinstance(programs, Programs):
        raise CouldNotMeasure(f"apiserver: {unready()}")
    scans = write_folder(folder / "scans", 1, in_a_file=1)
    servers = Servers(folder / "servers", alone=False)
    authority = (servers.certificates / "ca.crt").read_bytes()
    (folder / "plane").mkdir()
    with ExitStack() as stack:
        plane = stack.enter_context(ControlPlane(programs, folder / "plane"))
        plane.create(*(namespace(name) for name in (NONE, CONSTANT, PATCH, GATE)))
        patch = folder / "patch.json"
        patch.write_bytes(_patch(plane))
        running = {
            CONSTANT: servers.bare(stack, "worker"),
            PATCH: servers.bare(stack, "worker", patch),
            GATE: servers.nbgate(stack, scans),
        }
        found = [c for name, r in running.items() for c in configurations(name, r, authority)]
        stack.enter_context(in_force(plane, *found))
        yield _Setting(plane=plane, servers=running, folder=folder)


def _patch(plane: ControlPlane) -> bytes:
    """Find out how nbgate patches the pod, as the API server sends it once it has its defaults."""
    made = plane.request("POST", f"{pods(NONE)}?dryRun=All", pod(NONE)).document
    known = Snapshot(scans=build_index(make_scans(1, format_time(time.time()))))
    request = {
        "uid": "0",
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": made["metadata"]["namespace"],
        "object": made,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return orjson.dumps(mutate(parse_review(orjson.dumps(review)), known).patch)
