"""Start images in local containers, with podman: for laptops, and for pipelines that build images."""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from webhook.core.words import cut
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.ladder import climb
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.podmanrun import PodmanRunner
from webhook.scanner.probes.probe import Target
from webhook.scanner.probes.pulling import bring
from webhook.scanner.probes.room import SPARE, Room
from webhook.scanner.probes.running import run_program
from webhook.scanner.probes.waiting import Patience
from webhook.scanner.probes.warded import Warded, fault
from webhook.scanner.progress import Progress

_INFO_TIME = 60.0
_OLDEST = (4, 3)  # the oldest that this was tried with, Debian 12's


@dataclass(frozen=True, slots=True, kw_only=True)
class _Host:
    """What podman says of itself.

    Attributes:
        cpus: whether it may bound a container's; rootless, systemd may not have handed that on.
        storage: where it keeps images.
    """

    platform: str
    rootless: bool
    cpus: bool
    storage: Path


@dataclass(slots=True, kw_only=True)
class PodmanProbe:
    """Starts images with podman, rootful or rootless, as it is set up here (containers.conf); implements Probe.

    Podman talks to no registry: it is given the image as we fetched it, see freshlayout.py. Strangers' code gets no
    network, at most 1024 processes and 2 CPUs, and an end. Several threads may use one.

    Attributes:
        memory: bytes that an image may use. A spawner's small notebook has 1 GiB; a large one needs more to start.
        spare: bytes that must stay free on the disks that it is brought to.
        environment: of podman; None for this process's.
    """

    name: str = field(default="podman", init=False)
    memory: int = 2 * 1024**3
    spare: int = SPARE
    environment: Mapping[str, str] | None = None
    _known: _Host | None = field(default=None, init=False)

    def available(self) -> bool:
        """Tell whether podman is installed here; cheap, and no promise that it works."""
        path = self._variables().get("PATH")
        return sys.platform == "linux" and shutil.which("podman", path=path) is not None

    def platform(self) -> str:
        """Tell the platform that podman runs here: `linux/amd64`. Raises ProbeError."""
        return self._host().platform

    def observe(self, target: Target, progress: Progress) -> Observation:
        """Start the image up to four times, look at it, remove everything.

        Images that were there before stay as they are. Raises ProbeError where it could not be tried, or not all be
        removed, and other ScanErrors where the image could not be fetched.
        """
        host = self._host()
        environment = self._variables()
        with Warded(environment, rootless=host.rootless) as warded:
            room = Room(folder=warded.folder, storage=host.storage, spare=self.spare)
            runner = PodmanRunner(
                warded,
                partial(bring, target, warded, room, progress),
                prefix=f"/notebook/nbgate-probe/p{secrets.token_hex(4)}",
                memory=self.memory,
                cpus=host.cpus,
                patience=Patience(timeout=target.timeout),
                progress=progress,
                environment=environment,
            )
            return climb(runner)

    def _variables(self) -> Mapping[str, str]:
        return os.environ if self.environment is None else self.environment

    def _host(self) -> _Host:
        if self._known is None:
            self._known = _ask_host(self._variables())
        return self._known


def _ask_host(environment: Mapping[str, str]) -> _Host:
    try:
        finished = run_program(
            ["podman", "info", "--format", "json"],
            timeout=_INFO_TIME,
            environment=environment,
            folder=Path("/"),
        )
    except OSError as error:
        raise ProbeError(
            f"podman cannot be run: {error.strerror}; install it, or use --probe none"
        ) from error
    if not finished.ok:
        raise ProbeError(fault("info", finished, _INFO_TIME))
    try:
        return _read_info(finished.output)
    except (ValueError, KeyError, TypeError) as error:
        raise ProbeError(f"podman info: it cannot be understood: {cut(str(error), 200)}") from error


def _read_info(text: str) -> _Host:
    info = json.loads(text)
    host, version = info["host"], info["version"]["Version"]
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise ProbeError(f"podman here is {cut(version, 50)}, too old: install {oldest} or newer")
    if host["serviceIsRemote"]:
        raise ProbeError(
            "podman here drives another machine: run nbgate on that one, or use --probe cluster"
        )
    return _Host(
        platform=f"{host['os']}/{host['arch']}",
        rootless=bool(host["security"]["rootless"]),
        cpus="cpu" in (host.get("cgroupControllers") or ()),
        storage=Path(info["store"]["graphRoot"]),
    )
