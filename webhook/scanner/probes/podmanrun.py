"""One start of an image by podman after another, as Kubeflow would start it."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.container import Container
from webhook.scanner.probes.network import Network
from webhook.scanner.probes.observation import Run
from webhook.scanner.probes.refusal import image_fault, judged, lacks_folder
from webhook.scanner.probes.running import Finished
from webhook.scanner.probes.startoptions import (
    Bounds,
    start_options,
    volume_options,
    workdir_options,
)
from webhook.scanner.probes.volume import make_volume
from webhook.scanner.probes.waiting import Clock, Patience, watch
from webhook.scanner.probes.warded import Warded, fault
from webhook.scanner.progress import Progress

_START_TIME = (
    120.0  # seconds: a first start may copy layers, as overlay does in some user namespaces
)
_MARGIN = 120  # seconds that a container may outlive its time to answer: for the three pages and what podman does


class PodmanRunner:
    """Starts one image; implements Runner.

    Args:
        bring: fetches the image, and gives its id in podman's store.
        prefix: what NB_PREFIX is.
        memory: bytes that it may use.
        cpus: whether podman can bound the CPUs that it may use.
    """

    def __init__(
        self,
        warded: Warded,
        bring: Callable[[], str],
        *,
        prefix: str,
        memory: int,
        cpus: bool,
        patience: Patience,
        progress: Progress,
        environment: Mapping[str, str],
    ) -> None:
        self._warded = warded
        self._bring = bring
        self._prefix = prefix
        self._memory = memory
        self._cpus = cpus
        self._patience = patience
        self._progress = progress
        self._environment = environment
        self._image = ""
        self._starts = 0

    def run(self, *, home: bool, confined: bool) -> Run:
        """Start it, watch it, stop it."""
        self._starts += 1
        name = f"{self._warded.folder.name}-{self._starts}"
        self._image = self._image or self._bring()
        self._progress.stage("starting")
        volume = make_volume(self._warded, f"home-{self._starts}") if home else None
        with Network(self._environment, rootless=self._warded.rootless) as network:
            finished = self._start(name, network, volume, confined=confined)
            if not finished.ok:
                return _refused(finished, home=home, confined=confined)
            self._progress.stage("waiting for the server")
            with Container(name, self._warded, network) as container:
                run = watch(
                    container,
                    self._prefix,
                    self._patience,
                    home=home,
                    confined=confined,
                    clock=Clock(sleep=self._sleep),
                )
        return judged(run)

    def _sleep(self, seconds: float) -> None:
        """Let time pass between two looks; who is told of progress may end the scan there."""
        self._progress.advance(0)
        time.sleep(seconds)

    def _start(
        self, name: str, network: Network, volume: Path | None, *, confined: bool
    ) -> Finished:
        bounds = Bounds(
            memory=self._memory, cpus=self._cpus, seconds=int(self._patience.timeout) + _MARGIN
        )
        options = start_options(
            name, self._warded.folder, network, self._prefix, bounds, confined=confined
        )
        mount = volume_options(volume) if volume else []
        finished = self._podman_run([*options, *mount, *workdir_options()])
        if lacks_folder(finished.errors):
            # A kubelet makes it. Without the volume, an image that has none starts where it says itself.
            self._warded.podman("rm", "--force", "--ignore", name, timeout=_START_TIME)
            finished = self._podman_run([*options, *mount])
        return finished

    def _podman_run(self, options: list[str]) -> Finished:
        return self._warded.podman("run", *options, self._image, timeout=_START_TIME)


def _refused(finished: Finished, *, home: bool, confined: bool) -> Run:
    reason = image_fault(finished.errors)
    if reason is None:
        raise ProbeError(fault("run", finished, _START_TIME))
    return Run(home=home, confined=confined, ending="refused", reason=reason)
