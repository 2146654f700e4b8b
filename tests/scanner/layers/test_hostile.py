import json
import subprocess
import sys
from typing import Any

import pytest

from tests.scanner.layers.hostilelayers import LAYERS
from tests.scanner.unmeasured import unmeasured

# Measured on two cores: the slowest take 5 s, some of it to be made, and all of them take 40 MiB, half of that Python.
SECONDS = 30
MEBIBYTES = 200


@pytest.fixture(scope="module")
def outcomes() -> dict[str, dict[str, Any]]:
    """Read all of them in a process of its own, for its memory is measured."""
    command = [sys.executable, "-W", "error", "-m", "tests.scanner.layers.hostilelayers"]
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=unmeasured())
    return {found["name"]: found for found in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize("name", LAYERS)
def test_hostile_layers_end_in_time_with_an_error_that_names_them(
    name: str, outcomes: dict[str, dict[str, Any]]
) -> None:
    _, _, words = LAYERS[name]
    message = outcomes[name]["message"]
    assert words in message
    assert bool(words) == bool(message)
    assert message.startswith("layer x") or not message
    assert message.isprintable()
    assert len(message) < 400
    assert outcomes[name]["seconds"] < SECONDS


def test_hostile_layers_take_little_memory(outcomes: dict[str, dict[str, Any]]) -> None:
    assert max(found["peak"] for found in outcomes.values()) < MEBIBYTES
