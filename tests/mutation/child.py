"""A child of this process that does one thing, bounded, and tells its parent one text."""

import os
import resource
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

_MEMORY = 6 << 30  # bytes of address space: a mutant that fills memory is to fail alone


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: what it told, and why it ended early, or an empty text."""

    pid: int
    told: str
    early: str


class Children:
    """Children that run side by side. What one prints goes nowhere."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._told: dict[int, IO[str]] = {}

    @property
    def full(self) -> bool:
        """Whether one must end before another begins."""
        return len(self._told) >= self._most

    def begin(self, work: Callable[[], str], seconds: int) -> int:
        """Fork a child that tells what `work` gives, in at most so many seconds of processor time; give its pid."""
        # not a pipe: who fills one waits for a reader
        told = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open until `end` has read it
        if pid := os.fork():
            self._told[pid] = told
            return pid
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
            resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            signal.alarm(60 * seconds)
            with _quiet():
                text = work()
            told.write(text)
            told.flush()
            code = 0
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
            traceback.print_exc()
        finally:
            os._exit(code)

    def end(self) -> Ended:
        """Wait for one to end."""
        pid, status = os.wait()
        with self._told.pop(pid) as told:
            told.seek(0)
            text = told.read()
        code = os.waitstatus_to_exitcode(status)
        early = "" if not code else "failed" if code > 0 else signal.Signals(-code).name
        return Ended(pid, text, early)

    def __len__(self) -> int:
        return len(self._told)


@contextmanager
def _quiet() -> Iterator[None]:
    held = [os.dup(number) for number in (1, 2)]
    null = os.open(os.devnull, os.O_WRONLY)
    for number in (1, 2):
        os.dup2(null, number)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), held, strict=True):
            os.dup2(kept, number)
