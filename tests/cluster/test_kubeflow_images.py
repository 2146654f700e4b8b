"""Kubeflow's own seventeen images, at one tag of each era's registry, get the right GPU decision."""

from __future__ import annotations

import pytest

from tests.cluster.gate import Gate, container, created
from tests.cluster.manifests import Document, pod_of, stateful_set

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("controllers")]

ERAS = {
    "v1.5.0": "public.ecr.aws/j1r0q0g6/notebooks/notebook-servers",
    "v1.8.0": "kubeflownotebookswg",
    "v1.10.0": "ghcr.io/kubeflow/kubeflow/notebook-servers",
}
CUDA = {
    "jupyter-pytorch-cuda",
    "jupyter-pytorch-cuda-full",
    "jupyter-tensorflow-cuda",
    "jupyter-tensorflow-cuda-full",
}
OTHERS = {
    "base",
    "jupyter",
    "jupyter-scipy",
    "jupyter-pytorch",
    "jupyter-pytorch-full",
    "jupyter-tensorflow",
    "jupyter-tensorflow-full",
    "jupyter-pytorch-gaudi",
    "jupyter-pytorch-gaudi-full",
    "codeserver",
    "codeserver-python",
    "rstudio",
    "rstudio-tidyverse",
}
IMAGES = [
    (f"{registry}/{name}:{tag}", name) for tag, registry in ERAS.items() for name in CUDA | OTHERS
]


def gpus(pod: Document) -> str | None:
    limits = container(pod, "nb")["resources"]["limits"]
    found: str | None = limits.get("nvidia.com/gpu")
    return found


def test_there_are_seventeen() -> None:
    assert len(CUDA | OTHERS) == 17


def test_by_name_alone(gate: Gate, namespace: str) -> None:
    gate.follows(unscanned="Warn")
    wrong = [
        image
        for image, name in IMAGES
        if gpus(created(gate.post(pod_of(stateful_set("nb", namespace, image)), dry_run=True)))
        != ("1" if name in CUDA else None)
    ]
    assert wrong == []


def test_by_digest_with_a_scan_whatever_the_name_says(gate: Gate, namespace: str) -> None:
    """The scan's facts win: each image is scanned as what its name says, and as the opposite."""
    gate.follows()
    scans = [gate.scan_of(image, cuda=cuda) for image, _ in IMAGES for cuda in (True, False)]
    gate.holds(*scans)
    wrong = []
    for document in scans:
        repository = document["spec"]["image"].rpartition(":")[0]
        pinned = f"{repository}@{document['status']['digest']}"
        pod = created(gate.post(pod_of(stateful_set("nb", namespace, pinned)), dry_run=True))
        if gpus(pod) != ("1" if document["status"]["facts"]["cuda"] else None):
            wrong.append(pinned)
    assert wrong == []


def test_a_gpu_that_was_asked_for_is_the_users_word(gate: Gate, namespace: str) -> None:
    gate.follows(unscanned="Warn")
    image = f"{ERAS['v1.10.0']}/jupyter-pytorch-cuda-full:v1.10.0"
    for resource in ("nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "amd.com/gpu", "habana.ai/gaudi"):
        resources = {"limits": {"cpu": "1", resource: "2"}, "requests": {"cpu": "1"}}
        made = pod_of(stateful_set("nb", namespace, image, resources=resources))
        pod = created(gate.post(made, dry_run=True))
        assert gpus(pod) == ("2" if resource == "nvidia.com/gpu" else None)
