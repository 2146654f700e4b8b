"""Run a program with a deadline, keep the end of what it says, and stop it when nobody waits for it any more."""

import os
import selectors
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

# What podman says in one answer is a few lines; a container's last 20 lines, or a list of images' ids, need more.
OUTPUT_LIMIT = 64 * 1024
# Podman ends at once where it may, and after the container operation that it is in the middle of where it may not.
GRACE = 10.0
# Between a program's end and that of its output: a child of its own may hold the pipe, and is not waited for.
_AFTER = 1.0
_TICK = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended.

    Attributes:
        code: its exit code, negative for a signal; None where it was stopped for the deadline or as nobody waited.
        output: the last 64 KiB of its standard output.
        errors: the same of its standard error; empty where both went into one.
    """

    code: int | None
    output: str
    errors: str

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.code == 0


def run_program(
    command: Sequence[str],
    *,
    timeout: float,
    environment: Mapping[str, str],
    folder: Path,
    merged: bool = False,
    lifeline: socket.socket | None = None,
    grace: float = GRACE,
) -> Finished:
    """Run a program to its end, in a session of its own, without input.

    It is stopped after `timeout` seconds, and when the other end of `lifeline` is closed; killed where it still runs
    `grace` seconds later. With `merged`, its standard error goes where its output goes. Raises OSError where it cannot
    be started.
    """
    deadline = time.monotonic() + timeout
    with subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,  # Ctrl-C is for us, and its children are stopped with it
    ) as process:
        try:
            output, errors, in_time = _attend(process, deadline, lifeline)
        finally:
            _stop(process, grace)
    return Finished(
        code=process.returncode if in_time else None, output=_text(output), errors=_text(errors)
    )


def _attend(
    process: subprocess.Popen[bytes], deadline: float, lifeline: socket.socket | None
) -> tuple[bytearray, bytearray, bool]:
    """Read what it says until it ends; the third is whether it did."""
    said: dict[object, bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}
    end = float("inf")
    with selectors.DefaultSelector() as selector:
        for pipe in filter(None, (process.stdout, process.stderr)):
            selector.register(pipe, selectors.EVENT_READ)
        open_pipes = len(selector.get_map())
        if lifeline is not None:
            selector.register(lifeline, selectors.EVENT_READ)
        while open_pipes and (now := time.monotonic()) < min(end, deadline):
            for key, _ in selector.select(min(_TICK, min(end, deadline) - now)):
                if key.fileobj is lifeline:
                    return said[process.stdout], said[process.stderr], False
                if not _read(key.fd, said[key.fileobj]):
                    selector.unregister(key.fileobj)
                    open_pipes -= 1
            if process.poll() is not None:
                end = min(end, time.monotonic() + _AFTER)
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(deadline - time.monotonic(), 0))
    return said[process.stdout], said[process.stderr], process.returncode is not None


def _read(descriptor: int, said: bytearray) -> bool:
    data = os.read(descriptor, OUTPUT_LIMIT)
    said += data
    del said[:-OUTPUT_LIMIT]
    return bool(data)


def _stop(process: subprocess.Popen[bytes], grace: float) -> None:
    if process.poll() is None:
        _signal(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    if process.poll() is None:
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _text(data: bytearray) -> str:
    return data.decode("utf-8", "replace")
