"""A cgroup of a node's own in every hierarchy: a kubelet ends what it does not know below its root."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.cluster.waiting import wait_for

CGROUPS = Path("/sys/fs/cgroup")
EMPTY_SECONDS = 20  # for killed processes to leave; one in a disk's queue takes its time
INHERITED = (
    "cpuset.cpus",
    "cpuset.mems",
)  # cgroup v1 creates these empty, and takes no process then


@contextmanager
def own_cgroups(name: str) -> Iterator[None]:
    """Hold a cgroup of this name in every hierarchy; remove all below it when its processes have ended."""
    try:
        for root in _hierarchies():
            (root / name).mkdir(exist_ok=True)
            for file in INHERITED:
                if (root / file).exists():
                    (root / name / file).write_text((root / file).read_text())
        yield
    finally:
        wait_for(lambda: remove_cgroups(name), EMPTY_SECONDS, f"the processes of {name} to end")


def remove_cgroups(name: str) -> bool:
    """Remove the cgroups of this name, with all below; tell whether none is left."""
    left = [root for root in _hierarchies() if not _remove(root / name)]
    return not left


def cgroups_named(prefix: str) -> set[str]:
    """Return the names of the cgroups at the roots that begin so."""
    return {found.name for root in _hierarchies() for found in root.glob(f"{prefix}*")}


def _hierarchies() -> list[Path]:
    """Return the roots: one for cgroup v2, for v1 one for each controller."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return [folder for folder in CGROUPS.iterdir() if folder.is_dir() and not folder.is_symlink()]


def _remove(cgroup: Path) -> bool:
    for folder, _, _ in os.walk(cgroup, topdown=False):
        with suppress(OSError):  # busy: some process has not left yet
            Path(folder).rmdir()
    return not cgroup.exists()
