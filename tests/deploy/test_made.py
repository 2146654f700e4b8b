"""The files of deploy/ that are made are as `make manifests` makes them now; versions are one."""

from __future__ import annotations

import pytest
import yaml

from deploy.generator.files import FOLDER, made
from webhook import __version__

MADE = made()


@pytest.mark.parametrize("path", MADE)
def test_a_made_file_is_up_to_date(path: str) -> None:
    assert (FOLDER / path).read_text() == MADE[path], "type: make manifests"


def test_nothing_else_lies_among_what_is_made() -> None:
    found = {
        str(path.relative_to(FOLDER))
        for path in (FOLDER / "chart" / "files").rglob("*")
        if path.is_file()
    }
    assert found == {path for path in MADE if path.startswith("chart/files/")}


def test_the_image_that_is_deployed_is_of_this_version() -> None:
    kustomization = yaml.safe_load((FOLDER / "base/kustomization.yaml").read_text())
    assert kustomization["images"] == [
        {"name": "ghcr.io/nbgate/nbgate", "newTag": __version__},
    ]
    chart = yaml.safe_load((FOLDER / "chart/Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
