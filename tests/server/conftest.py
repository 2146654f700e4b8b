from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.running import RunningServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("home"), "--audit-level", "all") as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path
