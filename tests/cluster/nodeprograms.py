"""What a node needs beside a control plane: programs of Kubernetes, Debian's containers, and root."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.discovery import Absent, Programs

CNI_PLUGINS = (
    Path("/usr/lib/cni"),
    Path("/opt/cni/bin"),
)  # Debian's, and where others unpack them
ADMINS_PATH = "/usr/sbin:/sbin"  # an ordinary user's PATH lacks them


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePrograms:
    """The programs that make a machine a node; `cni` is a folder of plugins."""

    kubelet: Path
    scheduler: Path
    proxy: Path
    containerd: Path
    cni: Path


def find_node_programs(programs: Programs) -> NodePrograms | Absent:
    """Find what a node needs: of Kubernetes beside the API server, of Debian where packages put it."""
    if os.geteuid() != 0:
        return Absent(reason="a node needs root: namespaces, cgroups and a bridge")
    folders = f"{programs.apiserver.parent}:{os.environ['PATH']}:{ADMINS_PATH}"
    kubernetes = ("kubelet", "kube-scheduler", "kube-proxy")
    debian = ("containerd", "runc", "docker-registry", "gcc", "ip", "iptables")
    names = (*kubernetes, *debian, "unshare", "nsenter", "mount")
    found = {name: shutil.which(name, path=folders) for name in names}
    missing = [name for name, path in found.items() if path is None]
    plugins = next((folder for folder in CNI_PLUGINS if (folder / "bridge").exists()), None)
    if plugins is None:
        missing.append("the CNI plugins")
    if missing or plugins is None:
        return Absent(
            reason=f"a node needs {', '.join(missing)}: run tests/install-packages, and for Kubernetes' "
            "own programs tests/cluster/build-kubernetes"
        )
    paths = {name: Path(path) for name, path in found.items() if path}
    return NodePrograms(
        kubelet=paths["kubelet"],
        scheduler=paths["kube-scheduler"],
        proxy=paths["kube-proxy"],
        containerd=paths["containerd"],
        cni=plugins,
    )
