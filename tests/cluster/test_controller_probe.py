"""`nbgate controller` on a real node: images are started, and nothing of a start outlives it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cluster.controllers import RunningController, ask_for_scan, status_of
from tests.cluster.leadership import our_kinds
from tests.cluster.node import Node
from tests.cluster.waiting import wait_for
from tests.images.compiling import compiled
from tests.images.scratchimage import push_scratch_image

pytestmark = pytest.mark.cluster

SERVER = Path(__file__).parent.parent / "images/server/server.c"
PASSWD = {"etc/passwd": "jovyan:x:1000:100::/home/jovyan:/bin/sh\n"}


@pytest.fixture(scope="module", autouse=True)
def kinds(node_cluster: Node) -> Iterator[None]:
    with our_kinds(node_cluster.plane):
        yield


def pods(node: Node, namespace: str) -> list[str]:
    found = node.plane.get(f"/api/v1/namespaces/{namespace}/pods")["items"]
    return [
        pod["metadata"]["name"] for pod in found if not pod["metadata"].get("deletionTimestamp")
    ]


def test_an_image_is_started_and_one_that_is_started_when_the_end_comes_is_removed(
    node_cluster: Node, tmp_path: Path
) -> None:
    plane, host = node_cluster.plane, node_cluster.registry.host
    namespace = f"probes-{secrets.token_hex(4)}"
    program = compiled(SERVER, tmp_path)
    push_scratch_image(node_cluster.registry, "controlled", program, user="jovyan", files=PASSWD)
    push_scratch_image(node_cluster.registry, "silent", program, ("--serve", "nothing"))
    flags = ("--probe", "cluster", "--probe-namespace", namespace)
    registry = ("--private-registry", host, "--plain-http", host)
    with ExitStack() as stack:
        controller = stack.enter_context(
            RunningController("controller", plane, tmp_path, *flags, *registry)
        )
        good = ask_for_scan(plane, f"{host}/controlled:latest")
        wait_for(lambda: status_of(plane, good).get("verdict"), 60, "a verdict")
        bad = ask_for_scan(plane, f"{host}/silent:latest")
        wait_for(lambda: pods(node_cluster, namespace), 30, "a pod of the probe")
        began = time.monotonic()
        assert controller.terminate() == 0
        assert time.monotonic() - began < 15
    assert status_of(plane, good)["verdict"] == "Conforms"
    assert status_of(plane, bad)["phase"] == "Pending"
    assert "claim" not in status_of(plane, bad)
    assert pods(node_cluster, namespace) == []
    plane.kubectl("delete", "namespace", namespace, "--wait=false")
