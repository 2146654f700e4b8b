"""The images of the catalogue, really built, as Pods on the real node."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.cluster.node import Node
from tests.images.building import push
from tests.images.machine import require_images
from webhook.kube import connect
from webhook.scanner.probes.cluster import ClusterProbe
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Silent

pytestmark = pytest.mark.cluster

NAMES = ("jupyterlab", "codeserver", "needs-root", "not-empty-home", "loopback-only")
TIMEOUT = 20.0  # seconds for a server: JupyterLab takes five on an idle machine


@pytest.fixture(scope="module")
def seen(request: pytest.FixtureRequest, node_cluster: Node) -> Iterator[dict[str, Observation]]:
    """Probes of these images, two at once."""
    registry = node_cluster.registry.host

    def observe(name: str) -> Observation:
        digest = push(layouts[name], f"{registry}/{name}:v1")
        target = Target(
            image=f"{registry}/{name}@{digest}", platform="linux/amd64", timeout=TIMEOUT
        )
        return probe.observe(target, Silent())

    layouts = require_images(request.config, *NAMES)
    with connect(kubeconfig=str(node_cluster.plane.kubeconfig)) as kube:
        probe = ClusterProbe(kube=kube)
        with ThreadPoolExecutor(2) as threads:
            yield dict(zip(NAMES, threads.map(observe, NAMES), strict=True))


def test_a_real_jupyterlab_answers_confined_under_its_prefix(seen: dict[str, Observation]) -> None:
    [run] = seen["jupyterlab"].runs

    assert (run.ending, run.home, run.confined) == ("answered", True, True)
    assert run.prefix
    assert run.prefix.good
    assert run.prefix.allow_origin == "*"


def test_a_server_that_hides_in_its_pod_is_asked_no_more_than_once(
    seen: dict[str, Observation],
) -> None:
    runs = seen["loopback-only"].runs

    assert [(run.ending, run.loopback) for run in runs] == [("silent", True)] * 3
    assert all(sum("GET /" in line for line in run.log) == 1 for run in runs)


def test_a_server_at_its_root_answers_behind_the_rewrite(seen: dict[str, Observation]) -> None:
    run = seen["codeserver"].answered

    assert run
    assert run.rewritten
    assert run.rewritten.good
    assert not (run.prefix and run.prefix.good)


def test_an_image_that_needs_root_says_so_in_its_log(seen: dict[str, Observation]) -> None:
    runs = seen["needs-root"].runs

    assert {run.ending for run in runs} == {"exited"}
    assert "root" in runs[0].log[-1]


def test_an_image_whose_program_the_volume_hides_starts_without_it(
    seen: dict[str, Observation],
) -> None:
    assert [run.ending for run in seen["not-empty-home"].runs] == ["exited", "exited", "answered"]
    assert seen["not-empty-home"].runs[-1].home is False
