"""Which Kubernetes the cluster tests run on.

In the order that people expect: a cluster of their own (KUBECONFIG), a folder of programs in the layout of
controller-runtime's envtest (KUBEBUILDER_ASSETS), what `build-kubernetes` has built or can build here, none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

BUILD = Path(__file__).with_name("build-kubernetes")
CANNOT_BUILD = 3  # its exit code when this machine is not one to build on


class Misconfigured(Exception):
    """The environment names a Kubernetes that is not usable; never a reason to skip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The programs to start a control plane from; `version` is (major, minor) of the API server."""

    etcd: Path
    apiserver: Path
    kubectl: Path
    controller_manager: Path | None
    version: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingCluster:
    """A cluster that runs already; `kubeconfig` is one path or several, as kubectl reads KUBECONFIG."""

    kubectl: Path
    kubeconfig: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """No Kubernetes to test on, and why."""

    reason: str


def find_kubernetes(
    environment: Mapping[str, str], say: Callable[[str], None]
) -> ExistingCluster | Programs | Absent:
    """Find or build a Kubernetes; `say` takes lines for the person who waits for a build.

    Raises Misconfigured where a variable names something unusable, or a build failed.
    """
    if kubeconfig := environment.get("KUBECONFIG"):
        kubectl = _program("kubectl", environment.get("PATH"), "PATH, which KUBECONFIG needs")
        return ExistingCluster(kubectl=kubectl, kubeconfig=kubeconfig)
    if assets := environment.get("KUBEBUILDER_ASSETS"):
        return _programs(assets, f"KUBEBUILDER_ASSETS={assets}")
    if reason := _build(environment, say):
        return Absent(reason=reason)
    cache = environment.get("NBGATE_KUBERNETES_CACHE") or str(
        Path(environment["HOME"]) / ".cache/nbgate/kubernetes"
    )
    return _programs(f"{cache}:{environment['PATH']}", f"what {BUILD.name} left in {cache}")


def _programs(folders: str, place: str) -> Programs:
    apiserver = _program("kube-apiserver", folders, place)
    controller_manager = shutil.which("kube-controller-manager", path=folders)
    return Programs(
        etcd=_program("etcd", folders, place),
        apiserver=apiserver,
        kubectl=_program("kubectl", folders, place),
        controller_manager=Path(controller_manager) if controller_manager else None,
        version=_version(apiserver),
    )


def _program(name: str, folders: str | None, place: str) -> Path:
    found = shutil.which(name, path=folders)
    if not found:
        raise Misconfigured(f"no program {name} in {place}")
    return Path(found).absolute()


def _version(apiserver: Path) -> tuple[int, int]:
    told = subprocess.run(
        [apiserver, "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    match = re.match(r"Kubernetes v(\d+)\.(\d+)\.", told.stdout)
    if not match:
        raise Misconfigured(f"{apiserver} --version tells no version: {told.stdout}{told.stderr}")
    return int(match[1]), int(match[2])


def _build(environment: Mapping[str, str], say: Callable[[str], None]) -> str | None:
    """Make sure that the built programs are there; return why not where they cannot be."""
    lines = []
    with subprocess.Popen(
        [BUILD], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=dict(environment)
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            say(line.rstrip())
            lines.append(line)
    if build.returncode == CANNOT_BUILD:
        return lines[-1].strip() if lines else f"{BUILD.name} cannot build on this machine"
    if build.returncode:
        raise Misconfigured(f"{BUILD.name} failed:\n{''.join(lines)}")
    return None
