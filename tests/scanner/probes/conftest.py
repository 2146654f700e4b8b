"""Podman with a storage of its own, and images for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from tests.images.machine import require_tools
from tests.scanner.podman import leftovers, podman_environment
from tests.scanner.probes.layouts import Layouts


@pytest.fixture(scope="session")
def environment(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, str]:
    """The environment of a podman that nobody else uses."""
    require_tools(request.config)
    return podman_environment(tmp_path_factory.mktemp("podman"))


@pytest.fixture(scope="session")
def layouts(tmp_path_factory: pytest.TempPathFactory) -> Layouts:
    return Layouts(tmp_path_factory.mktemp("layouts"))


@pytest.fixture
def nothing_left(environment: Mapping[str, str]) -> Iterator[None]:
    """Whatever the test does, nothing of its probes is left."""
    assert leftovers(environment) == []
    yield
    assert leftovers(environment) == []
