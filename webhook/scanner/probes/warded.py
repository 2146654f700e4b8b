"""Podman commands that run under a warden's eye, so that nothing of them outlives a probe."""

import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from webhook.core.words import cut_front
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.claim import Claim, make_claim
from webhook.scanner.probes.clearing import REMOVE_TIME
from webhook.scanner.probes.ownprogram import start_module
from webhook.scanner.probes.running import Finished
from webhook.scanner.probes.warden import LINE_LIMIT, Request

# For the warden's own start, and for stopping and sweeping: generous, it is only a guard against waiting for ever.
_SLACK = 120.0
_SHOWN = 300
_LARGE = Path("/var/tmp")  # noqa: S108 - what we make there has a random name and is ours alone


class Warded:
    """One probe's folder, and the commands that are run for it; a context manager that leaves nothing.

    Leaving it raises ProbeError where something could not be removed, unless another error is on its way.
    """

    def __init__(self, environment: Mapping[str, str], *, rootless: bool) -> None:
        self.rootless = rootless
        self._environment = environment
        self._claim: Claim
        self._warden: subprocess.Popen[bytes]
        self._channel: socket.socket

    @property
    def folder(self) -> Path:
        """The probe's own folder."""
        return self._claim.folder

    @property
    def claim(self) -> Claim:
        """What the folder says of the probe."""
        return self._claim

    def __enter__(self) -> Self:
        try:
            self._claim = make_claim(_temporary_folder(self._environment))
        except OSError as error:
            raise ProbeError(
                f"podman: no folder for the probe can be made: {error}; check the disk, or set TMPDIR"
            ) from error
        self._channel, theirs = socket.socketpair()
        try:
            self._warden = self._start(theirs)
        except BaseException:
            self._channel.close()
            self._claim.folder.rmdir()
            raise
        finally:
            theirs.close()
            os.close(self._claim.descriptor)
        return self

    def _start(self, theirs: socket.socket) -> subprocess.Popen[bytes]:
        arguments = [
            str(self._claim.folder),
            str(self._claim.descriptor),
            "rootless" if self.rootless else "rootful",
        ]
        try:
            return start_module(
                "webhook.scanner.probes.warden",
                arguments,
                theirs,
                self._environment,
                keep=[self._claim.descriptor],
            )
        except OSError as error:
            raise ProbeError(f"podman: the warden of the probe cannot start: {error}") from error

    def podman(
        self, *arguments: str, timeout: float, merged: bool = False, long: bool = False
    ) -> Finished:
        """Run a podman command; how it ends is for the caller to judge. Raises ProbeError where it cannot be run.

        For `merged` and `long` see Request.
        """
        request = Request(command=("podman", *arguments), timeout=timeout, merged=merged, long=long)
        try:
            self._channel.settimeout(timeout + _SLACK)
            self._channel.sendall(json.dumps(asdict(request)).encode() + b"\n")
            return self._receive()
        except OSError as error:
            raise ProbeError(f"podman: the warden of the probe does not answer: {error}") from error

    def must(self, doing: str, *arguments: str, timeout: float, long: bool = False) -> str:
        """Run a podman command that has to end well; give its output.

        `doing` names it in messages: `pull`. Raises ProbeError.
        """
        finished = self.podman(*arguments, timeout=timeout, long=long)
        if not finished.ok:
            raise ProbeError(fault(doing, finished, timeout))
        return finished.output.strip()

    def _receive(self) -> Finished:
        with self._channel.makefile("rb") as replies:
            line = replies.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            raise ProbeError("podman: the warden of the probe has ended; try again")
        return Finished(**json.loads(line))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        problems = "its warden was killed"
        with self._channel, suppress(OSError):
            self._channel.shutdown(socket.SHUT_WR)
            problems = self._last_words() or problems
        with suppress(subprocess.TimeoutExpired):
            if self._warden.wait(REMOVE_TIME) == 0:
                return
        if kind is None:
            raise ProbeError(
                f"podman: not everything of the probe is gone: {problems}; the next probe tries again"
            )

    def _last_words(self) -> str:
        """Wait for what the warden says when it has cleared up, after a reply that nobody waited for any more."""
        last = b""
        self._channel.settimeout(3 * REMOVE_TIME + _SLACK)
        with self._channel.makefile("rb") as replies:
            while line := replies.readline(LINE_LIMIT):
                last = line
        return Finished(**json.loads(last)).errors if last.endswith(b"\n") else ""


def _temporary_folder(environment: Mapping[str, str]) -> Path:
    """Choose as podman does for images that it copies: /tmp may be memory, and too small."""
    chosen = environment.get("TMPDIR")
    if chosen:
        return Path(chosen)
    return _LARGE if _LARGE.is_dir() else Path(tempfile.gettempdir())


def fault(doing: str, finished: Finished, timeout: float) -> str:
    """Say that a podman command failed: its last line, cut."""
    if finished.code is None:
        return f"podman {doing}: not done within {timeout:.0f} s; try again, or look what holds podman up"
    # Warnings and retries come before it, and the cause is what it ends with.
    said = finished.errors.strip().rpartition("\n")[2].removeprefix("Error: ")
    return f"podman {doing}: {cut_front(said, _SHOWN) or f'exit code {finished.code}'}"
