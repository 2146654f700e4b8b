"""`nbgate scan` and `skopeo copy`, as a person types them: timed from outside, on all processors."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.child import CouldNotMeasure
from bench.registry import Fetch, Registry

COPIER = "skopeo"
_SECONDS = 600  # for one run; a second is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: the seconds that it took, and what it fetched of the registry."""

    seconds: float
    fetched: Sequence[Fetch]

    @property
    def size(self) -> int:
        """Bytes that were fetched."""
        return sum(fetch.size for fetch in self.fetched)


def scan(registry: Registry, images: Sequence[str], home: Path) -> Run:
    """Scan images without starting them; what is known of layers is in `home`."""
    program = str(Path(sys.executable).with_name("nbgate"))
    return _run(registry, [program, "scan", "--probe", "none", *images], home)


def copy(registry: Registry, image: str, folder: Path) -> Run:
    """Copy an image to a new folder, which is removed again."""
    with tempfile.TemporaryDirectory(dir=folder) as target:
        command = [COPIER, "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"]
        return _run(registry, [*command, f"docker://{image}", f"dir:{target}"], folder)


def _run(registry: Registry, command: Sequence[str], home: Path) -> Run:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    environment["NBGATE_HOME"] = str(home)
    registry.take()
    started = time.perf_counter()
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    seconds = time.perf_counter() - started
    # 1 says that an image does not conform, which is a result too
    if done.returncode not in ({0, 1} if "scan" in command else {0}):
        raise CouldNotMeasure(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return Run(seconds=seconds, fetched=registry.take())
