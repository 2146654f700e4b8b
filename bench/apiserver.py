"""Pods created through a real API server: with no webhook, with those that answer a constant, with nbgate.

They are namespaces of one control plane, of which each has its own webhook configurations, so that they are asked in
turn within seconds. The API server and etcd run alone: no controller, no node. What was created is deleted between the
runs.

A patch costs the API server much, whoever sends it. So nbgate stands beside a webhook that answers, always, what nbgate
answers to that pod; and, where it has nothing to patch, beside one that answers `allowed`. The pods that are stored are
the same in all namespaces: to those without a patch goes what comes of one.
"""

import base64
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import orjson

from bench.apiobjects import configurations, namespace, pod, pods
from bench.asking import response_of
from bench.child import CouldNotMeasure, Running, processor_seconds
from bench.corpus import write_folder
from bench.load import Post, put
from bench.measure import Run
from bench.servers import Servers
from tests.cluster.cluster import KubectlFailed
from tests.cluster.component import ComponentEnded
from tests.cluster.controlplane import ControlPlane
from tests.cluster.discovery import Absent, Misconfigured, Programs, find_kubernetes
from tests.cluster.enforcement import in_force
from tests.cluster.identities import ADMIN
from tests.cluster.manifests import Document
from webhook.core.patch import apply_patch

NONE, ALLOWED, CONSTANT, WORKER = "none", "allowed", "constant", "worker"
GATE, RIGHT = "nbgate", "nbgate-right"
# Where the pod is as the controller makes it, and patched on the way.
_PATCHED = (CONSTANT, WORKER, GATE)
# Of gunicorn's gthread. It would stall with as few as nbgate has: the API server opens more connections than it uses,
# keeps 25, and each of those that never ask anything holds a thread.
_THREADS = 64
CLIENTS = (1, 16)
_FLAGS = (
    # Of what was created and deleted the API server would keep the last 100,000 events, a gigabyte and more, and its
    # garbage collector take both processors for every third second.
    "--watch-cache-sizes=pods#0",
    # One is the default: for each second of creating there would be three of deleting.
    "--delete-collection-workers=4",
)
# generateName draws one of 27^5 names, and before Kubernetes 1.30 does not draw again where it is taken: of the few
# thousand pods of a run that befalls one in every third run: one of the hundred that a slow second has. More would be
# another fault.
_NAMES_TAKEN = 0.01

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
    """A control plane with a namespace for each of the servers, by name, and one for none.

    Attributes:
        pods: what is created in each.

    """

    plane: ControlPlane
    servers: Mapping[str, Running]
    pods: Mapping[str, Document]
    folder: Path

    @property
    def names(self) -> Sequence[str]:
        """What there is to compare."""
        return tuple(self.pods)

    def check(self, name: str) -> None:
        """Make sure that the namespace's pods come out as nbgate makes them. Raises CouldNotMeasure."""
        made, expected = (self._spec(each) for each in (name, NONE))
        if made != expected:
            raise CouldNotMeasure(
                f"apiserver: a pod in {name} has the spec {made!r}, not {expected!r}"
            )

    def _spec(self, name: str) -> bytes:
        """Give what comes of the namespace's pods, but for its name, which NB_PREFIX has in it."""
        spec = _tried(self.plane, name, self.pods[name])["spec"]
        return orjson.dumps(spec).replace(namespace(name)["metadata"]["name"].encode(), b"")

    def create(self, name: str, clients: int, seconds: int) -> Run:
        """Create pods for some seconds, and delete them."""
        body = self.folder / f"{name}.json"
        body.write_bytes(orjson.dumps(self.pods[name]))
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
        webhooks = {server.process for server in self.servers.values()}
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
        plane = ControlPlane(programs, folder / "plane", apiserver_flags=_FLAGS)
        stack.enter_context(plane)
        plane.create(*(namespace(name) for name in (NONE, ALLOWED, CONSTANT, WORKER, GATE, RIGHT)))
        gate = servers.nbgate(stack, scans)
        answers = folder / "answers.json"
        answers.write_bytes(orjson.dumps(_answers(gate, plane)))
        running = {
            ALLOWED: servers.bare(stack, "gthread", threads=_THREADS),
            CONSTANT: servers.bare(stack, "gthread", answers, threads=_THREADS),
            WORKER: servers.bare(stack, "worker", answers),
            GATE: gate,
            RIGHT: gate,
        }
        found = [c for name, r in running.items() for c in configurations(name, r, authority)]
        stack.enter_context(in_force(plane, *found))
        sent = {
            name: pod(name) if name in _PATCHED else _patched(pod(name), _mutation(gate, pod(name)))
            for name in (NONE, *running)
        }
        yield _Setting(plane=plane, servers=running, pods=sent, folder=folder)


def _answers(gate: Running, plane: ControlPlane) -> Mapping[str, Document]:
    """Find out what nbgate answers about the pod, to each path, as the API server would ask."""
    made = _tried(plane, NONE, pod(NONE))
    mutation = _mutation(gate, made)
    return {
        "/mutate": mutation,
        "/validate": response_of(gate.port, "/validate", _review(_patched(made, mutation))),
    }


def _tried(plane: ControlPlane, name: str, sent: Document) -> Document:
    """Give what comes of a pod in the namespace, without creating it. Raises CouldNotMeasure."""
    answer = plane.request("POST", f"{pods(name)}?dryRun=All", sent)
    if answer.status != 201:
        raise CouldNotMeasure(f"apiserver: {answer.status} {answer.text[:500]}")
    return answer.document


def _mutation(gate: Running, sent: Document) -> Document:
    return response_of(gate.port, "/mutate", _review(sent))


def _patched(sent: Document, mutation: Document) -> Document:
    return apply_patch(sent, orjson.loads(base64.b64decode(mutation["patch"])))


def _review(sent: Document) -> bytes:
    request = {
        "uid": "0",
        "operation": "CREATE",
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": sent["metadata"]["namespace"],
        "object": sent,
    }
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
    return orjson.dumps(review)
