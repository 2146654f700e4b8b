"""What every probe offers."""

from dataclasses import dataclass
from typing import Protocol

from webhook.scanner.probes.observation import Observation
from webhook.scanner.progress import Progress

# Where pods are started, unless a person names another one. Here, so that its name is known without that probe.
NAMESPACE = "nbgate-probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to start.

    Attributes:
        image: what the runtime pulls: `registry/name@sha256:…`, or for a layout or an archive what podman calls it,
            `oci:DIR:TAG`, `docker-archive:FILE`. Never a registry's tag: it could have moved since it was resolved.
        platform: `linux/amd64`.
        timeout: seconds to wait for the server, for each start.
    """

    image: str
    platform: str
    timeout: float


class Probe(Protocol):
    """A way to start images as Kubeflow would, and to look at them."""

    @property
    def name(self) -> str:
        """What `--probe` calls it."""
        ...

    def platform(self) -> str:
        """Tell the platform that it can start: `linux/amd64`. Raises ProbeError."""
        ...

    def observe(self, target: Target, progress: Progress) -> Observation:
        """Start the image, look at it, remove everything. Raises ProbeError where it could not be tried."""
        ...
