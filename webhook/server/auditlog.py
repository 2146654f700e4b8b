"""The audit log file: appended to by several threads and processes, moved away by rotation at any time."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from webhook.core.audit import Record
from webhook.server.auditline import encode
from webhook.server.auditsink import AuditError
from webhook.server.health import Condition
from webhook.server.openfile import OpenFile, open_file

_MAKE_ROOM = "make room there; the next record is written again"
_ALLOW = "let nbgate read and write it, or name another file"
_CURES = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.EFBIG: "rotate it, or raise the limit on a file's size",
    errno.EACCES: _ALLOW,
    errno.EPERM: _ALLOW,
    errno.EROFS: "mount it writable, or name another file",
}
_NAME_ANOTHER = "check its disk and its folder, or name another file"


class AuditFile:
    """Appends records to a file, one line each, in a single write.

    Before every write it looks whether rotation moved or deleted the file, and a record that fell into a deleted one
    is written again. A record may still reach a file in the moment in which it is moved: rotate by renaming, and
    compress later (logrotate: `delaycompress`); `copytruncate` works, but loses what comes between copy and cut.

    Nothing is opened before it is needed, and a failure ends with its cause: the next record is tried anew.

    Attributes:
        path: where the file is, or will be.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fdatasync) -> None:
        """Name the file; `sync` brings to disk what was written to a descriptor, or raises OSError."""
        self.path = path
        self._sync = sync
        self._opened: OpenFile | None = None
        self._fault = ""
        self._strayed = ""
        self._lock = threading.Lock()

    def open(self) -> None:
        """Open the file now, so that a wrong path is known at the start. Raises AuditError."""
        try:
            with self._lock:
                self._current()
        except OSError as error:
            raise self._failed(error) from None

    def append(self, record: Record, *, durable: bool) -> None:
        """Write one record; with `durable`, return only when it is on disk.

        Raises:
            AuditError: the record is not, or not surely, in the file. A part of it may be: it stands on a line of its
                own, which readers count as unreadable.
        """
        line = encode(record)
        try:
            with self._lock:
                opened, number = self._write(line)
            if durable:
                opened.sync(number)
        except OSError as error:
            raise self._failed(error) from None
        self._fault = ""

    @property
    def condition(self) -> Condition:
        """Tell whether records reach the file; a failing one is tried again with an empty line, which readers skip.

        Without that, a replica that gets no requests because it is not ready would never become ready.
        """
        if self._fault or self._strayed:
            self._try_again()
        problem = self._fault or self._strayed
        return Condition("AuditLog", not problem, problem or f"records go to {self.path}")

    def _try_again(self) -> None:
        try:
            with self._lock:
                opened = self._current()
                if self._fault:
                    opened.sync(opened.write(b"\n"))
            self._fault = ""
        except OSError as error:
            self._failed(error)

    def _write(self, line: bytes) -> tuple[OpenFile, int]:
        opened = self._current()
        number = opened.write(line)
        while not opened.linked:
            # deleted since we looked, and the line with it; each further round takes a further deletion
            present = self._current()
            if present is opened:
                break  # a file system that counts no links
            opened, number = present, present.write(line)
        return opened, number

    def _current(self) -> OpenFile:
        """Give the file that stands at the path now, opened anew where rotation took the last one away.

        Where that fails but the last one still exists, moved, records go on to it: between rotation's rename and its
        making of a new file, in a folder where we may make none, this is where they belong.
        """
        opened = self._opened
        if opened is not None and opened.stands_at(self.path):
            self._strayed = ""
            return opened
        try:
            self._opened = open_file(self.path, self._sync)
        except OSError as error:
            if opened is None or not opened.linked:
                raise
            self._strayed = f"records go to the file that was moved away, for {self._told(error)}"
            return opened
        self._strayed = ""
        return self._opened

    def _failed(self, error: OSError) -> AuditError:
        self._fault = self._told(error)
        return AuditError(self._fault)

    def _told(self, error: OSError) -> str:
        cure = _CURES.get(error.errno or 0, _NAME_ANOTHER)
        return f"the audit log {self.path} cannot be written: {error.strerror}: {cure}"
