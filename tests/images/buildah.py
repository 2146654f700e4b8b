"""Building one recipe with buildah, in a folder that holds all that it makes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.images.pipsettings import write_secrets
from tests.images.recipe import CONTAINERFILE, PREPARE, Recipe

CANNOT = 3  # the exit code of a `prepare` whose machine lacks what it needs
_SECONDS = 900  # for each program: JupyterLab's takes one minute on 2 idle cores
_LINES_SHOWN = 20


class CannotBuild(Exception):
    """This machine cannot build the image; the message says what it lacks."""


class BuildFailed(Exception):
    """A program of the build failed; the message ends with the end of its output."""


class Workshop:
    """Builds recipes one after the other; each becomes a base that the next ones find in buildah's storage.

    `scratch` is an empty folder, which its owner removes in the end; every program inherits the descriptor `lock`.
    """

    def __init__(self, scratch: Path, lock: int) -> None:
        if os.geteuid() != 0:
            raise CannotBuild("building the images of the tests needs root, for debootstrap")
        self._scratch = scratch
        self._lock = lock
        self._secrets = scratch / "secrets"
        self._stored: set[str] = set()

    def build(self, recipe: Recipe, base: Path | None) -> Path:
        """Return a new OCI layout of the recipe, on the same file system; `base` is its base's layout.

        Raises BuildFailed, or CannotBuild if its `prepare` says so.
        """
        context = self._written(recipe)
        if PREPARE in recipe.files:
            self._run([f"./{PREPARE}"], f"preparing {recipe.name}", context)
        if recipe.base and base:
            self._store(recipe.base.name, base)
        tag = f"localhost/{recipe.name}"
        bud = ["bud", "--isolation=chroot", "--network=host", "--layers", "--pull-never"]
        told = [*self._secret_flags(recipe), f"--tag={tag}", str(context)]
        self._buildah([*bud, *told], f"building {recipe.name}")
        self._stored.add(recipe.name)
        shutil.rmtree(context)
        layout = self._scratch / "layout"
        self._buildah(["push", "--quiet", tag, f"oci:{layout}:latest"], f"saving {recipe.name}")
        if recipe.finish:
            recipe.finish(layout)
        if base:
            _share_blobs(layout, base)
        return layout

    def build_dockerfile(self, name: str, context: Path, base_name: str, base: Path) -> Path:
        """Return a new OCI layout of what the Dockerfile of `context` makes, on a base's layout. Raises BuildFailed.

        Layers that the storage has are not made again. Pip's settings are mounted for the build, where pip looks.
        """
        self._store(base_name, base)
        write_secrets(self._secrets)
        bud = ["bud", "--isolation=chroot", "--network=host", "--layers", "--pull-never"]
        mounts = [f"--volume={self._secrets}:/run/secrets:ro"]
        mounts.append(f"--volume={self._secrets / 'pip.conf'}:/etc/pip.conf:ro")
        told = [f"--build-arg=BASE=localhost/{base_name}", f"--tag=localhost/{name}", str(context)]
        self._buildah([*bud, *mounts, *told], f"building {name}")
        layout = self._scratch / "layout"
        # Not by `buildah push`, which packs every layer anew: that takes longer than what is sent over loopback later.
        copy = ["skopeo", "--insecure-policy", "copy", "--quiet"]
        unpacked = "--dest-oci-accept-uncompressed-layers"
        source = f"{self._containers_storage}localhost/{name}:latest"
        self._run([*copy, unpacked, source, f"oci:{layout}:latest"], f"saving {name}")
        return layout

    @property
    def _containers_storage(self) -> str:
        """How skopeo calls the storage."""
        return f"containers-storage:[overlay@{self._scratch}/storage+{self._scratch}/run]"

    def _written(self, recipe: Recipe) -> Path:
        context = self._scratch / "context"
        for path, file in recipe.files.items():
            written = context / path
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_bytes(file.content)
            written.chmod(0o755 if file.executable else 0o644)
        return context

    def _secret_flags(self, recipe: Recipe) -> list[str]:
        """Hand pip's settings to a build that asks for secrets; they are in no layer of it."""
        if b"--mount=type=secret" not in recipe.files[CONTAINERFILE].content:
            return []
        if not self._secrets.exists():
            write_secrets(self._secrets)
        return [f"--secret=id={each.name},src={each}" for each in self._secrets.iterdir()]

    def _store(self, name: str, layout: Path) -> None:
        """Bring a base that an earlier run built into the storage.

        Not by `buildah pull`: that makes the layout's path a name, and `.cache` cannot stand in one.
        """
        if name not in self._stored:
            copy = ["skopeo", "--insecure-policy", "copy", "--quiet", f"oci:{layout}:latest"]
            self._run(
                [*copy, f"{self._containers_storage}localhost/{name}:latest"], f"reading {name}"
            )
            self._stored.add(name)

    def _buildah(self, arguments: list[str], what: str) -> None:
        storage = [f"--root={self._scratch}/storage", f"--runroot={self._scratch}/run"]
        self._run(["buildah", "--storage-driver=overlay", *storage, *arguments], what)

    def _run(self, command: list[str], what: str, folder: Path | None = None) -> None:
        """Run a program to its end, in `folder` or the scratch folder.

        It has processes and mounts of its own: what it leaves running or mounted goes with it, and all of it with us,
        however we end. So removing the scratch folder reaches nothing that is in use, and nothing of the machine's.
        """
        with_us = ["setpriv", "--pdeathsig=KILL"]
        alone = ["unshare", "--mount", "--pid", "--mount-proc", "--fork", "--kill-child"]
        log = self._scratch / "log"
        try:
            with log.open("wb") as output:
                done = subprocess.run(
                    [*with_us, *alone, *command],
                    cwd=folder or self._scratch,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    timeout=_SECONDS,
                    check=False,
                    pass_fds=[self._lock],
                )
        except subprocess.TimeoutExpired as error:
            raise BuildFailed(f"{what}: not done after {_SECONDS} s\n{_end_of(log)}") from error
        if done.returncode == CANNOT:
            raise CannotBuild(f"{what}: {_end_of(log)}")
        if done.returncode:
            raise BuildFailed(f"{what}: exit code {done.returncode}\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LINES_SHOWN:])


def _share_blobs(layout: Path, base: Path) -> None:
    """Make the blobs that the base has too one file on the disk: 40 images on one base would be 2 GB."""
    for blob in (layout / "blobs/sha256").iterdir():
        shared = base / "blobs/sha256" / blob.name
        if shared.exists():
            blob.unlink()
            os.link(shared, blob)
