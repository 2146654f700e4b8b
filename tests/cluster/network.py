"""A network of a cluster's own: a namespace with a bridge in it, and one link from this machine to the bridge.

The API server, the node and its pods are in there, and so is what kube-proxy writes: no rule of it reaches this
machine's own packets, and all of it ends with the namespace, which is with its last process. This machine and the pods
are neighbours on the bridge; nobody else gets there, so that neither the API server nor the kubelet of a test can be
reached from a developer's network. Whoever creates the link has its number, and with that a subnet of its own.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cgroups import cgroups_named, remove_cgroups
from tests.cluster.commands import SERVICES, Command
from tests.cluster.component import Component
from tests.cluster.waiting import wait_for

PREFIX = "nbgate-n"  # with a number of three digits it is within the 15 characters of an interface's name
NUMBERS = 256
BRIDGE = "bridge"
HARDWARE = (
    "02:00:0a:fa:00:01"  # locally administered; the same in each network, which no other one sees
)
ENTER_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """An open network; its number makes its name, its subnet and the cgroup. `first` is the process that holds it."""

    number: int
    component: Component

    @property
    def name(self) -> str:
        """The link's on this machine."""
        return f"{PREFIX}{self.number}"

    @property
    def address(self) -> str:
        """The node's own, and the pods' gateway."""
        return f"10.250.{self.number}.1"

    @property
    def outside(self) -> str:
        """This machine's, for what those inside are to reach on it."""
        return f"10.250.{self.number}.254"

    @property
    def subnet(self) -> str:
        return f"10.250.{self.number}.0/24"

    @property
    def last_of_pods(self) -> str:
        """The last address that a pod may get."""
        return f"10.250.{self.number}.250"

    def inside(self, command: Sequence[str | Path]) -> Command:
        """Return the command that runs another one in there."""
        return ["nsenter", f"--target={self.component.pid}", "--net", "--", *command]


@contextmanager
def own_network(directory: Path, pause: Path) -> Iterator[Network]:
    """Hold a network until the context ends; the program `pause` is its first process."""
    with ExitStack() as stack:
        holding: Command = ["unshare", "--net", pause]
        component = stack.enter_context(Component("network", holding, directory))
        wait_for(lambda: _is(component, pause), ENTER_SECONDS, "the cluster's network")
        network = Network(number=_claimed_number(component), component=component)
        # The kernel would remove it too, a moment after the last process has ended.
        stack.callback(_ip, "link", "delete", network.name)
        _remove_leftovers(network)
        _connect(network)
        yield network


def links() -> list[str]:
    """Return the names of this machine's links to networks of tests."""
    return [folder.name for folder in Path("/sys/class/net").glob(f"{PREFIX}*")]


def _is(component: Component, program: Path) -> bool:
    component.check()
    return Path(f"/proc/{component.pid}/exe").readlink() == program


def _claimed_number(component: Component) -> int:
    for number in range(NUMBERS):
        link = ["link", "add", "name", f"{PREFIX}{number}", "type", "veth"]
        # The kernel lets one of several runs create it, and removes it with its other end, and that with the namespace.
        peer = ["peer", "name", "outside", "netns", str(component.pid)]
        if not _ip(*link, *peer, check=False).returncode:
            return number
    raise RuntimeError(f"all {NUMBERS} links {PREFIX}* are taken: see `ip link`")


def _connect(network: Network) -> None:
    def inside(*args: str) -> None:
        _run([str(word) for word in network.inside(["ip", *args])])

    inside("link", "set", "lo", "up")
    # With a hardware address of its own: else it takes the lowest one of what is connected, and another with a new pod,
    # when its neighbours have learnt the old one.
    inside("link", "add", "name", BRIDGE, "address", HARDWARE, "type", "bridge")
    inside("address", "add", f"{network.address}/24", "dev", BRIDGE)
    inside("link", "set", "outside", "master", BRIDGE, "up")
    inside("link", "set", BRIDGE, "up")
    # The kernel looks for a way to a Service's address before it lets kube-proxy's rules change it.
    inside("route", "add", SERVICES, "dev", BRIDGE)
    # Pods reach Services by way of the node. This setting is the namespace's.
    _run(
        [
            str(word)
            for word in network.inside(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"])
        ]
    )
    _ip("address", "add", f"{network.outside}/24", "dev", network.name)
    _ip("link", "set", network.name, "up")


def _remove_leftovers(ours: Network) -> None:
    """Remove the cgroups of runs that were killed: those without a link, which is there before and after them."""
    left = cgroups_named(PREFIX)
    for name in left - set(links()) | left & {ours.name}:
        remove_cgroups(name)


def _ip(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return _run(["ip", *args], check=check)


def _run(command: list[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr}")
    return done
