"""Which images want CUDA: by name and tag without a scan, by the config's environment with one."""

from itertools import product

import pytest

from webhook.core.cuda import config_cuda, named_cuda
from webhook.core.imagepattern import compile_pattern
from webhook.core.reference import parse

SHA256 = "sha256:" + "0123456789abcdef" * 4

BY_NAME_OR_TAG = [
    # what people really pull
    "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0",
    "quay.io/jupyter/pytorch-notebook:cuda12-latest",
    "pytorch/pytorch:2.1.0-cuda12.1-cudnn8-runtime",
    "tensorflow/tensorflow:latest-gpu-jupyter",
    f"quay.io/modh/cuda-notebooks@{SHA256}",
    "registry.example.com/nb:2.1.0-cu121",
    # one property each
    f"quay.io/modh/cuda-notebooks:1@{SHA256}",
    "nb:cuda",
    "nb:CUDA12",
    "nb:cuda_12",
    "nb:1.cuda",
    "nb:cu1",
    "nb:cu12",
    "cuda",
    "gpu",
    "team/torch_cu121",
    "team/torch.gpu",
    "torch-cuda:latest",
    "torch:cuda-cpu",
    "torch-cpu:cuda12",
    "torch-cuda:cuda12",
    "no-cuda:cuda12",
    "nb:nocturnal-cuda",
    "nb:cuda-freedom",
    "nb:no-1-cuda",
    "nb:no-gpu-cuda",
]

NOT = [
    "tensorflow/tensorflow:2.15.0-jupyter",
    "rocker/tidyverse:4.5.3",
    "rocm/pytorch:rocm6.3.1_ubuntu22.04_py3.10_pytorch",
    "registry.example.com/barracuda:1.0",
    "nb:cuda-free",
    "nb:no-cuda",
    "torch-cuda:2.1-cpu",
    "localhost:5000/cuda-team/nb:1",
    "cuda.example.com/nb:1",
    "gpu.io/cuda/gpu/nb:1",
    "ghcr.io/team/cuda-images/nb:1",
    "nb",
    f"nb@{SHA256}",
    "nb:cudax",
    "nb:cuda12x",
    "nb:xcuda",
    "nb:cu",
    "nb:cu1234",
    "nb:cux",
    "nb:gpus",
    "nb:gpu2",
    "nb:non-cuda",
    "nb:without-cuda12",
    "nb:cuda-less",
    "nb:gpu-free",
    "nb:no-gpu",
    "nb:no_cuda.1",
    "team/no--cuda",
    "team/cuda__free",
    "no-cuda:1",
    "torch-cuda:no-cuda",
    "torch-gpu:cuda-free",
    "torch-cuda:cpu",
    "torch-cuda:CPU-1",
    "nb:cudnn8",
]


@pytest.mark.parametrize("image", BY_NAME_OR_TAG)
def test_the_name_or_tag_says_cuda(image: str) -> None:
    assert named_cuda(parse(image))


@pytest.mark.parametrize("image", NOT)
def test_neither_name_nor_tag_says_cuda(image: str) -> None:
    assert not named_cuda(parse(image))


# Kubeflow's own seventeen images, and the three registries that they have been published in.
CUDA_IMAGES = [
    f"jupyter-{framework}-cuda{full}"
    for framework, full in product(["pytorch", "tensorflow"], ["", "-full"])
]
OTHER_IMAGES = [
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
]
ERAS = [
    "public.ecr.aws/j1r0q0g6/notebooks/notebook-servers/{}:v1.5.0",
    "kubeflownotebookswg/{}:v1.7.0",
    "ghcr.io/kubeflow/kubeflow/notebook-servers/{}:v1.10.0",
]


def test_kubeflow_has_seventeen_images() -> None:
    assert len({*CUDA_IMAGES, *OTHER_IMAGES}) == 17


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("image", [*CUDA_IMAGES, *OTHER_IMAGES])
def test_kubeflows_own_images_are_told_apart_in_every_era(era: str, image: str) -> None:
    assert named_cuda(parse(era.format(image))) == (image in CUDA_IMAGES)


def test_a_pattern_makes_an_image_cuda_whatever_its_name_says() -> None:
    patterns = (compile_pattern("ghcr.io/ml/**"), compile_pattern("quay.io/x/nb:v1"))
    assert named_cuda(parse("ghcr.io/ml/nb:cpu"), patterns)
    assert named_cuda(parse("ghcr.io/ml/nb:no-cuda"), patterns)
    assert named_cuda(parse("quay.io/x/nb:v1"), patterns)
    assert not named_cuda(parse("quay.io/x/nb:v2"), patterns)
    assert not named_cuda(parse("ghcr.io/other/nb"), patterns)
    assert named_cuda(parse("ghcr.io/other/nb:gpu"), patterns)


def test_a_pattern_with_a_tag_counts_beside_a_digest_too() -> None:
    patterns = (compile_pattern("quay.io/x/nb:v1"),)
    assert named_cuda(parse(f"quay.io/x/nb:v1@{SHA256}"), patterns)


@pytest.mark.parametrize(
    ("env", "evidence"),
    [
        ({"NVIDIA_REQUIRE_CUDA": "cuda>=12.4"}, "env NVIDIA_REQUIRE_CUDA"),
        ({"CUDA_VERSION": "12.4.1"}, "env CUDA_VERSION"),
        ({"NV_CUDA_CUDART_VERSION": "12.4.127-1"}, "env NV_CUDA_*"),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, "env NVIDIA_VISIBLE_DEVICES"),
        ({"NVIDIA_VISIBLE_DEVICES": "0,1"}, "env NVIDIA_VISIBLE_DEVICES"),
        (
            {"NVIDIA_VISIBLE_DEVICES": "void", "CUDA_VERSION": "12", "NVIDIA_REQUIRE_CUDA": ""},
            "env NVIDIA_REQUIRE_CUDA",
        ),
        ({"NVIDIA_VISIBLE_DEVICES": "all", "NV_CUDA_LIB_VERSION": "12"}, "env NV_CUDA_*"),
        ({}, None),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, None),
        ({"NVIDIA_VISIBLE_DEVICES": "none"}, None),
        ({"NVIDIA_VISIBLE_DEVICES": ""}, None),
        ({"NVIDIA_DRIVER_CAPABILITIES": "all", "HABANA_LOGS": "/var/log"}, None),
        ({"MY_CUDA_VERSION": "12", "cuda_version": "12", "NV_CUDNN_VERSION": "9"}, None),
        ({"MY_NV_CUDA_LIB_VERSION": "12"}, None),
        ({"ROCM_VERSION": "6.3.1", "PATH": "/usr/local/cuda/bin"}, None),
    ],
)
def test_the_environment_of_a_config_shows_cuda(env: dict[str, str], evidence: str | None) -> None:
    assert config_cuda(env) == evidence


def test_what_an_image_wrote_itself_never_reaches_the_evidence() -> None:
    assert config_cuda({"NV_CUDA_\nFORGED": "x", "OTHER": "y"}) == "env NV_CUDA_*"
