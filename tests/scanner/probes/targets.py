"""Targets for probes, from the names that people type."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.scanner.memory import image_of
from webhook.scanner.opening import open_source
from webhook.scanner.probes.observation import Observation
from webhook.scanner.probes.podman import PodmanProbe
from webhook.scanner.probes.probe import Target
from webhook.scanner.progress import Progress, Silent
from webhook.scanner.resolving import load_image
from webhook.scanner.sources.naming import parse_name
from webhook.scanner.sources.registry import RegistryOptions

_PLATFORM = "linux/amd64"


@contextmanager
def opened_target(name: str, timeout: float) -> Iterator[Target]:
    """Open an image as a scan does, and give what a probe is handed of it."""
    opened = open_source(parse_name(name), RegistryOptions(), None)
    with closing(opened.source):
        (built,) = load_image(opened.source, (_PLATFORM,)).platforms
        yield Target(
            image=opened.pull_name(built.digest),
            source=opened.source,
            built=built,
            platform=_PLATFORM,
            timeout=timeout,
        )


def observe(
    probe: PodmanProbe, name: str, timeout: float = 10, progress: Progress | None = None
) -> Observation:
    """Start an image of this name and look at it."""
    with opened_target(name, timeout) as target:
        return probe.observe(target, progress or Silent())


def pulled_by_nodes(image: str, timeout: float) -> Target:
    """Give what the cluster's probe is handed of an image: it needs the name alone."""
    source = image_of({})
    (built,) = load_image(source, (_PLATFORM,)).platforms
    return Target(image=image, source=source, built=built, platform=_PLATFORM, timeout=timeout)
