"""The program that runs a probe's podman commands, and removes everything when the probe ends, however it ends.

    python -m webhook.scanner.probes.warden FOLDER DESCRIPTOR rootful|rootless

Its standard input is a socket. Each line from there is a Request, each is answered by one line, a Finished, both in
JSON. When the other
end is closed, by the end of the probe or of the process, even by SIGKILL, it ends the command that runs, removes what
the probe made and ends; a last line says what could not be removed. It is a process of its own for that alone: podman's
children outlive who started them.
"""

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from webhook.scanner.probes.claim import Claim
from webhook.scanner.probes.clearing import clear, sweep
from webhook.scanner.probes.running import Finished, run_program

# Requests are a podman command line; replies twice 64 KiB, each byte at most six characters in JSON.
LINE_LIMIT = 1024 * 1024
# What cannot be removed at first: a container that its monitor has not done with, a mount that something looks into.
_MORE_TRIES = 3
_PAUSE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A command to run; see `run_program`.

    Attributes:
        long: it is stopped when the probe ends, and keeps its temporary files in the probe's folder, for podman leaves
            them then. Others are waited for: a container that podman was stopped in the middle of making cannot always
            be removed at once.
    """

    command: tuple[str, ...]
    timeout: float
    merged: bool = False
    long: bool = False


def main(arguments: list[str]) -> int:
    """Serve until the other end is closed, then clear up; 1 where something could not be removed."""
    folder, descriptor, rights = arguments
    claim, rootless = Claim(folder=Path(folder), descriptor=int(descriptor)), rights == "rootless"
    # Handlers rather than SIG_IGN, which podman and the containers would inherit.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    with socket.socket(fileno=0) as channel:
        try:
            sweep(claim.folder.parent, _run, rootless=rootless)
            with suppress(OSError):
                _serve(channel, claim.folder)
        finally:
            problems = _clear(claim, rootless=rootless)
        with suppress(OSError):
            _send(channel, Finished(code=len(problems), output="", errors="; ".join(problems)))
    return 1 if problems else 0


def _clear(claim: Claim, *, rootless: bool) -> list[str]:
    problems = clear(claim, _run, rootless=rootless)
    for _ in range(_MORE_TRIES):
        if problems:
            time.sleep(_PAUSE)
            problems = clear(claim, _run, rootless=rootless)
    return problems


def _serve(channel: socket.socket, folder: Path) -> None:
    with channel.makefile("rb") as requests:
        while line := requests.readline(LINE_LIMIT):
            request = Request(**json.loads(line))
            lifeline = channel if request.long else None
            _send(channel, _attempt(request, folder, lifeline))


def _attempt(request: Request, folder: Path, lifeline: socket.socket | None) -> Finished:
    try:
        return run_program(
            request.command,
            timeout=request.timeout,
            environment={**os.environ, "TMPDIR": str(folder)} if request.long else os.environ,
            folder=folder,
            merged=request.merged,
            lifeline=lifeline,
        )
    except OSError as error:
        return Finished(
            code=127, output="", errors=f"{error.filename or ''} {error.strerror}".strip()
        )


def _run(command: Sequence[str], timeout: float) -> Finished:
    return _attempt(Request(command=tuple(command), timeout=timeout), Path("/"), None)


def _send(channel: socket.socket, finished: Finished) -> None:
    channel.sendall(json.dumps(asdict(finished)).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
