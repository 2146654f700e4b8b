"""Kubeflow's own seventeen images: each gets the verdict that the real one deserves, and its facts."""

from __future__ import annotations

import pytest

from tests.images.kubeflow import IMAGES
from tests.scanner.shelf import Shelf, failures
from webhook.scanner.probes.podman import PodmanProbe

SERVING = {"jupyterlab": "Prefix", "code-server": "Root", "rstudio": "Root", None: "None"}
FAILING = {
    "jupyterlab": set(),
    "code-server": {"nb-prefix", "allow-origin"},
    "rstudio": {"nb-prefix", "allow-origin"},
    None: {"port-8888"},
}


@pytest.mark.parametrize("name", IMAGES)
def test_kubeflows_own_image(shelf: Shelf, podman: PodmanProbe, name: str) -> None:
    image = IMAGES[name]
    timeout = 20 if image.serves else 4
    status = shelf.scan(name, podman, timeout=timeout).document.status
    assert status.serving == SERVING[image.serves]
    assert set(failures(status)) == FAILING[image.serves]
    assert status.verdict == ("Violates" if FAILING[image.serves] else "Conforms")
    facts = status.facts
    assert facts.cuda is ("cuda" in name)
    assert facts.cuda_evidence == ("env NVIDIA_REQUIRE_CUDA" if "cuda" in name else None)
    resources = {a.resource for a in facts.accelerators}
    assert ("habana.ai/gaudi" in resources) is ("gaudi" in name)
    assert facts.user == ("jovyan" if name == "rstudio-tidyverse" else "1000")
    assert facts.exposed_ports == ((8888,) if name.startswith("jupyter") else ())
    assert facts.rewritable is (True if SERVING[image.serves] == "Root" else None)


def test_there_are_seventeen() -> None:
    assert len(IMAGES) == 17
