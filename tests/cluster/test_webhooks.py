"""The configurations that the documentation gives are those that the tests run with."""

from __future__ import annotations

from pathlib import Path

import yaml

from tests.cluster import webhooks
from tests.cluster.manifests import Document

PAGE = Path(__file__).parents[2] / "docs" / "webhooks.md"


def without_address(configuration: Document) -> Document:
    """The one thing that a reader fills in."""
    hooks = [
        {k: v for k, v in hook.items() if k != "clientConfig"} for hook in configuration["webhooks"]
    ]
    return {**configuration, "webhooks": hooks}


def test_the_documented_configurations_are_the_tested_ones() -> None:
    _, block, _ = PAGE.read_text().split("```")
    documented = [without_address(d) for d in yaml.safe_load_all(block.removeprefix("yaml"))]
    tested = [without_address(make(8443, b"")) for make in (webhooks.mutating, webhooks.validating)]
    assert documented == tested
