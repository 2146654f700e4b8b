"""Kubeflow's own seventeen images, without their weight: configurations, users, start scripts and what they answer.

The facts were read in Kubeflow's sources, components/example-notebook-servers. `base` has a recipe of its own; those of
the others are made here from the table, each with a layer of its own on its base's layers, as Kubeflow's are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.images.recipe import CONTAINERFILE, File

Server = Literal["jupyterlab", "code-server", "rstudio"]

_NVIDIA = {
    "NVIDIA_VISIBLE_DEVICES": "all",
    "NVIDIA_DRIVER_CAPABILITIES": "compute,utility",
    "NVIDIA_REQUIRE_CUDA": "cuda>=12.4",
}
_HABANA = {
    "HABANA_LOGS": "/tmp/.habana_logs",
    "HABANA_PLUGINS_LIB_PATH": "/opt/habanalabs/habana_plugins",
}

_COMMANDS: Mapping[Server, str] = {
    "jupyterlab": """notebook-server --base-url "${NB_PREFIX}" --header 'Access-Control-Allow-Origin=*'""",
    "code-server": "notebook-server --kind code-server",
    "rstudio": "notebook-server --kind rstudio",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeflow:
    """One of the images.

    Attributes:
        base: the one that it builds on; None for the lowest.
        serves: what runs in it; None for an image that is only to build on.
        env: what it adds to the variables of its base.
    """

    base: str | None
    serves: Server | None
    user: str = "1000"
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def cuda(self) -> bool:
        """Whether it is made for NVIDIA's GPUs."""
        return "NVIDIA_REQUIRE_CUDA" in self.env


def _jupyter(base: str, env: Mapping[str, str] | None = None) -> Kubeflow:
    return Kubeflow(base=base, serves="jupyterlab", env=env or {})


IMAGES: Mapping[str, Kubeflow] = {
    "base": Kubeflow(base=None, serves=None),
    "jupyter": _jupyter("base"),
    "jupyter-scipy": _jupyter("jupyter"),
    "jupyter-pytorch": _jupyter("jupyter"),
    "jupyter-pytorch-full": _jupyter("jupyter-pytorch"),
    "jupyter-pytorch-cuda": _jupyter("jupyter", _NVIDIA),
    "jupyter-pytorch-cuda-full": _jupyter("jupyter-pytorch-cuda", _NVIDIA),
    "jupyter-pytorch-gaudi": _jupyter("jupyter", _HABANA),
    "jupyter-pytorch-gaudi-full": _jupyter("jupyter-pytorch-gaudi", _HABANA),
    "jupyter-tensorflow": _jupyter("jupyter"),
    "jupyter-tensorflow-full": _jupyter("jupyter-tensorflow"),
    "jupyter-tensorflow-cuda": _jupyter("jupyter", _NVIDIA),
    "jupyter-tensorflow-cuda-full": _jupyter("jupyter-tensorflow-cuda", _NVIDIA),
    "codeserver": Kubeflow(base="base", serves="code-server"),
    "codeserver-python": Kubeflow(base="codeserver", serves="code-server"),
    "rstudio": Kubeflow(base="base", serves="rstudio"),
    # By name, as it was from v1.4 to v1.7.
    "rstudio-tidyverse": Kubeflow(base="rstudio", serves="rstudio", user="jovyan"),
}


def files(name: str) -> dict[str, File]:
    """Return the files of the recipe of one of the images, `base` excepted."""
    made = IMAGES[name]
    files = {"CONTENTS": File(content=f"What {name} has more than {made.base}.\n".encode())}
    lines = [f"FROM localhost/{made.base}", "USER root", f"COPY CONTENTS /opt/{name}/CONTENTS"]
    lines += [f'ENV {variable}="{value}"' for variable, value in made.env.items()]
    if made.serves and made.base == "base":
        script = f"#!/bin/sh\nexec {_COMMANDS[made.serves]}\n"
        files["run"] = File(content=script.encode(), executable=True)
        lines.append(f"COPY --chown=1000:0 run /etc/services.d/{made.serves}/run")
    if made.serves == "jupyterlab":
        lines.append("EXPOSE 8888")
    lines += [f"USER {made.user}", ""]
    return {**files, CONTAINERFILE: File(content="\n".join(lines).encode())}
