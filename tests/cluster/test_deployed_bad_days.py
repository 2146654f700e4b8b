"""While notebook pods are created at 20 a second, what a platform team does to nbgate, or the day does, loses none.

`busy.py` tells what counts as lost.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.cluster.busy import PACE, SECONDS, Busy, busy, known_image, refusals, unpatched
from tests.cluster.controlplane import OWN_NAMESPACE
from tests.cluster.deployed import WEBHOOK, Deployed, restart_count
from tests.cluster.manifests import Document
from tests.cluster.paced import Creation
from tests.cluster.waiting import wait_for
from tests.images.machine import require_images

pytestmark = pytest.mark.cluster

# Until no new connection goes to a dead replica any more; a second or two are usual.
KILL_SECONDS = 6.0
ROTATE = (
    str(Path(sys.executable).with_name("nbgate")),
    "certs",
    "rotate",
    "--now",
    "--wait",
    "--timeout=3m",
)
SERVING = f"/api/v1/namespaces/{OWN_NAMESPACE}/secrets/nbgate-tls"


@pytest.fixture(scope="module")
def image(request: pytest.FixtureRequest, deployed: Deployed) -> str:
    """An image that conforms and has a scan."""
    return known_image(deployed, require_images(request.config, "conforming")["conforming"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A rotation of the authority from begin to end, and what else was done meanwhile.

    Attributes:
        busy: with the windows `restart` (each replica replaced), `force` (one deleted by force) and `rotation`.
        rotated: the command that asked for it and waited.
        authorities: the different values of caBundle before and afterwards.
        replicas: their names before the restart, after it, and at the end.
    """

    busy: Busy
    rotated: subprocess.CompletedProcess[str]
    authorities: tuple[set[str], set[str]]
    replicas: tuple[set[str], set[str], set[str]]


