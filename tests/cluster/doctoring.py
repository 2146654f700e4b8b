"""Runs `nbgate doctor` against a cluster, as a person would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.controlplane import ControlPlane
from tests.server.running import NBGATE

SECONDS = 120


@dataclass(frozen=True, slots=True)
class Told:
    """What it said."""

    code: int
    text: str

    @property
    def checks(self) -> Mapping[str, Mapping[str, Any]]:
        """The checks of its JSON, by id."""
        return {check["check"]: check for check in json.loads(self.text)["checks"]}

    @property
    def results(self) -> Mapping[str, str]:
        """The result of each check."""
        return {name: check["result"] for name, check in self.checks.items()}

    def cures(self, *checks: str) -> list[str]:
        """The commands that it gave, of these checks, else of all."""
        return [
            finding["cure"]
            for name, check in self.checks.items()
            for finding in check["findings"]
            if finding["cure"] and (not checks or name in checks)
        ]

    def said(self, check: str) -> str:
        """All findings of a check, one a line."""
        return "\n".join(
            f"{finding['where']}: {finding['finding']}"
            for finding in self.checks[check]["findings"]
        )


def doctor(kubeconfig: str | Path, *flags: str, output: str = "json", complaint: str = "") -> Told:
    """Run it as the kubeconfig's user; `complaint` is a piece of what stands on standard error, if anything does."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    done = subprocess.run(
        [str(NBGATE), "doctor", "-o", output, *flags],
        env={**environment, "KUBECONFIG": str(kubeconfig)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert bool(complaint) == bool(done.stderr), done.stderr
    assert complaint in done.stderr
    return Told(done.returncode, done.stdout)


def typed(plane: ControlPlane, command: str) -> str:
    """Type a command into a shell that has kubectl, as the cluster's administrator; give what it printed.

    Raises AssertionError where it fails.
    """
    done = subprocess.run(
        ["sh", "-euc", command],
        env={
            "PATH": f"{Path(plane.programs.kubectl).parent}:/usr/bin:/bin",
            "KUBECONFIG": str(plane.kubeconfig),
            "HOME": str(plane.directory),  # where kubectl keeps its cache
        },
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert not done.returncode, f"{command}: {done.stderr or done.stdout}"
    return done.stdout
