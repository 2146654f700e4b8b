"""The rights that the leader's duties say they take are enough, and none of them is too much."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.accounts import Rights, documented_rights, grant, kubeconfig_of, without
from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.leadership import events_on, our_kinds, post, put_status
from tests.cluster.manifests import notebook, profile, stateful_set
from tests.cluster.waiting import wait_for
from tests.server.documents import scan
from webhook.controller import leading, notices, policystatus, refusals, touching, usage
from webhook.controller.leading import Leader
from webhook.controller.policystatus import PolicyStatusUpkeep
from webhook.controller.refusals import Refusals
from webhook.controller.touching import Touching
from webhook.controller.usage import ADMISSION, REQUESTED_BY, Usage
from webhook.controller.verdicts import Results
from webhook.core.document import format_time
from webhook.core.scan import scan_name
from webhook.kube import Event, Kube, connect
from webhook.kubeerrors import KubeError

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

GROUP = "/apis/nbgate.dev/v1alpha1"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
WAITING = "registry.example.com/rights/waiting:v1"
RUNNING = "registry.example.com/rights/running:v1"
DENIED = 'admission webhook "pods.nbgate.dev" denied the request: '
MONTH = 30 * 86_400.0

_NOTICES = documented_rights(notices.__doc__)
RIGHTS: dict[str, Rights] = {
    "touching": {**documented_rights(touching.__doc__), **_NOTICES},
    "refusals": {
        **_NOTICES,
        "events": [*documented_rights(refusals.__doc__)["events"], *_NOTICES["events"]],
    },
    "usage": documented_rights(usage.__doc__),
    "policies": documented_rights(policystatus.__doc__),
    "leading": documented_rights(leading.__doc__),
}
CASES = [
    (duty, kind, verb)
    for duty, rights in RIGHTS.items()
    for kind, verbs in rights.items()
    for verb in verbs
]


class Trial:
    """The duties, each as an account with some rights; `name` is the account's, and that of objects of its own."""

    def __init__(self, plane: ControlPlane, kube: Kube, namespace: str, name: str) -> None:
        self.plane, self.kube, self.namespace, self.name = plane, kube, namespace, name

    def touching(self) -> None:
        """Touch one StatefulSet, and look for the pod of another."""
        results = Results()
        for image in (WAITING, RUNNING):
            results.changed(Event("ADDED", scan(image, name=scan_name(image))))
        Touching(self.kube, results).run(time.time())

    def refusals(self) -> None:
        """Tell of a refusal that is there, and hold a watch."""
        message = f"{DENIED}image {self.name} is not admitted"
        event = {
            "metadata": {"name": self.name},
            "involvedObject": {"kind": "StatefulSet", "name": "nb", "namespace": self.namespace},
            "reason": "FailedCreate",
            "message": message,
            "lastTimestamp": format_time(time.time()),
        }
        post(self.plane, f"/api/v1/namespaces/{self.namespace}/events", event)
        # Its patience with a watch that is refused would take the test half a minute.
        ticks = itertools.count()
        duty = Refusals(self.kube, clock=lambda: time.monotonic() + 3 * next(ticks))
        try:
            wait_for(lambda: self._told(duty, message), 20, f"an event about {self.name}")
            for _ in range(20):
                duty.run(time.time())
                time.sleep(0.02)
        finally:
            duty.halt()

    def _told(self, duty: Refusals, message: str) -> bool:
        duty.run(time.time())
        said = [event["message"] for event in events_on(self.plane, self.namespace, "nb")]
        return message.removeprefix(DENIED) in said

    def usage(self) -> None:
        """Mark one result and delete another."""
        for image in (RUNNING, f"registry.example.com/{self.name}:v1"):
            name = f"{self.name}-{scan_name(image)}"
            document = scan(image)
            meta = {"name": name, "labels": {REQUESTED_BY: ADMISSION}}
            post(self.plane, f"{GROUP}/imagescans", {**document, "metadata": meta})
            put_status(self.plane, f"{GROUP}/imagescans/{name}", **document["status"])
        Usage(self.kube, prune_after=MONTH).run(time.time() + MONTH + 60)

    def policies(self) -> None:
        """Write the status of one policy."""
        kind = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "NotebookPolicy"}
        post(self.plane, f"{GROUP}/notebookpolicies", {**kind, "metadata": {"name": self.name}})
        PolicyStatusUpkeep(self.kube).run(time.time())

    def leading(self) -> None:
        """Take a Lease."""
        post(self.plane, LEASES, {"metadata": {"name": self.name}})
        leader = Leader(self.kube, self.name, "default", "here", [])
        leader.start()
        try:
            wait_for(lambda: leader.leading or leader.problem, 20, "the Lease")
        finally:
            leader.stop()
        if leader.problem:
            raise KubeError(leader.problem)


