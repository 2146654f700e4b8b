"""What `nbgate controller` says to what it cannot use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.running import nbgate
from webhook.cli.controller import command


def told(tmp_path: Path, *flags: str) -> tuple[int, str]:
    nowhere = str(tmp_path / "no-kubeconfig")
    listen = ("--listen", "127.0.0.1:0")
    ended = nbgate(tmp_path, "controller", *listen, *flags, KUBECONFIG=nowhere)
    return ended.code, ended.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--claim", "2s"), "--claim: 2s is too short: at least 3s"),
        (("--scan-timeout", "5s"), "--scan-timeout: 5s is too short: at least 60s"),
        (("--claim", "soon"), "is no duration, like 90s or 2m"),
        (("--at-once", "0"), "0 is not in the range 1<=x<=32"),
        (("--leaf-lifetime", "5m"), "is too short: at least 600s"),
        (("--ca-lifetime", "a year"), "is no duration, like 2160h"),
        (("--prune-after", "never"), "is no duration, like 720h, and not none"),
        (("--platform", "amd64"), "write OS/ARCH"),
        (("--private-registry", "https://x"), "write HOST or HOST:PORT"),
        (("--probe", "podman"), "is not one of 'cluster', 'none'"),
        (("--auth-file", "/dev/null"), "--auth-file: /dev/null"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_the_cure(
    tmp_path: Path, flags: tuple[str, ...], said: str
) -> None:
    code, error = told(tmp_path, *flags)
    assert code == 2
    assert said in re.sub(r"\s+", " ", error)


@pytest.mark.parametrize("idle", ["0", "none", "720h"])
def test_without_a_cluster_it_says_what_to_do(tmp_path: Path, idle: str) -> None:
    code, error = told(tmp_path, "--prune-after", idle)
    assert code == 3
    assert "set KUBECONFIG to a file that `kubectl get pods` works with" in error


def test_every_flag_has_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for option in command.params:
        name = f"NBGATE_CONTROLLER_{option.opts[0].removeprefix('--').replace('-', '_').upper()}"
        assert option.envvar in {name, None}
        if option.envvar is None:
            assert name.endswith(f"_{option.name}".upper())
    for name, wrong in (("CLAIM", "1s"), ("PLATFORM", "amd64")):
        with monkeypatch.context() as environ:
            environ.setenv(f"NBGATE_CONTROLLER_{name}", wrong)
            assert told(tmp_path)[0] == 2
