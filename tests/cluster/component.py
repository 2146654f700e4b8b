"""One server program of a cluster: started, watched and ended."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

TAIL_BYTES = 4096  # of a log, for an error: some thirty lines, and the cause stands among the last


class ComponentEnded(Exception):
    """A server that should run has ended; tells how, and the end of its log."""


class Component:
    """A running server program, whose output goes to `<name>.log` in its directory."""

    def __init__(self, name: str, command: Sequence[str | Path], directory: Path) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.log.write_bytes(b"")
        self._command = command
        self._process = self._started()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ComponentEnded unless it runs."""
        code = self._process.poll()
        if code is not None:
            raise ComponentEnded(
                f"{self.name} ended with code {code}; the end of {self.log}:\n{self.tail()}"
            )

    def restart(self) -> None:
        """Kill it, and start it anew with the same command and the same log."""
        self.kill()
        self._process = self._started()

    def tail(self) -> str:
        """Return the end of its log."""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - TAIL_BYTES))
            return log.read(TAIL_BYTES).decode(errors="replace")

    def kill(self) -> None:
        """End it and what it started, at once: what a test cluster holds is thrown away."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        directory = self.log.parent
        with self.log.open("ab") as output:
            # A session of its own: an interrupt at the terminal is for the tests, which then end it.
            return subprocess.Popen(
                [*_ended_with_us(), *self._command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                # Nothing of the developer's environment: proxies, ETCD_* and KUBECONFIG would count. Only that its
                # coverage is measured, where that of the tests is.
                env={"PATH": os.environ["PATH"], "HOME": str(directory), **_measuring()},
                start_new_session=True,
            )


def _measuring() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("COVERAGE_")}


def _ended_with_us() -> list[str]:
    """Let the kernel end the server when these tests are killed and can end nothing themselves.

    The signal comes when the thread ends that started it: start servers in the main thread.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
