"""The node is real: pods run on it, are reached, end, and leave nothing on the machine."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.cluster.cgroups import CGROUPS
from tests.cluster.controlplane import RequestRefused
from tests.cluster.enclosure import TUNED
from tests.cluster.manifests import Document
from tests.cluster.network import links, own_network
from tests.cluster.node import PAUSE, Node, running_node
from tests.cluster.nodeprograms import NodePrograms, find_node_programs
from tests.cluster.waiting import wait_for
from tests.images.compiling import compiled
from tests.images.scratchimage import push_scratch_image

pytestmark = pytest.mark.cluster

SERVER = Path(__file__).parent.parent / "images/server/server.c"
START_SECONDS = 60


def pod(name: str, image: str) -> Document:
    container = {"name": "main", "image": image}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }


def running(node: Node, name: str) -> Document | None:
    found = node.pod("default", name)
    return found if found["status"]["phase"] == "Running" else None


def is_gone(node: Node, name: str) -> bool:
    try:
        node.pod("default", name)
    except RequestRefused:
        return True
    return False


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "reached", "namespace": "default"},
    "spec": {"selector": {"app": "reached"}, "ports": [{"port": 80, "targetPort": 8888}]},
}


def answers_at_its_service(node: Node) -> bool:
    """Tell whether something answers at the Service's own address, as the API server would connect."""
    service = node.plane.get("/api/v1/namespaces/default/services/reached")["spec"]["clusterIP"]
    sent = r"'GET / HTTP/1.0\r\n\r\n'"
    ask = f"exec 3<>/dev/tcp/{service}/80; printf {sent} >&3; timeout 5 head -c 9 <&3"
    told = subprocess.run(
        node.network.inside(["bash", "-c", ask]), capture_output=True, text=True, check=False
    )
    return told.stdout.startswith("HTTP/1.1 ")


def test_a_pod_runs_and_this_machine_reaches_it(node_cluster: Node, tmp_path: Path) -> None:
    digest = push_scratch_image(node_cluster.registry, "reached", compiled(SERVER, tmp_path))
    made = pod("reached", f"{node_cluster.registry.host}/reached@{digest}")
    made["metadata"]["labels"] = {"app": "reached"}
    node_cluster.plane.create(SERVICE, made)

    started = wait_for(lambda: running(node_cluster, "reached"), START_SECONDS, "the pod to run")

    address = (started["status"]["podIP"], 8888)
    with wait_for(
        lambda: socket.create_connection(address, timeout=5),
        START_SECONDS,
        "its server",
        ignoring=(ConnectionRefusedError,),
    ) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 ")
    log = node_cluster.plane.kubectl("logs", "--namespace=default", "reached").stdout
    assert "listening on 0.0.0.0:8888" in log
    wait_for(lambda: answers_at_its_service(node_cluster), START_SECONDS, "its Service")
    node_cluster.plane.kubectl("delete", "service,pod", "reached", "-n=default", "--wait=false")
    wait_for(lambda: is_gone(node_cluster, "reached"), START_SECONDS, "the pod to be gone")


def listening(prefix: Sequence[str | Path] = ()) -> dict[str, set[str]]:
    """Return the addresses where each program listens, in the network that `prefix` enters."""
    command = [*prefix, "ss", "-Hltnp"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[str, set[str]] = {}
    for line in told.splitlines():
        for program in re.findall(r'\("([^"]+)",', line):
            found.setdefault(program, set()).add(line.split()[3].rpartition(":")[0])
    return found


def test_nothing_of_the_node_can_be_reached_from_other_machines(node_cluster: Node) -> None:
    """Its servers listen in the cluster's own network; on this machine only the registry, for the cluster alone."""
    network = node_cluster.network
    inside = listening(network.inside([]))

    assert {"etcd", "kube-apiserver", "kubelet", "kube-proxy"} <= set(inside)
    assert set.union(*inside.values()) == {network.address, "127.0.0.1"}
    assert node_cluster.registry.host.startswith(f"{network.outside}:")


def test_the_kubelet_wants_a_certificate(node_cluster: Node) -> None:
    port = json.loads((node_cluster.directory / "kubelet.json").read_text())["port"]
    # Its certificate is one of its own making; who we are is asked for all the same.
    trusting = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(
        node_cluster.network.address, port, context=trusting, timeout=10
    )

    with closing(connection):
        connection.request("GET", "/pods")
        assert connection.getresponse().status == http.HTTPStatus.UNAUTHORIZED


def traces(directory: Path, network: str) -> list[str]:
    """Return what of a node this machine has: its link, cgroups, processes and mounts."""
    found = [link for link in links() if link == network]
    found += cgroups(network)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in command and process.name != str(os.getpid()):
            found.append(command.replace(b"\0", b" ").decode())
    mounts = Path("/proc/mounts").read_text().splitlines()
    return found + [line for line in mounts if str(directory) in line]


def cgroups(name: str) -> set[str]:
    return {str(found) for found in (*CGROUPS.glob(name), *CGROUPS.glob(f"*/{name}"))}


def rules(prefix: Sequence[str | Path] = ()) -> list[str]:
    command = [*prefix, "iptables-save"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return told.splitlines()


def test_a_node_that_was_left_leaves_nothing(node_cluster: Node, tmp_path: Path) -> None:
    programs = find_node_programs(node_cluster.plane.programs)
    assert isinstance(programs, NodePrograms)
    settings = {path: path.read_text() for path in TUNED}
    with running_node(node_cluster.plane.programs, programs, tmp_path) as node:
        node.plane.create(pod("left", f"{node.registry.host}/pause:latest"))
        wait_for(lambda: running(node, "left"), START_SECONDS, "the pod to run")
        network = node.network.name
        assert network != node_cluster.network.name
        assert len(traces(tmp_path, network)) > 5
        assert any("KUBE-" in rule for rule in rules(node.network.inside([])))
        assert not any("KUBE-" in rule for rule in rules())

    assert traces(tmp_path, network) == []
    assert {path: path.read_text() for path in TUNED} == settings
    assert not (tmp_path / "node/var-lib").exists()


KILLED = """
import os, sys
from pathlib import Path
from tests.cluster.discovery import find_kubernetes
from tests.cluster.node import running_node
from tests.cluster.nodeprograms import find_node_programs

programs = find_kubernetes(os.environ, print)
with running_node(programs, find_node_programs(programs), Path(sys.argv[1])) as node:
    print(node.network.name, flush=True)
    sys.stdin.read()
"""


@pytest.mark.usefixtures("node_cluster")
def test_what_a_killed_run_left_the_next_one_removes(tmp_path: Path) -> None:
    killed, following = tmp_path / "killed", tmp_path / "following"
    killed.mkdir()
    following.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(killed)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as run:
        assert run.stdout
        network = run.stdout.readline().strip()
        assert network in links()
        run.send_signal(signal.SIGKILL)
    # The kernel ends its programs, with the first process of its namespaces all that they started, and with the last
    # one its network.
    wait_for(lambda: set(traces(killed, network)) <= cgroups(network), 20, "the programs to end")
    assert cgroups(network)

    with own_network(following, compiled(PAUSE, following)) as own:
        assert own.name in links()
        # It may be the same number.
        assert not set(traces(killed, network)) - {own.name}
