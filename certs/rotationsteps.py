"""What the rotation of an installation sees, and what it may do next: values; `rotation.py` decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from certs.certificate import Certificate

SETTLE = timedelta(seconds=30)
"""How long after a change of a webhook configuration every API server surely uses it. They learn of it by a watch,
within some tenths of a second; one whose watch broke lists again, with pauses of up to 30 s between its tries
(client-go, Reflector)."""

MOST_FORMERS = 16
"""CAs trusted besides the signer: each costs some 800 bytes of every entry. Who asks for more rotations than that
within the life of a leaf is told to wait."""

AHEAD = timedelta(hours=1)
"""Until when a leaf holds is noted before it is issued, so much too late: the time between does not matter then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the installation should have: hosts in their normal form."""

    hosts: tuple[str, ...]
    leaf_lifetime: timedelta
    authority_lifetime: timedelta
    settle: timedelta = SETTLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A webhook configuration as it is.

    `identity` changes with every change of what API servers read of it. Each entry that calls us has a bundle here.
    """

    name: str
    identity: str
    bundles: tuple[tuple[Certificate, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A ready replica: the fingerprint of the leaf that it serves, or why that could not be seen."""

    address: str
    leaf: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Somebody asks for a rotation; `forced` drops the CA before its last leaf has ended."""

    forced: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that is there, and the time after it was read.

    Attributes:
        authorities: the data of Secret nbgate-ca.
        serving: the data of Secret nbgate-tls.
        endpoints: None where nobody has looked.
    """

    authorities: Mapping[str, bytes] = field(repr=False)
    serving: Mapping[str, bytes] = field(repr=False)
    configurations: tuple[Configuration, ...]
    asked: Request | None = None
    endpoints: tuple[Endpoint, ...] | None = None
    now: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveAuthorities:
    """Write this into Secret nbgate-ca, and with `heeded` take the request away in the same write."""

    data: Mapping[str, bytes] = field(repr=False)
    done: str
    why: str
    heeded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveServing:
    """Write this into Secret nbgate-tls."""

    data: Mapping[str, bytes] = field(repr=False)
    done: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveBundles:
    """Write these into the entries, in the order of `Found.configurations`; those that are so already may be left."""

    bundles: tuple[tuple[tuple[Certificate, ...], ...], ...]
    done: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAtEndpoints:
    """Connect to every ready replica, and ask again with what was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """Nothing is to be done before `until`, unless something changes.

    `waiting` says for what; `problem` says what somebody should do; both are empty when all is well.
    """

    until: datetime
    waiting: str = ""
    problem: str = ""


Step: TypeAlias = SaveAuthorities | SaveServing | SaveBundles | LookAtEndpoints | Rest
