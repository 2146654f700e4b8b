"""Audit records on standard output, for whatever collects a container's log."""

import os
import select
import threading
from collections.abc import Callable
from typing import Protocol

from webhook.core.audit import Record
from webhook.server.auditline import encode
from webhook.server.health import Condition

# How long a full pipe may hold up a request before its record is left out; once one was, the next do not wait.
PATIENCE_SECONDS = 1.0


class HasDescriptor(Protocol):
    """A stream of the operating system's, as `sys.stdout` is."""

    def fileno(self) -> int:
        """Give its descriptor."""


class StandardOutput:
    """Writes records to a stream, one line each, past its buffer.

    Nobody may be reading it, and that must not end, nor hold up, the server: what cannot be written is left out, which
    is reported once, and once more with the number of records when they can be written again. Lines of at most 4 KiB
    (PIPE_BUF), as nearly all are, never block and never mix with another process's.
    """

    def __init__(self, stream: HasDescriptor | None, report: Callable[[str], None]) -> None:
        """Name the stream, None for one that was closed from the start, and who is told of a failure."""
        self._stream = stream
        self._report = report
        self._lock = threading.Lock()
        self._problem = ""
        self._left_out = 0
        self._torn = False

    def append(self, record: Record, *, durable: bool) -> None:  # noqa: ARG002 - a stream knows no durability
        """Write one record, or leave it out. Never raises for what is wrong with the stream; else AuditError."""
        line = encode(record)
        with self._lock:
            try:
                self._write(line)
            except (OSError, ValueError) as error:  # ValueError: Python's stream was closed
                self._fail(str(getattr(error, "strerror", None) or error))
            else:
                self._recover()

    @property
    def condition(self) -> Condition:
        """Tell whether the last record was written."""
        told = self._problem and f"{self._problem}; records left out: {self._left_out}"
        return Condition("StandardOutput", not told, told or "records go to standard output")

    def _write(self, line: bytes) -> None:
        if self._stream is None:
            raise OSError("it was closed from the start")
        descriptor = self._stream.fileno()
        data = b"\n" + line if self._torn else line
        while data:
            self._await_room(descriptor)
            # a pipe that is writable has room for so much: more could block in the middle, and every thread behind
            data = data[os.write(descriptor, data[: select.PIPE_BUF]) :]
            self._torn = bool(data)

    def _await_room(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        patience = 0.0 if self._problem else PATIENCE_SECONDS
        if not poll.poll(patience * 1000):
            raise TimeoutError("nobody reads it")

    def _fail(self, reason: str) -> None:
        self._left_out += 1
        if not self._problem:
            self._problem = f"audit records cannot be written to standard output: {reason}"
            self._report(f"{self._problem}: see what reads it; --audit-log FILE keeps them")

    def _recover(self) -> None:
        if self._problem:
            self._problem = ""
            self._report(
                f"standard output is written again; audit records left out: {self._left_out}"
            )
            self._left_out = 0
