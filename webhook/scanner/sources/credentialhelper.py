"""Credential helpers, the programs that docker and podman keep logins with: `docker-credential-NAME get`.

The protocol (docker/docker-credential-helpers): the server on standard input, JSON with Username and Secret on standard
output; without a login for it, an exit code other than 0 and the words `credentials not found in native keychain`.
"""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress

import orjson

from webhook.core.words import cut
from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentials import Credentials

SECONDS = 10.0  # helpers of clouds ask a server; one that asks a person would wait for ever
SIZE_LIMIT = 64 * 1024  # a login has some kilobytes: tokens of clouds are long
_SHOWN = 200  # characters of its complaint

_NOT_FOUND = b"credentials not found"
# What it calls a user whose secret is an identity token.
_TOKEN_USER = "<token>"  # noqa: S105  # no password


def ask_helper(
    source: str, name: str, server: str, environ: Mapping[str, str], *, seconds: float = SECONDS
) -> Credentials | None:
    """Ask a helper for the login to a server; None where it has none. Raises SourceError.

    `source` is the file that names it.
    """
    program = shutil.which(f"docker-credential-{name}", path=environ.get("PATH", os.defpath))
    said = f"{source}: the credential helper docker-credential-{name}"
    if program is None:
        raise SourceError(f"{said} is not on PATH; install it, or take it out of the file")
    code, output, complaint = _run([program, "get"], server, environ, seconds, said)
    if code != 0:
        if _NOT_FOUND in output + complaint:
            return None
        words = cut(complaint.decode(errors="replace").strip(), _SHOWN) or "it does not say why"
        raise SourceError(
            f"{said} failed with code {code}: {words}; try: echo {server} | {program} get"
        )
    return _login(output, f"{source}, docker-credential-{name}", said)


def _login(output: bytes, source: str, said: str) -> Credentials:
    try:
        login = orjson.loads(output)
    except orjson.JSONDecodeError:
        login = None  # not chained: the error holds the text, and with it the secret
    if not isinstance(login, dict):
        login = {}
    user, secret = login.get("Username"), login.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        raise SourceError(
            f"{said} gives no JSON with Username and Secret; update it, or log in again"
        )
    if user == _TOKEN_USER:
        return Credentials(source=source, identity_token=secret)
    return Credentials(source=source, user=user, password=secret)


def _run(
    command: list[str], server: str, environ: Mapping[str, str], seconds: float, said: str
) -> tuple[int, bytes, bytes]:
    """Run a helper; give its exit code and what it wrote to standard output and to standard error."""
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=dict(environ),
            bufsize=0,
            start_new_session=True,  # so that what it starts ends with it
        )
    except OSError as error:
        raise SourceError(f"{said} cannot be started: {error.strerror}; install it anew") from error
    with process:
        try:
            output, complaint = _talk(process, server.encode(), seconds)
            return process.wait(timeout=1), output, complaint
        except (TimeoutError, subprocess.TimeoutExpired):
            raise SourceError(
                f"{said} did not end within {seconds:g} s; see what it waits for: {command[0]} list"
            ) from None
        except _TooMuch:
            raise SourceError(
                f"{said} says more than {SIZE_LIMIT} bytes; update it, or log in again"
            ) from None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class _TooMuch(Exception):
    """It says more than is read."""


def _talk(process: subprocess.Popen[bytes], words: bytes, seconds: float) -> list[bytes]:
    """Send words, which fit into a pipe; read both pipes to their ends. Raises TimeoutError, _TooMuch."""
    until = time.monotonic() + seconds
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # it did not want to know; what it says then counts
            process.stdin.write(words)
        process.stdin.close()
    found = {pipe: b"" for pipe in (process.stdout, process.stderr) if pipe is not None}
    with selectors.DefaultSelector() as selector:
        for pipe in found:
            selector.register(pipe, selectors.EVENT_READ, pipe)
        while selector.get_map():
            ready = selector.select(until - time.monotonic())
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, SIZE_LIMIT)
                found[key.data] += piece
                if len(found[key.data]) > SIZE_LIMIT:
                    raise _TooMuch
                if not piece:
                    selector.unregister(key.fileobj)
    return list(found.values())
