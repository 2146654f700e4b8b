"""Standard error of `nbgate scan` may go away: what is said there is for people, and is never the result."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.layouts import ROOT, layout

NBGATE = Path(sys.executable).parent / "nbgate"


def scan(image: str, home: Path, errors: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(NBGATE), "scan", "--probe", "none", image],
        env={**os.environ, "NBGATE_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        timeout=60,
        check=False,
    )


def gone() -> int:
    """Open a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


@pytest.mark.parametrize("opened", [gone, full])
def test_that_nobody_reads_standard_error_changes_neither_the_result_nor_the_exit_code(
    tmp_path: Path, opened: Callable[[], int]
) -> None:
    good, bad = layout(tmp_path / "good"), layout(tmp_path / "bad", ROOT)
    errors = opened()
    try:
        for folder, code, verdict in ((good, 0, "Unknown"), (bad, 1, "Violates")):
            ended = scan(f"oci:{folder}", tmp_path / "home", errors)
            assert ended.returncode == code
            assert ended.stdout.splitlines()[1].split()[-1] == verdict
    finally:
        os.close(errors)
