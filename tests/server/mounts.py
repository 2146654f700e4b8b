"""File systems that one process alone sees: they are gone when it is, however it ended."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.images.machine import unavailable


def seeing(*mounts: Sequence[str]) -> list[str]:
    """Give the command that runs the one behind it where these mounts are made, each as the words after `mount`."""
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        unavailable("nothing may be mounted here: this needs root")
    made = " && ".join(shlex.join(["mount", *words]) for words in mounts)
    script = f'{made} && exec "$@"'
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh"]


def small(folder: Path, kilobytes: int) -> list[str]:
    """An empty file system of that size."""
    return ["-t", "tmpfs", "-o", f"size={kilobytes}k,mode=755", "tmpfs", str(folder)]


def on_disk(folder: Path, image: Path) -> list[str]:
    """An empty file system on a disk, as this file stands for one: unlike memory, it can be made to hang."""
    image.write_bytes(bytes(4 << 20))
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    return ["-o", "loop", str(image), str(folder)]


def read_only(folder: Path) -> tuple[list[str], list[str]]:
    """The folder as it is, read-only; who does not see the mounts can still write to it."""
    bound = ["--bind", str(folder), str(folder)]
    return bound, ["-o", "remount,bind,ro", str(folder)]


def seen_by(pid: int, path: Path) -> Path:
    """A path of files as a process sees them."""
    return Path(f"/proc/{pid}/root{path}")


def in_mounts_of(pid: int, *command: str) -> None:
    """Run a command where a process' mounts are seen."""
    subprocess.run(["nsenter", f"--target={pid}", "--mount", "--", *command], check=True)
