"""What the machine must have for tests that build, push or start images; fixtures ask here."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache, partial
from pathlib import Path
from typing import NoReturn

import pytest

from tests.images.buildah import CannotBuild
from tests.images.building import images

INSTALL = Path(__file__).parent.with_name("install-packages")
CANNOT_INSTALL = 3  # its exit code when this machine cannot have the packages


class InstallationFailed(Exception):
    """The packages could have been installed here, and were not; never a reason to skip."""


def require_tools(config: pytest.Config) -> None:
    """Make sure that the programs for images and nodes are here: installed if they are missing, else the test skips.

    In CI it fails instead. Raises InstallationFailed.
    """
    if reason := _why_there_are_no_tools(config):
        unavailable(f"no programs to build and start images with: {reason}")


def require_images(config: pytest.Config, *names: str) -> dict[str, Path]:
    """Return the OCI layouts of these images, by default of all: built if they are missing, else the test skips.

    In CI it fails instead. Raises InstallationFailed, and BuildFailed of `buildah.py`.
    """
    require_tools(config)
    try:
        return images(*names, say=partial(say, config))
    except CannotBuild as error:
        unavailable(str(error))


def say(config: pytest.Config, line: str) -> None:
    """Tell the person who waits, past pytest's capture, which would show it only after a failure."""
    with config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        sys.stderr.write(f"\n{line}\n")


def unavailable(reason: str) -> NoReturn:
    """Skip, and say why; but never where the tests guard what is merged."""
    if os.environ.get("CI"):
        pytest.fail(f"in CI these tests must run: {reason}", pytrace=False)
    pytest.skip(reason)


@cache
def _why_there_are_no_tools(config: pytest.Config) -> str | None:
    """Run `install-packages`, once a session; return why this machine cannot have what it installs."""
    lines = []
    with subprocess.Popen([INSTALL], stderr=subprocess.PIPE, text=True) as installation:
        assert installation.stderr is not None
        for line in installation.stderr:
            say(config, line.rstrip())
            lines.append(line)
    if installation.returncode == CANNOT_INSTALL:
        return lines[-1].strip()
    if installation.returncode:
        raise InstallationFailed(f"{INSTALL.name} failed:\n{''.join(lines)}")
    return None
