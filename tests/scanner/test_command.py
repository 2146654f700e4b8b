"""`nbgate scan` whole: real images from a real registry, started by podman, in a process of its own."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cluster.waiting import wait_for
from tests.scanner.podman import leftovers, podman, podman_environment
from tests.scanner.registry import RunningRegistry
from tests.scanner.shelf import Shelf
from tests.scanner.tokenserver import PASSWORD, USER
from webhook.stores.scandir import load_scans

NBGATE = Path(sys.executable).with_name("nbgate")
SECONDS = 120.0


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    """Give podman a place of its own, and nbgate a home."""
    found = podman_environment(tmp_path / "podman")
    own = {name: value for name, value in found.items() if not name.startswith("NBGATE_")}
    return {**own, "NBGATE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}


def scan(environment: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [NBGATE, "scan", *words],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_images_are_found_out_kept_and_gone_again(
    shelf: Shelf, environment: Mapping[str, str], tmp_path: Path
) -> None:
    good, bad = shelf.reference("conforming"), shelf.reference("crashes")
    done = scan(environment, good, bad, "--save", f"{tmp_path}/home/scans")
    assert done.returncode == 1, done
    assert done.stderr.splitlines()[0].startswith("nbgate: images are started with podman, linux/")
    _, row, *below = done.stdout.splitlines()
    assert row.split() == [good, *["pass"] * 7, "Prefix", "Conforms"]
    assert any(line.startswith("  FAIL     [port-8888] it exited with code 3") for line in below)
    assert any(line.startswith("           | FATAL: no licence found") for line in below)
    assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
    kept = {one.reference: one for one in load_scans(tmp_path / "home" / "scans").scans}
    assert kept[good].digest == shelf.digest("conforming")
    assert {one.verdict for one in kept.values()} == {"Conforms", "Violates"}
    assert leftovers(environment) == []


def test_a_signal_ends_it_and_leaves_nothing(shelf: Shelf, environment: Mapping[str, str]) -> None:
    image = shelf.reference("serves-nothing")
    with subprocess.Popen(
        [NBGATE, "scan", "--timeout", "1h", image],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(lambda: podman(environment, "ps", "-q"), SECONDS, "a container to run")
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGTERM, err
    assert out == ""
    assert "nbgate: stopped: 1 of 1 not scanned" in err.splitlines()
    # It ended by itself, at its next look, and was not given up.
    assert leftovers(environment) == []


def test_a_private_registry_is_scanned_and_its_image_started_with_a_pull_secret(
    shelf: Shelf, environment: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    with RunningRegistry(tmp_path / "registry", password=True) as registry:
        reference = f"{registry.host}/team/nb:v1"
        subprocess.run(
            ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--src-tls-verify=false",
             "--dest-tls-verify=false", f"--dest-creds={USER}:{PASSWORD}",
             f"docker://{shelf.reference('conforming')}", f"docker://{reference}"],
            check=True, timeout=SECONDS, env={**os.environ},
        )  # fmt: skip
        without = scan(environment, reference)
        assert without.returncode == 3
        assert "--auth-file" in without.stderr
        secret = tmp_path / "secret.json"
        secret.write_text(json.dumps(pull_secret(registry.host)))
        done = scan(environment, reference, "--auth-file", str(secret))
    assert done.returncode == 0, done
    assert done.stdout.splitlines()[1].split()[-1] == "Conforms"
    assert PASSWORD not in done.stdout + done.stderr
    assert leftovers(environment) == []


def pull_secret(host: str) -> dict[str, object]:
    auth = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    config = json.dumps({"auths": {host: {"auth": auth}}}).encode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "pull"},
        "data": {".dockerconfigjson": base64.b64encode(config).decode()},
    }
