"""Docker's config files as values, and which of their logins is meant for a repository. Pure.

    {"auths": {KEY: {"auth": base64 of USER:PASSWORD, "identitytoken": TOKEN}},
     "credHelpers": {HOST: NAME}, "credsStore": NAME}

KEY is HOST[:PORT][/PATH], with or without a scheme and `/v1/` behind it (docker/cli, cli/config). It means every
repository at or below PATH, in whole components; `*`, `?` and `[…]` stand for parts of one label of the host, as the
kubelet has it for pull secrets. Of several keys that mean a repository the one with the longest path holds, then one
without a pattern.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from webhook.core.reading import Malformed, kind_of, mapping, text
from webhook.core.reference import DOCKER_HUB, InvalidReference, Reference, canonical_domain

_SCHEME = re.compile(r"https?://")
_VERSION = re.compile(r"/v[12]/?\Z")
# What may be shown of a file that holds secrets: keys that look like hosts. In one whose quotes are wrong, a key can be
# half of the file; and what is base64 has neither dot nor colon.
_PLAIN_KEY = re.compile(r"(?:https?://)?[\w*?\[\]-]{0,100}[.:][\w.:/*?\[\]-]{0,100}", re.ASCII)
_HELPER_NAME = re.compile(r"[A-Za-z0-9._-]+")

# What docker login and its helpers call Docker Hub by.
_DOCKER_HUB_SERVER = "https://index.docker.io/v1/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who we are to one registry; nothing of it but `source` is ever shown.

    Attributes:
        source: the file, or the helper, that they are from.
        identity_token: what a token server takes instead of a password.
    """

    source: str
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    @property
    def basic(self) -> str:
        """Write the Authorization header of RFC 7617."""
        pair = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """One entry of `auths`.

    Attributes:
        host: with its port if the key has one; may be a pattern.
        path: the components that a repository must begin with.
    """

    host: str
    path: tuple[str, ...]
    credentials: Credentials

    def means(self, reference: Reference) -> bool:
        """Tell whether it is meant for a repository."""
        components = tuple(reference.path.split("/"))
        return components[: len(self.path)] == self.path and _host_matches(
            self.host, reference.domain
        )

    @property
    def rank(self) -> tuple[int, bool]:
        """Order by how closely it says what it is meant for."""
        return (len(self.path), not _is_pattern(self.host))


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFile:
    """What one config file holds.

    Attributes:
        source: what messages call it.
        helpers: by host, the helper that knows its credentials.
        store: the helper that knows those of all other hosts.
    """

    source: str
    logins: tuple[Login, ...] = ()
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str | None = None


# File, helper's name, server -> what the helper knows of it.
AskHelper = Callable[[str, str, str], Credentials | None]


def parse_auths(document: Mapping[str, Any], source: str) -> AuthFile:
    """Read the `auths` of a config, as a pull secret has it, and nothing that would run a program. Raises Malformed."""
    logins = _logins(mapping(document, "auths") or {}, source, "auths")
    return AuthFile(source=source, logins=logins)


def parse_legacy(document: Mapping[str, Any], source: str) -> AuthFile:
    """Read the older format, `.dockercfg`, which is the entries alone. Raises Malformed."""
    return AuthFile(source=source, logins=_logins(document, source, ""))


def parse_config(document: Mapping[str, Any], source: str) -> AuthFile:
    """Read a config file whole. Raises Malformed."""
    helpers = mapping(document, "credHelpers") or {}
    store = text(document, "credsStore")
    return AuthFile(
        source=source,
        logins=parse_auths(document, source).logins,
        helpers={
            canonical_host(host): _helper(name, f"credHelpers{_step(host)}")
            for host, name in helpers.items()
        },
        store=_helper(store, "credsStore") if store else None,
    )


def find_credentials(reference: Reference, file: AuthFile, ask: AskHelper) -> Credentials | None:
    """Look one file through: its helper for the host, its logins, its helper for all others."""
    server = _DOCKER_HUB_SERVER if reference.domain == DOCKER_HUB else reference.domain
    helper = file.helpers.get(reference.domain)
    if helper is not None:
        return ask(file.source, helper, server)
    meant = [login for login in file.logins if login.means(reference)]
    if meant:
        return max(meant, key=lambda login: login.rank).credentials
    return None if file.store is None else ask(file.source, file.store, server)


def canonical_host(host: str) -> str:
    """Give the one name of a host: without scheme and version, all of Docker Hub's as docker.io."""
    name = _VERSION.sub("", _SCHEME.sub("", host, count=1)).rstrip("/")
    try:
        return canonical_domain(name)
    except InvalidReference:
        return name  # a pattern, or what no image's registry is called


def _logins(entries: Mapping[str, Any], source: str, above: str) -> tuple[Login, ...]:
    found = []
    for key in entries:
        try:
            credentials = _credentials(_entry(entries, key), source)
        except Malformed as error:
            raise (error.under(above) if above else error) from None
        if credentials is not None:
            host, *path = canonical_host(key).split("/")
            found.append(
                Login(host=canonical_host(host), path=tuple(path), credentials=credentials)
            )
    return tuple(found)


def _entry(entries: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    entry = entries[key]
    if entry is not None and not isinstance(entry, dict):
        raise Malformed(_step(key).removeprefix("."), f"must be an object, not {kind_of(entry)}")
    return entry or {}


def _step(key: str) -> str:
    """Give a key as a step of a path."""
    return f".{key}" if _PLAIN_KEY.fullmatch(key) else "[…]"


def _credentials(entry: Mapping[str, Any], source: str) -> Credentials | None:
    """Read an entry; None for one that is empty, as docker login leaves it where a helper keeps the secret."""
    token = text(entry, "identitytoken") or ""
    user, password = text(entry, "username") or "", text(entry, "password") or ""
    encoded = text(entry, "auth")
    if encoded:
        user, password = _decoded(encoded)
    if not (token or user or password):
        return None
    return Credentials(source=source, user=user, password=password, identity_token=token)


def _decoded(encoded: str) -> tuple[str, str]:
    try:
        pair = base64.b64decode(encoded.encode() + b"==", validate=False).decode()
    except (binascii.Error, ValueError):
        pair = ""
    user, colon, password = pair.partition(":")
    if not colon:
        raise Malformed("auth", "is not base64 of USER:PASSWORD; log in again")
    # Some writers pad the text to a multiple of three bytes.
    return user, password.rstrip("\0")


def _helper(name: object, field_path: str) -> str:
    if not isinstance(name, str) or not _HELPER_NAME.fullmatch(name):
        raise Malformed(field_path, "must be a helper's name, of letters, digits, '.', '_' and '-'")
    return name


def _is_pattern(host: str) -> bool:
    # What begins with a bracket is an IPv6 address.
    return not host.startswith("[") and any(mark in host for mark in "*?[")


def _host_matches(pattern: str, host: str) -> bool:
    if not _is_pattern(pattern):
        return pattern == host
    (pattern_name, _, pattern_port), (name, _, port) = pattern.partition(":"), host.partition(":")
    labels, parts = name.split("."), pattern_name.split(".")
    return (
        pattern_port == port
        and len(labels) == len(parts)
        and all(fnmatchcase(label, part) for label, part in zip(labels, parts, strict=True))
    )
