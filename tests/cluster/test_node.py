"""The node is real: pods run on it, are reached, end, and leave nothing on the machine."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cluster.bridge import claimed_bridge, links
from tests.cluster.cgroups import CGROUPS
from tests.cluster.controlplane import RequestRefused
from tests.cluster.enclosure import TUNED
from tests.cluster.manifests import Document
from tests.cluster.node import Node, running_node
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


def test_a_pod_runs_and_this_machine_reaches_it(node_cluster: Node, tmp_path: Path) -> None:
    digest = push_scratch_image(node_cluster.registry, "reached", compiled(SERVER, tmp_path))
    node_cluster.plane.create(pod("reached", f"{node_cluster.registry.host}/reached@{digest}"))

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
    node_cluster.plane.kubectl("delete", "pod", "reached", "--namespace=default", "--wait=false")
    wait_for(lambda: is_gone(node_cluster, "reached"), START_SECONDS, "the pod to be gone")


def test_nothing_of_the_node_can_be_reached_from_other_machines(node_cluster: Node) -> None:
    listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    own = [line for line in listening.splitlines() if "kube" in line or "containerd" in line]
    addresses = {line.split()[3].rpartition(":")[0] for line in own}

    assert node_cluster.bridge.address in addresses
    assert addresses <= {node_cluster.bridge.address, "127.0.0.1"}


def test_the_kubelet_wants_a_certificate(node_cluster: Node) -> None:
    port = json.loads((node_cluster.directory / "kubelet.json").read_text())["port"]
    # Its certificate is one of its own making; who we are is asked for all the same.
    trusting = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection(
        node_cluster.bridge.address, port, context=trusting, timeout=10
    )

    with closing(connection):
        connection.request("GET", "/pods")
        assert connection.getresponse().status == http.HTTPStatus.UNAUTHORIZED


def traces(directory: Path) -> list[str]:
    """Return what of a node this machine has: links, cgroups, processes and mounts."""
    found = [link["ifname"] for link in links() if link.get("ifalias") == str(directory)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(directory).encode() in command and process.name != str(os.getpid()):
            found.append(command.replace(b"\0", b" ").decode())
    mounts = Path("/proc/mounts").read_text().splitlines()
    return found + [line for line in mounts if str(directory) in line]


def cgroups(name: str) -> list[Path]:
    return [*CGROUPS.glob(f"{name}"), *CGROUPS.glob(f"*/{name}")]


def test_a_node_that_was_left_leaves_nothing(node_cluster: Node, tmp_path: Path) -> None:
    programs = find_node_programs(node_cluster.plane.programs)
    assert isinstance(programs, NodePrograms)
    settings = {path: path.read_text() for path in TUNED}
    with running_node(node_cluster.plane.programs, programs, tmp_path) as node:
        node.plane.create(pod("left", f"{node.registry.host}/pause:latest"))
        wait_for(lambda: running(node, "left"), START_SECONDS, "the pod to run")
        bridge = node.bridge.name
        assert bridge != node_cluster.bridge.name
        assert len(traces(tmp_path)) > 5
        assert cgroups(bridge)

    assert traces(tmp_path) == []
    assert cgroups(bridge) == []
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
    print(node.bridge.name, flush=True)
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
        bridge = run.stdout.readline().strip()
        assert bridge in {link["ifname"] for link in links()}
        run.send_signal(signal.SIGKILL)
    # The kernel ends its programs, and with the first process of its namespaces all that they started.
    wait_for(lambda: traces(killed) == [bridge], 20, "the programs to end")

    with claimed_bridge(following) as claimed:
        assert claimed.name == bridge
        assert traces(killed) == []
        assert cgroups(bridge) == []