def outcome(plane: ControlPlane, directory: Path, namespace: str, duty: str, rights: Rights) -> str:
    """Do a duty once as an account with these rights; give the error, empty where all went well."""
    name = f"{duty}-{secrets.token_hex(4)}"
    kubeconfig = kubeconfig_of(plane, directory, name)
    grant(plane, name, rights)
    with connect(kubeconfig=str(kubeconfig)) as kube:
        try:
            getattr(Trial(plane, kube, namespace, name), duty)()
        except KubeError as error:
            return str(error)
    return ""


@pytest.fixture(scope="module")
def outcomes(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[tuple[str, str, str], str]]:
    """What each duty says without each of its rights, and with all of them, by the empty kind."""
    directory = tmp_path_factory.mktemp("accounts")
    found: dict[tuple[str, str, str], str] = {}

    def try_all(namespace: str, duty: str) -> None:
        # One after another: what one has done, the next need not do.
        for kind, verb in [(kind, verb) for one, kind, verb in CASES if one == duty] + [("", "")]:
            rights = without(RIGHTS[duty], kind, verb)
            found[duty, kind, verb] = outcome(control_plane, directory, namespace, duty, rights)

    with our_kinds(control_plane), profile_with_notebooks(control_plane) as namespace:
        with ThreadPoolExecutor(len(RIGHTS)) as threads:
            list(threads.map(lambda duty: try_all(namespace, duty), RIGHTS))
        yield found


@contextmanager
def profile_with_notebooks(plane: ControlPlane) -> Iterator[str]:
    """A namespace with a notebook whose pod cannot be created, and one that has a pod, which never gets ready."""
    name = f"profile-{secrets.token_hex(4)}"
    plane.create(*profile(name))
    wait_for(
        lambda: plane.admits_pods_of("default-editor", name),
        20,
        "the service account",
        ignoring=(RequestRefused,),
    )
    sets = f"/apis/apps/v1/namespaces/{name}/statefulsets"
    waits = stateful_set("nb", name, WAITING)
    waits["spec"]["template"]["spec"]["serviceAccountName"] = "nobody"
    made = notebook("nb", name, WAITING, version="v1")
    post(plane, f"/apis/kubeflow.org/v1/namespaces/{name}/notebooks", made)
    for each in (waits, stateful_set("runs", name, RUNNING)):
        post(plane, sets, each)
    wait_for(lambda: plane.get(f"{sets}/runs")["status"].get("replicas"), 20, "the pod")
    yield name
    plane.kubectl("delete", "namespace", name, "--wait=false")


@pytest.mark.parametrize("duty", RIGHTS)
def test_the_documented_rights_are_enough(
    outcomes: dict[tuple[str, str, str], str], duty: str
) -> None:
    assert outcomes[duty, "", ""] == ""


@pytest.mark.parametrize(("duty", "kind", "verb"), CASES)
def test_without_one_of_them_the_duty_fails_and_names_it(
    outcomes: dict[tuple[str, str, str], str], duty: str, kind: str, verb: str
) -> None:
    assert f"Role with verb {verb} on {kind}" in outcomes[duty, kind, verb]


def test_they_are_what_the_controller_is_granted() -> None:
    together: dict[str, set[str]] = {}
    for rights in RIGHTS.values():
        for kind, verbs in rights.items():
            together.setdefault(kind, set()).update(verbs)

    assert together == {
        "statefulsets.apps": {"list"},
        "statefulsets.apps/status": {"patch"},
        "pods": {"list"},
        "notebooks.kubeflow.org": {"get", "list"},
        "events": {"list", "watch", "create"},
        "imagescans.nbgate.dev": {"list", "delete"},
        "imagescans.nbgate.dev/status": {"update"},
        "notebookpolicies.nbgate.dev": {"list"},
        "notebookpolicies.nbgate.dev/status": {"update"},
        "leases.coordination.k8s.io": {"get", "update"},
    }
