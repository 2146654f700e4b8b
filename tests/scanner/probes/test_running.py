from __future__ import annotations

import os
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.cluster.waiting import wait_for
from webhook.scanner.probes.running import OUTPUT_LIMIT, Finished, run_program

SECONDS = 20.0


def run(
    script: str,
    folder: Path,
    *,
    timeout: float = SECONDS,
    merged: bool = False,
    lifeline: socket.socket | None = None,
    grace: float = 10.0,
) -> Finished:
    return run_program(
        ["sh", "-c", script],
        timeout=timeout,
        environment=os.environ,
        folder=folder,
        merged=merged,
        lifeline=lifeline,
        grace=grace,
    )


def gone(pid_file: Path) -> bool:
    """Tell whether the process that wrote its id there has ended."""
    try:
        os.kill(int(pid_file.read_text()), 0)
    except ProcessLookupError:
        return True
    return False


def test_what_a_program_says_and_how_it_ends_is_told(tmp_path: Path) -> None:
    found = run("echo out; echo err >&2; exit 3", tmp_path)
    assert found == Finished(code=3, output="out\n", errors="err\n")
    assert not found.ok
    assert run("pwd", tmp_path) == Finished(code=0, output=f"{tmp_path}\n", errors="")


def test_merged_output_keeps_its_order(tmp_path: Path) -> None:
    found = run("echo 1; echo 2 >&2; echo 3", tmp_path, merged=True)
    assert (found.output, found.errors) == ("1\n2\n3\n", "")


def test_of_much_output_the_end_is_kept(tmp_path: Path) -> None:
    found = run("head -c 3000000 /dev/zero; echo end", tmp_path)
    assert found.ok
    assert len(found.output) == OUTPUT_LIMIT
    assert found.output.endswith("end\n")


def test_a_program_past_its_deadline_is_stopped(tmp_path: Path) -> None:
    begin = time.monotonic()
    found = run("echo $$ > pid; echo said; exec sleep 100", tmp_path, timeout=0.5)
    assert (found.code, found.output) == (None, "said\n")
    assert 0.5 <= time.monotonic() - begin < 5
    assert gone(tmp_path / "pid")


def test_its_children_are_stopped_with_it(tmp_path: Path) -> None:
    run("sleep 100 & echo $! > pid; wait", tmp_path, timeout=0.5)
    wait_for(lambda: gone(tmp_path / "pid"), 5, "the child to end")


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    script = "trap '' TERM; echo $$ > pid; while :; do sleep 100; done"
    assert run(script, tmp_path, timeout=0.5, grace=0.2).code is None
    assert gone(tmp_path / "pid")


def test_it_is_stopped_when_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours:
        timer = threading.Timer(0.2, theirs.close)
        timer.start()
        begin = time.monotonic()
        found = run("echo $$ > pid; exec sleep 100", tmp_path, lifeline=ours)
        timer.join()
    assert found.code is None
    assert time.monotonic() - begin < 5
    assert gone(tmp_path / "pid")


def test_a_child_that_keeps_the_output_open_is_not_waited_for(tmp_path: Path) -> None:
    begin = time.monotonic()
    found = run("setsid sleep 30 & echo $! > pid; echo done", tmp_path)
    assert (found.code, found.output) == (0, "done\n")
    assert time.monotonic() - begin < 10
    os.kill(int((tmp_path / "pid").read_text()), 9)


def test_one_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_program(["no-such-program"], timeout=1, environment=os.environ, folder=tmp_path)
