"""What the programs of a node read: containerd, its network plugins, the kubelet.

Every path but those in the node's directory is the one that the program uses by itself: in the node's enclosure
these are its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import Command
from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.network import BRIDGE, Network
from tests.cluster.nodeprograms import NodePrograms

NAME = "node-of-tests"
SOCKET = "/run/containerd/containerd.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeSettings:
    """Where one node's programs listen, and the files that they read; `registry` is HOST:PORT;
    `client_certificate` is the API server's, and the kubelet knows no other client."""

    directory: Path
    programs: NodePrograms
    network: Network
    kubelet_port: int
    registry: str
    pause_image: str
    client_certificate: Path

    @property
    def containerd_config(self) -> Path:
        return self.directory / "containerd.toml"

    @property
    def network_config(self) -> Path:
        return self.directory / "cni"

    @property
    def mirrors(self) -> Path:
        return self.directory / "mirrors"

    @property
    def kubelet_config(self) -> Path:
        return self.directory / "kubelet.json"

    @property
    def proxy_config(self) -> Path:
        return self.directory / "kube-proxy.json"

    @property
    def resolv_conf(self) -> Path:
        return self.directory / "resolv.conf"


def containerd(settings: NodeSettings) -> str:
    """Return containerd's configuration.

    https://github.com/containerd/containerd/blob/v1.6.20/docs/cri/config.md
    """
    return f"""version = 2
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{settings.pause_image}"
  # Else it lowers scores, which takes CAP_SYS_RESOURCE; containers that run tests often lack it.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{settings.programs.cni}"
  conf_dir = "{settings.network_config}"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "{settings.mirrors}"
"""


def mirror(settings: NodeSettings) -> str:
    """Return the hosts.toml that lets containerd speak plain HTTP to the registry."""
    return f'server = "http://{settings.registry}"\n[host."http://{settings.registry}"]\n'


def network(settings: NodeSettings) -> Document:
    """Return the configuration of the CNI plugin bridge.

    The bridge has its address already, which `isGateway` would be for.
    """
    addresses = {
        "subnet": settings.network.subnet,
        "gateway": settings.network.address,
        "rangeEnd": settings.network.last_of_pods,
    }
    return {
        "cniVersion": "0.4.0",
        "name": "nbgate-tests",
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": False,
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "ranges": [[addresses]],
            "routes": [{"dst": "0.0.0.0/0", "gw": settings.network.address}],
        },
    }


def kubelet(settings: NodeSettings) -> Document:
    """Return the kubelet's configuration."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.network.address,
        "port": settings.kubelet_port,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(settings.client_certificate)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{settings.network.name}",
        "enforceNodeAllocatable": [],
        "oomScoreAdj": 0,  # a lower one takes CAP_SYS_RESOURCE
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,  # for ports of the node's own, and no pod has one
        "resolvConf": str(settings.resolv_conf),
        # A developer's disk may be full to any degree: never evict for it, and never collect a test's images.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        # By default it says every 10 seconds how it is, and so gets ready 10 seconds later.
        "nodeStatusUpdateFrequency": "1s",
        # No waiting in line: by default one image at a time, 5 events and 5 requests a second.
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 200,
    }


def kubelet_command(settings: NodeSettings, plane: ControlPlane) -> Command:
    """Return the kubelet's command."""
    command: Command = [
        settings.programs.kubelet,
        f"--config={settings.kubelet_config}",
        f"--kubeconfig={plane.kubeconfig}",
        f"--container-runtime-endpoint=unix://{SOCKET}",
        f"--hostname-override={NAME}",
        f"--node-ip={settings.network.address}",
    ]
    if plane.programs.version < (1, 24):
        command.append("--container-runtime=remote")  # the only one since
    return command


def proxy(plane: ControlPlane) -> Document:
    """Return kube-proxy's configuration."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "iptables",
        "hostnameOverride": NAME,
        "clientConnection": {"kubeconfig": str(plane.kubeconfig)},
        # In the cluster's own network these are nobody else's.
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # Else the answer of a pod to its neighbour need not come back the way of the question.
        "iptables": {"masqueradeAll": True, "minSyncPeriod": "0s"},
        # No limits: they are the whole machine's.
        "conntrack": {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        },
    }


def proxy_command(settings: NodeSettings) -> Command:
    """Return kube-proxy's command."""
    return [settings.programs.proxy, f"--config={settings.proxy_config}"]


def scheduler_command(settings: NodeSettings, plane: ControlPlane) -> Command:
    """Return the scheduler's command."""
    command: Command = [
        settings.programs.scheduler,
        f"--kubeconfig={plane.kubeconfig}",
        "--leader-elect=false",  # alone, and so at work at once
        "--secure-port=0",
    ]
    if plane.programs.version < (1, 23):
        command.append("--port=0")  # else it serves plain HTTP on a fixed port; gone since
    return command
