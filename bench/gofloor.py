"""The floor in Go: `floor.go`, built with the machine's own Go into a folder of the measurement."""

import os
import shutil
import subprocess
from pathlib import Path

from bench.child import CouldNotMeasure

_SOURCE = Path(__file__).with_name("floor.go")
# Debian's, also where another Go comes first: the aims are set beside it.
_DEBIAN = "/usr/lib/go/bin:/usr/lib/go-1.19/bin"
_SECONDS = 300  # the first time, the standard library is compiled too


def compiler() -> str | None:
    """Find Debian's Go, else any; None where there is none."""
    return shutil.which("go", path=_DEBIAN) or shutil.which("go")


def unready() -> str:
    """Tell why there is no floor in Go here, nothing where there is one."""
    return "" if compiler() else "there is no Go"


def version() -> str:
    """Name the Go that the floor is built with."""
    program = compiler()
    if program is None:
        return "none"
    # `go version go1.19.8 linux/amd64`
    return _run([program, "version"], Path.cwd()).split()[2].removeprefix("go")


def build(folder: Path) -> Path:
    """Build the floor in the folder. Raises CouldNotMeasure."""
    program = compiler()
    if program is None:
        raise CouldNotMeasure(unready())
    built = folder / "floor"
    _run([program, "build", "-o", str(built), str(_SOURCE)], folder)
    return built


def _run(command: list[str], folder: Path) -> str:
    # One file that imports the standard library alone: nothing is fetched, and no C compiler is needed.
    settings = {"GOTOOLCHAIN": "local", "GOFLAGS": "", "GO111MODULE": "off", "CGO_ENABLED": "0"}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CouldNotMeasure(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    return done.stdout
