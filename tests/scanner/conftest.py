"""A registry with images that were really built, and podman to start them with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.images.machine import require_images, require_tools
from tests.scanner.podman import podman as run_podman
from tests.scanner.podman import podman_environment
from tests.scanner.registry import RunningRegistry
from tests.scanner.shelf import Shelf
from webhook.scanner.probes.podman import PodmanProbe


@pytest.fixture(scope="session")
def shelf(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shelf]:
    """All images of the tests, in a real registry."""
    require_tools(request.config)
    layouts = require_images(request.config)
    with RunningRegistry(tmp_path_factory.mktemp("registry")) as registry:
        yield Shelf(registry, layouts)


@pytest.fixture(scope="session")
def podman(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    shelf: Shelf,
) -> PodmanProbe:
    """A probe with a podman of its own."""
    require_tools(request.config)
    environment = podman_environment(tmp_path_factory.mktemp("podman"))
    for base in ("base", "conforming"):
        # What the others build on: a probe leaves what was there before it, so their layers are unpacked once.
        run_podman(environment, "pull", "--quiet", "--tls-verify=false", shelf.reference(base))
    return PodmanProbe(environment=environment)
