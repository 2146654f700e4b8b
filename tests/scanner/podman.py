"""Podman for tests: with settings that work on this machine, and a storage of its own, so that nothing is left.

    @pytest.fixture(scope="module")
    def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
        return podman_environment(tmp_path_factory.mktemp("podman"))

    PodmanProbe(environment=environment)

`buildah` and `skopeo` understand the same variables.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

_SECONDS = 120
_CAP_SYS_RESOURCE = 24  # linux/capability.h


def podman_environment(folder: Path) -> Mapping[str, str]:
    """Write podman's settings into an empty folder, and give the environment that makes podman use them.

    Its storage and its temporary files lie there too; TMPDIR is `folder/tmp`.
    """
    (folder / "tmp").mkdir(parents=True)
    (folder / "containers.conf").write_text(_containers_conf())
    (folder / "storage.conf").write_text(
        "[storage]\n"
        'driver = "overlay"\n'
        f"graphroot = {json.dumps(str(folder / 'storage'))}\n"
        f"runroot = {json.dumps(str(folder / 'run'))}\n"
        # Else the folder is a mount for ever after, and cannot be removed.
        '[storage.options.overlay]\nskip_mount_home = "true"\n'
    )
    return {
        **os.environ,
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "TMPDIR": str(folder / "tmp"),
    }


def podman(environment: Mapping[str, str], *arguments: str) -> str:
    """Run podman there, and give what it prints."""
    done = subprocess.run(
        ["podman", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def images(environment: Mapping[str, str]) -> set[str]:
    """Give every image there by id and name, the unnamed and the parts of others among them."""
    listing = podman(
        environment, "images", "-a", "--no-trunc", "--digests", "--format",
        "{{.ID}} {{.Repository}}:{{.Tag}} {{.Digest}}",
    )  # fmt: skip
    return set(listing.splitlines())


def leftovers(environment: Mapping[str, str]) -> list[str]:
    """Give what probes left there: containers, volumes, folders, and processes that know of the place."""
    temporary = environment["TMPDIR"]
    return [
        *podman(environment, "ps", "-a", "--format", "container {{.Names}}").splitlines(),
        *podman(environment, "volume", "ls", "--format", "volume {{.Name}}").splitlines(),
        *(f"folder {path}" for path in Path(temporary).iterdir()),
        *(f"process {name}" for name in _processes_of(temporary)),
    ]


def _processes_of(temporary: str) -> list[str]:
    """Give programs with that folder in their arguments, and podman's own that run in its storage."""
    storage = str(Path(temporary).parent / "storage")
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if temporary in words or storage in words:
            found.append(words[:200])
    return found


def _containers_conf() -> str:
    engine, containers = [], []
    # crun does not start under hybrid cgroups.
    if Path("/sys/fs/cgroup/unified").exists() and shutil.which("runc"):
        engine.append('runtime = "runc"')
    # Root without this capability may not raise limits, which podman does for root.
    if not _has_capability(_CAP_SYS_RESOURCE):
        containers.append('default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]')
    return "\n".join(["[engine]", *engine, "[containers]", *containers, ""])


def _has_capability(number: int) -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective.split()[1], 16) & 1 << number)
