"""A real node on this machine: containerd, a kubelet, a scheduler that sends pods there, a registry for their images.

It runs beside a control plane that was made for it, both in a network of their own (network.py), the node in further
namespaces of its own (enclosure.py) and in cgroups of its own (cgroups.py): when it is left, nothing of it is. Services
work, by kube-proxy; there is no cluster DNS.

    with own_network(directory, pause) as network:
        flags = apiserver_flags(network, directory)
        with ControlPlane(programs, directory, network=network, apiserver_flags=flags) as plane:
            with Node(plane, node_programs, network, pause) as node: ...
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.cluster import nodefiles
from tests.cluster.cgroups import own_cgroups
from tests.cluster.commands import Command
from tests.cluster.component import Component
from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.discovery import Programs
from tests.cluster.enclosure import enclosure
from tests.cluster.manifests import Document
from tests.cluster.network import Network, own_network
from tests.cluster.nodefiles import NodeSettings
from tests.cluster.nodeprograms import NodePrograms
from tests.cluster.ports import reserved_ports
from tests.cluster.waiting import wait_for
from tests.images.compiling import compiled
from tests.images.scratchimage import push_scratch_image
from tests.scanner.registry import RunningRegistry

PAUSE = Path(__file__).with_name("pause.c")
READY_SECONDS = 90  # about 8 are usual, more on a busy machine
PODS_SECONDS = 30  # for all pods to be gone; the kubelet takes two or three
WORKLOADS = "deployments,statefulsets,daemonsets,jobs,cronjobs,replicasets"


class Node:
    """A node that runs while its context is open.

    Attributes: `plane`, the control plane; `directory`, for files and logs; and once it is open
    `registry`, in plain HTTP, which this machine, the node and its pods reach under one name.
    """

    registry: RunningRegistry

    def __init__(
        self, plane: ControlPlane, programs: NodePrograms, network: Network, pause: Path
    ) -> None:
        self.plane = plane
        self.network = network
        self.directory = plane.directory / "node"
        self._programs = programs
        self._pause = pause
        self._components: list[Component] = []
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self.directory.mkdir()
        with ExitStack() as stack:
            self._stack = stack
            self._start()
            stack.callback(self._remove_pods)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def check(self) -> None:
        """Raise ComponentEnded for a server, of the control plane too, that does not run any more."""
        for component in self._components:
            component.check()
        self.plane.check()

    def pod(self, namespace: str, name: str) -> Document:
        """Return a pod. Raises RequestRefused where it is not there."""
        self.check()
        return self.plane.get(f"/api/v1/namespaces/{namespace}/pods/{name}")

    def _start(self) -> None:
        stack = self._stack
        stack.enter_context(own_cgroups(self.network.name))
        registry_home = self.directory / "registry"
        registry_home.mkdir()
        self.registry = stack.enter_context(
            RunningRegistry(registry_home, address=self.network.outside)
        )
        settings = NodeSettings(
            directory=self.directory,
            programs=self._programs,
            network=self.network,
            kubelet_port=stack.enter_context(reserved_ports(1))[0],
            registry=self.registry.host,
            pause_image=f"{self.registry.host}/pause:latest",
            client_certificate=_client_certificate(self.plane.directory),
        )
        _write_files(settings, self.plane)
        push_scratch_image(self.registry, "pause", self._pause)
        held = stack.enter_context(enclosure(self.directory, self.network, self._pause))
        self._components.append(held.component)
        containerd: Command = [self._programs.containerd, "--config", settings.containerd_config]
        self._run("containerd", held.inside(containerd))
        self._run("kubelet", held.inside(nodefiles.kubelet_command(settings, self.plane)))
        scheduler = nodefiles.scheduler_command(settings, self.plane)
        self._run("kube-scheduler", self.network.inside(scheduler))
        wait_for(self._ready, READY_SECONDS, "the node to be ready", ignoring=(RequestRefused,))
        # Before, it would find no node, and wait for one longer each time.
        self._run("kube-proxy", self.network.inside(nodefiles.proxy_command(settings)))

    def _run(self, name: str, command: Command) -> None:
        self._components.append(self._stack.enter_context(Component(name, command, self.directory)))

    def _ready(self) -> bool:
        self.check()
        node = self.plane.get(f"/api/v1/nodes/{nodefiles.NAME}")
        conditions = {one["type"]: one["status"] for one in node["status"].get("conditions", ())}
        # The taint goes a moment after it is ready; until then no pod is sent there.
        return conditions.get("Ready") == "True" and not node["spec"].get("taints")

    def _remove_pods(self) -> None:
        """Let the kubelet end the pods in its own way, so that nothing is killed while it writes."""
        # Without their pods: the garbage collector would give those all the time that they ask for.
        self.plane.kubectl("delete", WORKLOADS, "--all", "--all-namespaces", "--cascade=orphan")
        flags = ("--all", "--all-namespaces", "--grace-period=1", "--wait=false")
        self.plane.kubectl("delete", "pods", *flags)
        wait_for(self._nothing_runs, PODS_SECONDS, "all containers to end")

    def _nothing_runs(self) -> bool:
        # Not until the pods are gone: a kubelet of 1.20 takes ten seconds more to say so.
        pods = self.plane.get("/api/v1/pods")["items"]
        containers = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
        return not any("running" in container["state"] for container in containers)


@contextmanager
def running_node(programs: Programs, node: NodePrograms, directory: Path) -> Iterator[Node]:
    """Run a control plane and its node until the context ends."""
    pause = compiled(PAUSE, directory)
    with own_network(directory, pause) as network:
        flags = apiserver_flags(network, directory)
        with (
            ControlPlane(programs, directory, network=network, apiserver_flags=flags) as plane,
            Node(plane, node, network, pause) as running,
        ):
            yield running


def apiserver_flags(network: Network, directory: Path) -> Sequence[str]:
    """Return what the API server needs to reach the kubelet; write the certificate that it shows there."""
    certificate, key = _client_certificate(directory), directory / "kubelet-client.key"
    _write_client_certificate(certificate, key)
    return [
        f"--bind-address={network.address}",
        f"--kubelet-client-certificate={certificate}",
        f"--kubelet-client-key={key}",
    ]


def _client_certificate(directory: Path) -> Path:
    return directory / "kubelet-client.crt"


def _write_client_certificate(certificate: Path, key: Path) -> None:
    """Write a certificate that is its own authority: the kubelet trusts this client and no other."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kube-apiserver of tests")])
    now = datetime.now(UTC)
    issued = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _write_files(settings: NodeSettings, plane: ControlPlane) -> None:
    settings.containerd_config.write_text(nodefiles.containerd(settings))
    settings.kubelet_config.write_text(json.dumps(nodefiles.kubelet(settings)))
    settings.proxy_config.write_text(json.dumps(nodefiles.proxy(plane)))
    settings.resolv_conf.write_text("")  # there is nobody to ask
    mirror = settings.mirrors / settings.registry / "hosts.toml"
    mirror.parent.mkdir(parents=True)
    mirror.write_text(nodefiles.mirror(settings))
    settings.network_config.mkdir()
    (settings.network_config / "bridge.conf").write_text(json.dumps(nodefiles.network(settings)))
