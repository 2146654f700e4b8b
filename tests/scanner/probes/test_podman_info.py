"""A podman that cannot be used says so of itself before anything is started: what is wrong with it, and the cure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from webhook.scanner.errors import ScanError
from webhook.scanner.probes.podman import PodmanProbe

Json = dict[str, Any]


def info(version: str = "4.3.1", **host: object) -> Json:
    told = {
        "os": "linux",
        "arch": "amd64",
        "serviceIsRemote": False,
        "security": {"rootless": True},
        **host,
    }
    return {"host": told, "version": {"Version": version}, "store": {"graphRoot": "/x"}}


def podman(folder: Path, said: str, code: int = 0) -> PodmanProbe:
    """Put a program `podman` in the path that says so, whatever it is asked."""
    program = folder / "podman"
    (folder / "said").write_text(said)
    stream = "" if code == 0 else ">&2"
    program.write_text(f'#!/bin/sh\n/bin/cat "{folder}/said" {stream}\nexit {code}\n')
    program.chmod(0o755)
    return PodmanProbe(environment={"PATH": str(folder)})


def refusal(probe: PodmanProbe) -> str:
    with pytest.raises(ScanError) as raised:
        probe.platform()
    assert str(raised.value).isprintable()
    return str(raised.value)


@pytest.mark.parametrize("version", ["4.3.0", "4.10.2-dev", "5.0.0"])
def test_one_that_is_new_enough_tells_its_platform(tmp_path: Path, version: str) -> None:
    probe = podman(tmp_path, json.dumps(info(version)))
    assert probe.available()
    assert probe.platform() == "linux/amd64"


@pytest.mark.parametrize("version", ["4.2.9", "3.99.0", "0.0"])
def test_one_that_is_too_old_is_not_tried(tmp_path: Path, version: str) -> None:
    said = refusal(podman(tmp_path, json.dumps(info(version))))
    assert said == f"podman here is {version}, too old: install 4.3 or newer"


def test_one_that_drives_another_machine_is_not_used(tmp_path: Path) -> None:
    """The probe speaks to the container over this machine's network, and gives it this machine's folders."""
    said = refusal(podman(tmp_path, json.dumps(info(serviceIsRemote=True))))
    assert "run nbgate on that one, or use --probe cluster" in said


@pytest.mark.parametrize(
    "said",
    ["", "no JSON", "[]", "null", '{"host": {}}', json.dumps(info("next"))],
    ids=["nothing", "words", "list", "null", "no version", "no number"],
)
def test_one_that_says_something_else_is_not_understood(tmp_path: Path, said: str) -> None:
    assert refusal(podman(tmp_path, said)).startswith("podman info: it cannot be understood")


def test_one_that_fails_says_why_in_its_last_line(tmp_path: Path) -> None:
    said = refusal(podman(tmp_path, "a warning\nError: no space left\x1b[2J\n", code=125))
    assert said == "podman info: no space left?[2J"


def test_one_that_is_not_there_is_told_of_with_the_way_without_it(tmp_path: Path) -> None:
    probe = PodmanProbe(environment={"PATH": str(tmp_path)})
    assert not probe.available()
    assert "install it, or use --probe none" in refusal(probe)
