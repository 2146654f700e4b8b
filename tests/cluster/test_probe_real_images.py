"""The images of the catalogue, really built, scanned with Pods on the real node: the verdicts that podman gives too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cluster.controlplane import RequestRefused
from tests.cluster.node import Node
from tests.cluster.waiting import wait_for
from tests.images.machine import require_images
from tests.scanner.shelf import Shelf, failures, unknown
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import read_scan_document, scan_name
from webhook.kube import connect
from webhook.scanner.probes.cluster import ClusterProbe
from webhook.scanner.scanning import Scanned

pytestmark = pytest.mark.cluster

NAMES = ("jupyterlab", "codeserver", "needs-root", "not-empty-home", "loopback-only")
TIMEOUT = 30.0  # seconds for a server: JupyterLab takes five on an idle machine
CRD = Path(__file__).parents[2] / "deploy/crds/imagescans.yaml"
SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"


@pytest.fixture(scope="module")
def shelf(request: pytest.FixtureRequest, node_cluster: Node) -> Shelf:
    """The images, in the registry that the node pulls from."""
    return Shelf(node_cluster.registry, require_images(request.config, *NAMES, "conforming"))


@pytest.fixture(scope="module")
def scanned(node_cluster: Node, shelf: Shelf) -> Iterator[dict[str, Scanned]]:
    """Scans of these images, two at once."""
    with connect(kubeconfig=str(node_cluster.plane.kubeconfig)) as kube:
        probe = ClusterProbe(kube=kube)
        with ThreadPoolExecutor(2) as threads:
            found = threads.map(lambda name: shelf.scan(name, probe, timeout=TIMEOUT), NAMES)
            yield dict(zip(NAMES, found, strict=True))


def test_a_real_jupyterlab_conforms_by_evidence(scanned: dict[str, Scanned]) -> None:
    status = scanned["jupyterlab"].document.status
    assert (status.verdict, status.serving) == ("Conforms", "Prefix")
    assert {c.requirement: (c.result, c.evidence) for c in status.checks} == {
        requirement: ("Pass", "Layers" if requirement in _BY_LAYERS else "Probe")
        for requirement in REQUIREMENTS
    }
    assert scanned["jupyterlab"].notes == ()  # none says that it needs privileges


_BY_LAYERS = {"user-jovyan", "uid-1000", "home-jovyan"}


def test_a_server_that_hides_in_its_pod_is_told_from_one_that_listens(
    scanned: dict[str, Scanned],
) -> None:
    found = failures(scanned["loopback-only"].document.status)
    assert set(found) == {"port-8888"}
    assert "127.0.0.1:8888 only" in found["port-8888"]


def test_a_server_at_its_root_answers_behind_the_rewrite(scanned: dict[str, Scanned]) -> None:
    status = scanned["codeserver"].document.status
    assert (status.serving, status.facts.rewritable) == ("Root", True)
    assert set(failures(status)) == {"nb-prefix", "allow-origin"}


def test_an_image_that_needs_root_says_so_in_its_log(scanned: dict[str, Scanned]) -> None:
    assert "exited" in failures(scanned["needs-root"].document.status)["port-8888"]
    assert "root" in scanned["needs-root"].log[-1]


def test_an_image_that_dies_of_the_empty_volume_fails_in_that_alone(
    scanned: dict[str, Scanned],
) -> None:
    status = scanned["not-empty-home"].document.status
    assert set(failures(status)) == {"empty-home"}
    assert unknown(status) == set()


def test_the_command_scans_in_the_cluster_and_keeps_the_result_there(
    node_cluster: Node, shelf: Shelf, tmp_path: Path
) -> None:
    plane, image = node_cluster.plane, shelf.reference("conforming")
    plane.kubectl("apply", "--filename", str(CRD))
    wait_for(lambda: plane.get(SCANS), 20, "the kind ImageScan", ignoring=(RequestRefused,))
    own = {"KUBECONFIG": str(plane.kubeconfig), "NBGATE_HOME": str(tmp_path)}
    words = ["--probe", "cluster", "--save", "cluster", "--platform", "linux/amd64"]
    place = ["--plain-http", shelf.registry.host]
    done = subprocess.run(
        [Path(sys.executable).with_name("nbgate"), "scan", *words, *place, image],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done
    kept = read_scan_document(plane.get(f"{SCANS}/{scan_name(image)}"))
    assert (kept.status.verdict, kept.status.digest) == ("Conforms", shelf.digest("conforming"))
    # A controller in the same cluster may have taken the new ImageScan up as well.
    wait_for(
        lambda: not plane.get("/api/v1/namespaces/nbgate-probes/pods")["items"],
        60,
        "the probes' pods to be gone",
    )
