"""What every probe offers."""

from dataclasses import dataclass
from typing import Protocol

from webhook.scanner.image import PlatformImage
from webhook.scanner.probes.observation import Observation
from webhook.scanner.progress import Progress
from webhook.scanner.source import Source

# Where pods are started, unless a person names another one. Here, so that its name is known without that probe.
NAMESPACE = "nbgate-probes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to start.

    Attributes:
        image: what a cluster pulls, `registry/name@sha256:…`, never a tag: it could have moved since it was resolved.
            For what no registry has, its name here: `oci:DIR`, `docker-archive:FILE`.
        source: where its bytes come from; open.
        built: the image of `platform`.
        platform: `linux/amd64`.
        timeout: seconds to wait for the server, for each start.
    """

    image: str
    source: Source
    built: PlatformImage
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
        """Start the image, look at it, remove everything.

        Raises ScanError: ProbeError where it could not be tried, and what the source raises.
        """
        ...
