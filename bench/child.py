"""Child processes: started on one processor, ended by their id."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import pinned, server_processor
from bench.memory import most_resident, resident

_READY_SECONDS = 120.0  # of a server; loading 100,000 scans takes a tenth of it
_END_SECONDS = 20.0


class CouldNotMeasure(Exception):
    """A part of the benchmark cannot run; the message says which and why."""


def measure(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this package in a fresh process, and read the JSON object that it prints."""
    with pinned(server_processor()):
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise CouldNotMeasure(f"{module} {' '.join(arguments)}: {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that is ready: its arbiter's process id, its port, and how many seconds it took to get ready."""

    process: int
    port: int
    seconds: float

    def processor_seconds(self) -> float:
        """Give the time on a processor that the arbiter and its workers have had."""
        return processor_seconds(self.process)

    def most_resident(self) -> float:
        """Give the MiB that its largest process has had in memory at most."""
        return max(most_resident(number) for number, _ in _family(self.process))

    def resident(self) -> float:
        """Give the MiB that its largest process has in memory now."""
        return max(resident(number) for number, _ in _family(self.process))


def processor_seconds(process: int) -> float:
    """Give the time on a processor that a process and its children have had."""
    return sum(seconds for _, seconds in _family(process))


def _family(parent: int) -> Iterator[tuple[int, float]]:
    """Give a process and its children, and the processor's seconds of each (proc(5), /proc/PID/stat)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            number, _, rest = path.read_text().partition(" ")
            # the name in parentheses may hold anything; what follows it is field 3 and on
            fields = rest.rpartition(")")[2].split()
            if parent in {int(number), int(fields[1])}:
                yield int(number), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    """Find a port of loopback that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def server(
    command: Sequence[str],
    port: int,
    is_ready: Callable[[int], bool],
    log: Path,
    settings: Mapping[str, str],
    *,
    alone: bool,
) -> Iterator[Running]:
    """Run a server until the block ends, with these settings in its environment; `is_ready` tells by its port.

    `alone` puts it on the one processor that is kept for what is measured. Raises CouldNotMeasure where it ended, or
    did not get ready.
    """
    environment = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    started = time.perf_counter()
    with log.open("wb") as output, pinned(server_processor()) if alone else nullcontext():
        process = subprocess.Popen(
            command, env={**environment, **settings}, stdout=output, stderr=output
        )
    try:
        _await(process, lambda: is_ready(port), log)
        yield Running(process=process.pid, port=port, seconds=time.perf_counter() - started)
    finally:
        _end(process)


def _await(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CouldNotMeasure(f"a server does not get ready: {log.read_text()[-2000:]}")
        time.sleep(0.005)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
