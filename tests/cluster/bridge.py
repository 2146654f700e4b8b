"""A bridge of a node's own, and with it a subnet that no other test run on this machine uses.

Its first address is the node's: pods and this machine reach it, nobody else does, so that neither the API server nor
the kubelet of a test can be reached from a developer's network. Whoever creates the bridge has its number; a bridge
whose run was killed before it could remove it is removed by the next.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cgroups import remove_cgroups

PREFIX = "nbgate-n"  # with a number of three digits it is within the 15 characters of an interface's name
LOCK = "bridge.lock"  # in the owner's directory, held for as long as the owner lives
NUMBERS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """One claimed bridge; its number makes its name, its subnet and its cgroup."""

    number: int

    @property
    def name(self) -> str:
        return f"{PREFIX}{self.number}"

    @property
    def address(self) -> str:
        """The node's own, and the pods' gateway."""
        return f"10.250.{self.number}.1"

    @property
    def subnet(self) -> str:
        return f"10.250.{self.number}.0/24"


@contextmanager
def claimed_bridge(directory: Path) -> Iterator[Bridge]:
    """Hold a bridge with its address set until the context ends. Remove those of dead runs before."""
    with ExitStack() as stack:
        lock = stack.enter_context((directory / LOCK).open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_leftovers()
        bridge = _claim()
        stack.callback(_ip, "link", "delete", bridge.name)
        _ip("link", "set", bridge.name, "alias", str(directory))
        _ip("address", "add", f"{bridge.address}/24", "dev", bridge.name)
        _ip("link", "set", bridge.name, "up")
        yield bridge


def links() -> list[dict[str, str]]:
    """Return this machine's links of tests, as `ip` tells of them."""
    told = _ip("-json", "link", "show", "type", "bridge").stdout
    found: list[dict[str, str]] = json.loads(told or "[]")
    # An answer has empty objects for links of other types.
    return [link for link in found if link.get("ifname", "").startswith(PREFIX)]


def _claim() -> Bridge:
    for number in range(NUMBERS):
        name = f"{PREFIX}{number}"
        # The kernel lets one of several runs create it.
        if not _ip("link", "add", "name", name, "type", "bridge", check=False).returncode:
            return Bridge(number=number)
    raise RuntimeError(f"all {NUMBERS} bridges {PREFIX}* are taken: see `ip link`")


def _remove_leftovers() -> None:
    for link in links():
        owner = link.get("ifalias")  # without one, its owner is just about to write it
        if owner and not _alive(Path(owner)):
            _ip("link", "delete", link["ifname"], check=False)
            remove_cgroups(link["ifname"])


def _alive(directory: Path) -> bool:
    try:
        lock = os.open(directory / LOCK, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _ip(*args: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["ip", *args], capture_output=True, text=True, timeout=30, check=False)
    if check and done.returncode:
        raise RuntimeError(f"ip {' '.join(args)}: {done.stderr}")
    return done
