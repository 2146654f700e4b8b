"""Layouts and archives that the real tools write, of two small images, in storage of their own."""

import shutil
import subprocess
from pathlib import Path

TOOLS = ("buildah", "podman", "skopeo")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
NAME = "localhost/team/notebook"
PASSWD = b"jovyan:x:1000:100::/home/jovyan:/bin/sh\n"


def run(*arguments: str | Path) -> str:
    """Run a tool to its end; its output, or an error that shows what it said."""
    done = subprocess.run(
        [str(argument) for argument in arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"{arguments[0]}: {done.stderr}"
    return done.stdout.strip()


def build(folder: Path) -> Path:
    """Write `layout` (v1, multi), `named` (a full name), `one.tar` and `two.tar` into a folder; give it back."""
    storage = ("--root", folder / "root", "--runroot", folder / "run", "--storage-driver", "vfs")
    buildah = ("buildah", *storage)
    (folder / "passwd").write_bytes(PASSWD)
    for architecture in ("amd64", "arm64"):
        container = run(*buildah, "from", "scratch")
        run(*buildah, "config", "--arch", architecture, "--user", "1000", container)
        run(*buildah, "config", "--port", "8888", "--env", "NB_PREFIX=/", container)
        run(*buildah, "add", "-q", container, folder / "passwd", "/etc/passwd")
        run(*buildah, "commit", "-q", "--format", "oci", container, f"{NAME}:{architecture}")
    run(*buildah, "push", "-q", f"{NAME}:amd64", f"oci:{folder}/layout:v1")
    run(*buildah, "push", "-q", f"{NAME}:amd64", f"oci:{folder}/named:{NAME}:v1")
    run(*buildah, "manifest", "create", "multi", f"{NAME}:amd64", f"{NAME}:arm64")
    run(*buildah, "manifest", "push", "-q", "--all", "multi", f"oci:{folder}/layout:multi")
    run(
        "skopeo",
        "copy",
        "-q",
        f"oci:{folder}/layout:v1",
        f"docker-archive:{folder}/one.tar:{NAME}:v1",
    )
    save = ("podman", *storage, "save", "-m", "-q", "-o")
    run(*save, folder / "two.tar", f"{NAME}:amd64", f"{NAME}:arm64")
    return folder
