"""`nbgate controller` on the tests' control plane: its parts in this process, and whole processes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.component import Component
from tests.cluster.controlplane import ControlPlane
from tests.cluster.leadership import post
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.images.scratchimage import CONFIG, MANIFEST, PLATFORM
from tests.scanner.registry import RunningRegistry, sha256
from tests.server.running import NBGATE
from webhook.controller.backlog import Backlog
from webhook.controller.claim import Claiming
from webhook.controller.job import Job
from webhook.controller.keeper import Keeper
from webhook.controller.metrics import Metrics, State
from webhook.controller.schedule import Terms
from webhook.controller.turn import Work
from webhook.core.scan import scan_name
from webhook.kube import Kube
from webhook.scanner.probes.probe import Probe
from webhook.scanner.scanning import ScanSettings
from webhook.scanner.sources.network import Resolve, system_resolve
from webhook.scanner.sources.registry import Patiences, RegistryOptions
from webhook.scanner.sources.retries import Retries
from webhook.stores.scanrequests import request_document

SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"
IDLE = State(pending=0, running=0, paused=0, unreadable=0, leader=False, age=0.0)


def ask_for_scan(
    plane: ControlPlane, image: str, *, interval: str = "24h", namespace: str = ""
) -> str:
    """Create an ImageScan without a result, as people do or, for a namespace, admission does; give its name."""
    document = request_document(image, namespace, scan_name(image))
    if not namespace:
        document["metadata"] = {"name": scan_name(image)}
    document["spec"]["interval"] = interval
    post(plane, SCANS, document)
    return scan_name(image)


def scan_of(plane: ControlPlane, name: str) -> Document:
    """Read an ImageScan."""
    return plane.get(f"{SCANS}/{name}")


def status_of(plane: ControlPlane, name: str) -> dict[str, Any]:
    """Read its status; empty where it has none."""
    found: dict[str, Any] = scan_of(plane, name).get("status", {})
    return found


def push_image(registry: RunningRegistry, repository: str, tag: str, user: str = "1000") -> str:
    """Push an image of no layers under a tag, in a moment; `user` makes it another one. Give its digest."""
    config = json.dumps(
        {**PLATFORM, "config": {"User": user}, "rootfs": {"type": "layers", "diff_ids": []}}
    ).encode()
    registry.push_blob(repository, config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": sha256(config), "size": len(config)},
        "layers": [],
    }
    return registry.push_manifest(repository, tag, json.dumps(manifest).encode(), MANIFEST)


@dataclass(slots=True)
class Clock:
    """Seconds since the epoch, as the machine has them and as far ahead as a test wants."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Worker:
    """One worker of a replica, in the test's own thread: `turn` does what is due with an image."""

    def __init__(
        self,
        kube: Kube,
        *hosts: str,
        probe: Probe | None = None,
        identity: str = "worker",
        claim: float = 60.0,
        private: bool = True,
        resolve: Resolve = system_resolve,
    ) -> None:
        self.clock = Clock()
        self.metrics = Metrics()
        self.complaints: list[str] = []
        self.backlog = Backlog(Terms(claim=claim), now=self.clock)
        self.keeper = Keeper(claim, self.complaints.append)
        self.claiming = Claiming(kube=kube, identity=identity, length=claim, now=self.clock)
        options = RegistryOptions(
            user_files=False,
            plain_http=frozenset(hosts),
            private=False,
            private_hosts=frozenset(hosts if private else ()),
            patiences=Patiences(connect=0.5, document=1, blob_begin=1, blob_pause=0.5),
            retries=Retries(pauses=()),
            resolve=resolve,
        )
        settings = ScanSettings(platforms=("linux/amd64",), registry=options, probe=probe)
        self.work = Work(
            backlog=self.backlog,
            claiming=self.claiming,
            keeper=self.keeper,
            job=Job(settings=settings, now=self.clock),
            recorder=self.metrics,
            report=self.complaints.append,
        )

    def turn(self, name: str) -> float:
        """Do what is due with an image, now."""
        return self.work.turn(name)

    def counted(self, metric: str) -> float:
        """Give the value of a metric."""
        lines = self.metrics.render(IDLE).decode().splitlines()
        return next(
            (float(line.rpartition(" ")[2]) for line in lines if line.startswith(metric)), 0.0
        )


class RunningController(Component):
    """A process of `nbgate controller`, which starts no images unless `flags` say so.

    Args:
        plane: its cluster, as the account of `kubeconfig`, or as its admin.
        flags: beside those that every test needs.
    """

    def __init__(
        self,
        name: str,
        plane: ControlPlane,
        directory: Path,
        *flags: str,
        kubeconfig: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._plane = plane
        variables = {"KUBECONFIG": str(kubeconfig or plane.kubeconfig), **(environ or {})}
        settings = [f"{key}={value}" for key, value in variables.items()]
        common = ("--listen", "127.0.0.1:0", "--probe", "none", "--certificates", "none")
        super().__init__(name, ["env", *settings, NBGATE, "controller", *common, *flags], directory)

    def await_ready(self) -> None:
        """Wait until it is."""
        wait_for(self._ready, 30, f"{self.name} to be ready", ignoring=(httpx.TransportError,))

    def get(self, path: str) -> httpx.Response:
        """Ask it over HTTP."""
        return httpx.get(f"{self._url()}{path}", timeout=5, trust_env=False)

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Give what it has logged of one kind."""
        lines = self.log.read_text(errors="replace").splitlines()
        records = [json.loads(line) for line in lines if line.startswith("{")]
        return [record for record in records if record.get("event") == event]

    def terminate(self, seconds: float = 20) -> int:
        """Send SIGTERM, wait for the end, and give the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._process.wait(seconds)

    def _url(self) -> str:
        return str(self.logged("listening")[0]["url"]) if self.logged("listening") else "http://_"

    def _ready(self) -> bool:
        self.check()
        return self.get("/readyz").status_code == 200