@pytest.fixture(scope="module")
def day(deployed: Deployed, image: str) -> Day:
    """All of it in one go: a rotation is mostly waiting, and being disturbed is what it must stand."""
    plane = deployed.node.plane
    environment = {**os.environ, "KUBECONFIG": str(plane.kubeconfig)}
    trusted, replicas, served = authorities(deployed), names(deployed), plane.get(SERVING)["data"]
    with (
        busy(deployed, image) as seen,
        seen.doing("rotation"),
        subprocess.Popen(
            ROTATE, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as rotation,
    ):
        with seen.doing("restart"):
            restart = ("restart", f"deployment/{WEBHOOK}", f"--namespace={OWN_NAMESPACE}")
            plane.kubectl("rollout", *restart)
            deployed.wait_until_settled(WEBHOOK, SECONDS)
        restarted = names(deployed)
        wait_for(lambda: plane.get(SERVING)["data"] != served, SECONDS, "a new certificate")
        with seen.doing("force"):
            force = ("--force", "--grace-period=0", f"--namespace={OWN_NAMESPACE}")
            plane.kubectl("delete", "pod", min(restarted), *force)
            deployed.wait_until_settled(WEBHOOK, SECONDS)
        said, complained = rotation.communicate(timeout=SECONDS)
    return Day(
        busy=seen,
        rotated=subprocess.CompletedProcess(ROTATE, rotation.returncode, said, complained),
        authorities=(trusted, authorities(deployed)),
        replicas=(replicas, restarted, names(deployed)),
    )


def test_a_rolling_restart_loses_nothing(day: Day) -> None:
    """As after a change of a flag, or of the image: each replica is replaced."""
    before, after, _ = day.replicas
    assert not before & after
    day.busy.assert_nothing_lost("restart")


def test_a_replica_that_is_deleted_by_force_loses_nothing(day: Day) -> None:
    """The pod's object is gone at once, and its processes have two seconds."""
    _, before, after = day.replicas
    assert len(before - after) == len(after - before) == 1
    day.busy.assert_nothing_lost("force")


def test_a_rotation_of_the_authority_loses_nothing(day: Day) -> None:
    """From the command until no entry trusts the old authority any more: replicas serve new certificates at once."""
    before, after = day.authorities
    assert day.rotated.returncode == 0, day.rotated
    assert len(before) == len(after) == 1
    assert not before & after
    day.busy.assert_nothing_lost("rotation")


def test_the_api_server_had_an_answer_to_each_of_its_calls(day: Day) -> None:
    """By its own metrics and log, of the whole day."""
    day.busy.assert_no_call_failed()


def test_a_restart_of_etcd_loses_nothing_that_could_have_been_asked(
    deployed: Deployed, image: str
) -> None:
    """Pods cannot be created meanwhile, which is the API server's own trouble; nbgate is there all the time."""
    restarts = {restart_count(pod) for pod in deployed.pods(WEBHOOK)}
    with busy(deployed, image) as seen:
        deployed.node.plane.component("etcd").restart()
        before = len(seen.load.creations)
        wait_for(lambda: succeeding(seen.load.creations[before:]), SECONDS, "pods to be created")

    lost = refusals(seen.load.creations, seen.begin)
    assert not any("webhook" in text for _, _, text in lost)
    assert {status for _, status, _ in lost} <= {0, 500, 503, 504}
    seen.assert_no_call_failed()
    assert unpatched(seen.load.creations) == []
    assert {restart_count(pod) for pod in deployed.pods(WEBHOOK)} == restarts
    assert deployed.settled(WEBHOOK)


def test_a_replica_whose_processes_are_killed_lets_nothing_by_unjudged(
    deployed: Deployed, image: str
) -> None:
    """SIGKILL, as of a kernel without memory: the one thing that may have its price.

    What the replica had in hand nobody can answer; and until the kubelet has seen its end and kube-proxy heard of it, a
    second or two, one in three new connections is refused. The API server tries neither again. It refuses the request
    then, for the validating side fails closed, and a StatefulSet's controller tries again.
    """
    [victim, *_] = deployed.pods(WEBHOOK)
    with busy(deployed, image) as seen:
        killed = time.monotonic()
        kill(victim)
        wait_for(lambda: restarted(deployed, victim), SECONDS, "the container to be started again")
        deployed.wait_until_settled(WEBHOOK, SECONDS)

    lost = refusals(seen.load.creations, killed)
    assert all(abs(at) < KILL_SECONDS for at, _, _ in lost)
    assert {status for _, status, _ in lost} <= {
        HTTPStatus.FORBIDDEN,  # not patched, and so refused
        HTTPStatus.INTERNAL_SERVER_ERROR,  # "failed calling webhook"
    }
    assert len(lost) < PACE * KILL_SECONDS / 3
    assert unpatched(seen.load.creations) == []


def names(deployed: Deployed) -> set[str]:
    return {pod["metadata"]["name"] for pod in deployed.pods(WEBHOOK)}


def authorities(deployed: Deployed) -> set[str]:
    """Return the different values of caBundle in both configurations."""
    base = "/apis/admissionregistration.k8s.io/v1"
    paths = (f"{base}/{kind}webhookconfigurations/nbgate" for kind in ("mutating", "validating"))
    entries = [entry for path in paths for entry in deployed.node.plane.get(path)["webhooks"]]
    return {base64.b64decode(entry["clientConfig"]["caBundle"]).decode() for entry in entries}


def succeeding(creations: list[Creation]) -> bool:
    """Tell whether the last second's requests were granted."""
    last = creations[-int(PACE) :]
    return len(last) == PACE and all(creation.created for creation in last)


def restarted(deployed: Deployed, pod: Document) -> bool:
    found = deployed.node.pod(OWN_NAMESPACE, pod["metadata"]["name"])
    return restart_count(found) > restart_count(pod)


def kill(pod: Document) -> None:
    """Kill the first process of a pod's container, and with it all the others."""
    [status] = pod["status"]["containerStatuses"]
    container = status["containerID"].removeprefix("containerd://")
    processes = Path("/proc").glob("[0-9]*")
    [first] = [process for process in processes if is_first(process, container)]
    os.kill(int(first.name), signal.SIGKILL)


def is_first(process: Path, container: str) -> bool:
    """Tell whether a process is the first one in a container."""
    try:
        within = container in (process / "cgroup").read_text()
        status = (process / "status").read_text()
    except OSError:
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:"))
    return within and numbers.split()[-1] == "1"
