"""Small static programs for images and nodes of the tests, from C."""

from __future__ import annotations

import subprocess
from pathlib import Path

COMPILE_SECONDS = 60  # a second is usual


class CompileFailed(Exception):
    """The compiler refused; tells what it said."""


def compiled(source: Path, directory: Path) -> Path:
    """Compile one C file to a static program of the same name in `directory`, and return its path."""
    program = directory.resolve() / source.stem
    done = subprocess.run(
        ["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, source],
        capture_output=True,
        text=True,
        timeout=COMPILE_SECONDS,
        check=False,
    )
    if done.returncode:
        raise CompileFailed(f"gcc {source}: {done.stderr}")
    return program
