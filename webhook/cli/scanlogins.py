"""Logins that were named for a scan, for podman: it reads one file of one form, and no pull secrets."""

import base64
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson

from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentialfiles import read_auth_file, read_user_file, user_files
from webhook.scanner.sources.credentials import AuthFile, Credentials, Login


@contextmanager
def merged_logins(named: Sequence[Path], environ: Mapping[str, str]) -> Iterator[Path]:
    """Write the logins of the named files, and behind them those of the user's own, into one that is gone with us.

    The form is that of containers-auth.json(5). Raises SourceError where a named file cannot be read.
    """
    own = (read_user_file(path) for path in user_files(environ))
    files = [*(read_auth_file(path) for path in named), *(file for file in own if file is not None)]
    if sys.platform != "linux":
        raise SourceError("podman: it starts images on Linux only; take --probe cluster or none")
    # In memory and by a descriptor of ours: whatever ends us, no logins stay behind on a disk.
    with os.fdopen(os.memfd_create("nbgate-logins"), "wb", buffering=0) as file:
        file.write(orjson.dumps(_document(files)))
        yield Path(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def _document(files: Sequence[AuthFile]) -> dict[str, object]:
    """Merge files; what the first says holds. A helper for all hosts, and patterns of hosts, podman does not know."""
    auths: dict[str, dict[str, str]] = {}
    helpers: dict[str, str] = {}
    for file in files:
        for login in file.logins:
            auths.setdefault(_key(login), _entry(login.credentials))
        for host, helper in file.helpers.items():
            helpers.setdefault(host, helper)
    return {"auths": auths, "credHelpers": helpers}


def _key(login: Login) -> str:
    return "/".join((login.host, *login.path))


def _entry(credentials: Credentials) -> dict[str, str]:
    pair = f"{credentials.user}:{credentials.password}".encode()
    entry = {"auth": base64.b64encode(pair).decode()}
    if credentials.identity_token:
        entry["identitytoken"] = credentials.identity_token
    return entry
