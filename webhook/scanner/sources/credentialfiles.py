"""Where Docker's config files are, and what they are packed in: a file, a mounted Secret, a Secret's manifest."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from webhook.core.document import Fault
from webhook.core.reading import Malformed, mapping, text
from webhook.core.words import cut
from webhook.scanner.errors import SourceError
from webhook.scanner.sources.credentials import AuthFile, parse_auths, parse_config, parse_legacy
from webhook.stores.documents import Broken, parse_documents
from webhook.stores.files import UnreadableFile, read_file
from webhook.stores.problem import printable

# A Secret holds at most 1 MiB (Kubernetes: validation.go, MaxSecretSize), a third more as base64 in its manifest.
SIZE_LIMIT = 2 * 1024 * 1024
_SHOWN = 200  # characters of what is wrong with a file
_LINE = re.compile(r"line ([0-9]+)")

_Document = Mapping[str, Any]
_Parse = Callable[[_Document, str], AuthFile]

# What a Secret's key holds: that of type kubernetes.io/dockerconfigjson, and of the older kubernetes.io/dockercfg
# (Kubernetes: "Types of Secret"). Nothing in a Secret runs a program: whoever may write one must not choose it.
_SECRET_KEYS: Mapping[str, _Parse] = {".dockerconfigjson": parse_auths, ".dockercfg": parse_legacy}


def user_files(environ: Mapping[str, str]) -> list[Path]:
    """List where podman and docker keep logins, in the order in which they are looked through; they need not be there.

    Sources: containers-auth.json(5); docker/cli, cli/config: DOCKER_CONFIG stands in place of ~/.docker.
    """
    home = environ.get("HOME")
    found = [
        (environ.get("REGISTRY_AUTH_FILE"), ""),
        (environ.get("XDG_RUNTIME_DIR"), "containers/auth.json"),
        (environ.get("XDG_CONFIG_HOME") or (home and f"{home}/.config"), "containers/auth.json"),
        (environ.get("DOCKER_CONFIG") or (home and f"{home}/.docker"), "config.json"),
    ]
    return [Path(folder) / name for folder, name in found if folder]


def read_user_file(path: Path) -> AuthFile | None:
    """Read one of the user's own files; None where it is not there. Raises SourceError."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        pass  # reading it says what is wrong
    return _parsed(path, parse_config, _only_document(path))


def read_auth_file(path: Path) -> AuthFile:
    """Read what somebody named: a config file, a Secret's manifest, or a folder where one is mounted.

    Raises:
        SourceError: it is not there, cannot be read, or is none of these.
    """
    if path.is_dir():
        return _read_mounted(path)
    documents = _documents(path)
    secret = next((each for each in documents if each.get("kind") == "Secret"), None)
    if secret is not None:
        return _parsed(path, _parse_secret, secret)
    parse = _SECRET_KEYS.get(path.name, parse_config)
    return _parsed(path, parse, _only_document(path))


def _read_mounted(folder: Path) -> AuthFile:
    for name, parse in _SECRET_KEYS.items():
        path = folder / name
        if path.exists():
            return _parsed(path, parse, _only_document(path))
    raise SourceError(
        f"{printable(folder)}: no pull secret is mounted there: it holds neither .dockerconfigjson "
        "nor .dockercfg; name the file that holds the logins"
    )


def _parse_secret(secret: _Document, source: str) -> AuthFile:
    encoded, plain = mapping(secret, "data") or {}, mapping(secret, "stringData") or {}
    for name, parse in _SECRET_KEYS.items():
        content = text(plain, name)
        data = None if content is None else content.encode()
        if data is None and name in encoded:
            data = _unpacked(text(encoded, name) or "", f"data[{name}]")
        if data is not None:
            return parse(_inner(data, name), source)
    raise Malformed(
        "data",
        "has neither .dockerconfigjson nor .dockercfg: make the Secret with kubectl create secret docker-registry",
    )


def _unpacked(encoded: str, field: str) -> bytes:
    try:
        return base64.b64decode(encoded)
    except (binascii.Error, ValueError) as error:
        raise Malformed(field, "is not base64; make the Secret anew") from error


def _inner(data: bytes, name: str) -> _Document:
    found = parse_documents(data)
    if len(found) != 1 or isinstance(found[0], Broken):
        # What is wrong in it is not said: the place would be one in text that is packed away.
        raise Malformed(f"data[{name}]", "holds no JSON object; make the Secret anew")
    return found[0].content


def _only_document(path: Path) -> _Document:
    documents = _documents(path)
    if len(documents) != 1:
        raise SourceError(
            f"{printable(path)}: holds {len(documents)} documents and no Secret; name a file with one config"
        )
    return documents[0]


def _documents(path: Path) -> list[_Document]:
    try:
        data = read_file(path, SIZE_LIMIT).data
    except UnreadableFile as error:
        raise SourceError(f"{printable(path)}: {error}") from error
    found: list[_Document] = []
    for document in parse_documents(data):
        if isinstance(document, Broken):
            raise SourceError(f"{printable(path)}: {_fault(document.faults[0])}")
        found.append(document.content)
    return found


def _fault(fault: Fault) -> str:
    """Say what is wrong with a text of secrets, and where, in no word of its own: it may be a password.

    So a fault's path is left out, and what follows its first clause, where tags, aliases and keys are quoted.
    """
    what = re.split("[,;:]", fault.problem)[0]
    what = f"something in it {what}" if fault.path else what
    line = _LINE.search(fault.problem)
    at = f" (line {line[1]})" if line and line[0] not in what else ""
    return cut(f"{what}{at}; mend it there, or log in again", _SHOWN)


def _parsed(path: Path, parse: _Parse, document: _Document) -> AuthFile:
    try:
        return parse(document, printable(path))
    except Malformed as error:
        raise SourceError(f"{printable(path)}: {cut(str(error), _SHOWN)}") from error
