"""kustomize and helm, as tests/install-tools builds them."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from tests.images.machine import unavailable

INSTALL = Path(__file__).parent.with_name("install-tools")
DEPLOY = INSTALL.parent.with_name("deploy")
SECONDS = 60  # for one call, which takes one or two


class ToolFailed(Exception):
    """A tool that should succeed did not; tells what it said."""


def tool(name: str) -> Path:
    """Find a tool in the version that is pinned; else the test skips, and in CI it fails."""
    cache = os.environ.get("NBGATE_TOOLS_CACHE") or Path.home() / ".cache/nbgate/tools"
    pinned = re.search(rf"^ +({name}-v[0-9.]+)=", INSTALL.read_text(), re.MULTILINE)
    assert pinned is not None
    found = Path(cache) / pinned[1]
    if not found.exists():
        unavailable(f"there is no {name}: run tests/{INSTALL.name}")
    return found


def run(
    name: str, *args: str | Path, stdin: str | None = None, kubeconfig: Path | None = None
) -> str:
    """Run a tool, for a cluster where one is given, and return what it prints. Raises ToolFailed."""
    done = subprocess.run(
        [tool(name), *args],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        env={**os.environ, "KUBECONFIG": str(kubeconfig or os.devnull)},
    )
    if done.returncode:
        raise ToolFailed(f"{name} {' '.join(map(str, args))}: {done.stderr or done.stdout}")
    return done.stdout
