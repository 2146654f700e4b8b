"""A real node on this machine: containerd, a kubelet, a scheduler that sends pods there, a registry for their images.

It runs beside a control plane that was made for it, in namespaces of its own (enclosure.py), on a bridge of its own
(bridge.py) and in cgroups of its own (cgroups.py): when it is left, nothing of it is.

    with claimed_bridge(directory) as bridge:
        flags = apiserver_flags(bridge, directory)
        with ControlPlane(programs, directory, address=bridge.address, apiserver_flags=flags) as plane:
            with Node(plane, node_programs, bridge) as node: ...
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
from tests.cluster.bridge import Bridge, claimed_bridge
from tests.cluster.cgroups import own_cgroups
from tests.cluster.commands import Command
from tests.cluster.component import Component
from tests.cluster.controlplane import ControlPlane, RequestRefused
from tests.cluster.discovery import Programs
from tests.cluster.enclosure import enclosure
from tests.cluster.manifests import Document
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
    `registry`, in plain HTTP at 127.0.0.1, for pushes and for the pods.
    """

    registry: RunningRegistry

    def __init__(self, plane: ControlPlane, programs: NodePrograms, bridge: Bridge) -> None:
        self.plane = plane
        self.bridge = bridge
        self.directory = plane.directory / "node"
        self._programs = programs
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
        stack.enter_context(own_cgroups(self.bridge.name))
        pause = compiled(PAUSE, self.directory)
        registry_home = self.directory / "registry"
        registry_home.mkdir()
        self.registry = stack.enter_context(RunningRegistry(registry_home))
        settings = NodeSettings(
            directory=self.directory,
            programs=self._programs,
            bridge=self.bridge,
            kubelet_port=stack.enter_context(reserved_ports(1))[0],
            registry=self.registry.host,
            pause_image=f"{self.registry.host}/pause:latest",
            client_certificate=_client_certificate(self.plane.directory),
        )
        _write_files(settings)
        push_scratch_image(self.registry, "pause", pause)
        held = stack.enter_context(enclosure(self.directory, pause))
        self._components.append(held.component)
        containerd: Command = [self._programs.containerd, "--config", settings.containerd_config]
        self._run("containerd", held.inside(containerd))
        self._run("kubelet", held.inside(nodefiles.kubelet_command(settings, self.plane)))
        self._run("kube-scheduler", nodefiles.scheduler_command(settings, self.plane))
        wait_for(self._ready, READY_SECONDS, "the node to be ready", ignoring=(RequestRefused,))

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
        self.plane.kubectl("delete", WORKLOADS, "--all", "--all-namespaces", "--wait=false")
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
    with claimed_bridge(directory) as bridge:
        flags = apiserver_flags(bridge, directory)
        with (
            ControlPlane(
                programs, directory, address=bridge.address, apiserver_flags=flags
            ) as plane,
            Node(plane, node, bridge) as running,
        ):
            yield running


def apiserver_flags(bridge: Bridge, directory: Path) -> Sequence[str]:
    """Return what the API server needs to reach the kubelet; write the certificate that it shows there."""
    certificate, key = _client_certificate(directory), directory / "kubelet-client.key"
    _write_client_certificate(certificate, key)
    return [
        # Not all addresses: no network of the developer's can reach it then.
        f"--bind-address={bridge.address}",
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


def _write_files(settings: NodeSettings) -> None:
    settings.containerd_config.write_text(nodefiles.containerd(settings))
    settings.kubelet_config.write_text(json.dumps(nodefiles.kubelet(settings)))
    settings.resolv_conf.write_text("")  # there is nobody to ask
    mirror = settings.mirrors / settings.registry / "hosts.toml"
    mirror.parent.mkdir(parents=True)
    mirror.write_text(nodefiles.mirror(settings))
    settings.network_config.mkdir()
    (settings.network_config / "bridge.conf").write_text(json.dumps(nodefiles.network(settings)))
