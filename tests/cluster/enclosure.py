"""Namespaces that hold a node: whatever runs in them ends with their first process, whatever is mounted with the last.

So nothing has to be looked for and ended afterwards: containerd leaves its shims behind, they the containers, and the
kubelet its mounts, and the kernel ends them all, also when the tests are killed. The folders that a node writes to
under fixed names are the node's own in there.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import Command
from tests.cluster.component import Component
from tests.cluster.network import Network
from tests.cluster.waiting import wait_for

OWN = ("/run", "/var/lib", "/var/log")
# The kernel's settings that a kubelet changes for the whole machine (pkg/kubelet/cm, setupKernelTunables).
TUNED = tuple(
    Path("/proc/sys") / name
    for name in (
        "vm/overcommit_memory",
        "vm/panic_on_oom",
        "kernel/panic",
        "kernel/panic_on_oops",
        "kernel/keys/root_maxkeys",
        "kernel/keys/root_maxbytes",
    )
)
ENTER_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """Open namespaces, in a network; `first` is the id of their first process, as seen from outside."""

    first: int
    component: Component

    def inside(self, command: Sequence[str | Path]) -> Command:
        """Return the command that runs another one in there."""
        own = ["--mount", "--pid", "--net"]
        return ["nsenter", f"--target={self.first}", *own, "--", *command]


@contextmanager
def enclosure(directory: Path, network: Network, pause: Path) -> Iterator[Enclosure]:
    """Hold namespaces of processes and mounts until the context ends; `pause` is their first process.

    What was written to the folders in OWN goes to `directory`, and is removed at the end.
    """
    with ExitStack() as stack:
        for folder in OWN:
            stack.callback(shutil.rmtree, _own(directory, folder), ignore_errors=True)
            _own(directory, folder).mkdir()
        stack.enter_context(_same_settings_afterwards())
        component = stack.enter_context(
            Component("enclosure", network.inside(_command(directory, pause)), directory)
        )
        first = wait_for(lambda: _first(component, pause), ENTER_SECONDS, "the node's namespaces")
        yield Enclosure(first=first, component=component)


def _own(directory: Path, folder: str) -> Path:
    return directory / folder.strip("/").replace("/", "-")


def _command(directory: Path, pause: Path) -> Command:
    script = [
        # What is mounted in there by one of the programs, the others see; outside nobody does.
        "mount --make-rshared /",
        *(f"mount --bind {shlex.quote(str(_own(directory, folder)))} {folder}" for folder in OWN),
        f"exec {shlex.quote(str(pause))}",
    ]
    unshare: Command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return [*unshare, "sh", "-ec", "\n".join(script)]


def _first(component: Component, pause: Path) -> int | None:
    """Return the id of the first process in there once it is `pause`, which is when all is mounted."""
    component.check()
    children = Path(f"/proc/{component.pid}/task/{component.pid}/children").read_text().split()
    if not children or Path(f"/proc/{children[0]}/exe").readlink() != pause:
        return None
    return int(children[0])


@contextmanager
def _same_settings_afterwards() -> Iterator[None]:
    before = {path: path.read_text() for path in TUNED if path.exists()}
    try:
        yield
    finally:
        for path, value in before.items():
            path.write_text(value)
