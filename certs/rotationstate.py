"""What is kept of the CAs of one installation: the data of Secret `nbgate-ca`. PURE.

    ca.crt, ca.key   the CA that leaves are issued from
    previous.crt     CAs before it that API servers must still trust
    rotation.json    what is known of all of them: see `_write_notes`

It is written as one step, so that it is never half of one state and half of another. Whatever of it cannot be read is
taken for the safe case: a CA whose last leaf is not known is kept until it ends itself, a moment that is not known did
not come yet.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from certs.authority import signing_key
from certs.bundle import bundle_pem, read_bundle
from certs.certificate import Certificate, describe, parsed
from certs.errors import CertificateError, UnusableCertificateError
from certs.keypair import KeyPair, public_bytes
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY

FORMER_AUTHORITIES = "previous.crt"
NOTES = "rotation.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The CA that leaves are issued from."""

    pair: KeyPair
    certificate: Certificate
    leaves_until: datetime
    """No leaf of it holds longer. It is written down before a leaf is issued, so it is known whatever gets lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Former:
    """A CA from which no leaf is issued any more, and which is still trusted."""

    certificate: Certificate
    leaves_until: datetime
    forced: bool
    """It goes as soon as no replica is seen with a leaf of it, by request: its key may be in wrong hands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """When the signer was seen in every entry; `to` names the configurations, exactly as they were then."""

    to: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """When every ready replica was seen with a leaf, by its fingerprint."""

    leaf: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """All that is kept.

    Attributes:
        signer: None where there is none, or its key is lost.
        formers: oldest first.
        over: fingerprints of CAs of ours that must not be trusted any more, with their own end.
        noted: by fingerprint, until when leaves of a CA hold, also where its certificate is not here any more.
        complaint: what could not be read, as a clause; empty where all could.
    """

    signer: Signer | None = None
    formers: tuple[Former, ...] = ()
    over: Mapping[str, datetime] = field(default_factory=dict)
    noted: Mapping[str, datetime] = field(default_factory=dict)
    announced: Announced | None = None
    served: Served | None = None
    complaint: str = ""

    @property
    def trusted(self) -> tuple[Certificate, ...]:
        """What every caBundle must hold, oldest first."""
        formers = tuple(one.certificate for one in self.formers)
        return (*formers, self.signer.certificate) if self.signer else formers


def read_state(data: Mapping[str, bytes]) -> State:
    """Read the Secret's data; never raises.

    A CA whose key cannot be used is a former one from then on: it is trusted while a leaf of it may hold.
    """
    notes, complaint = _read_notes(data.get(NOTES, b""))
    until = _times(notes.get("leavesUntil"))
    forced = frozenset(map(str, _items(notes.get("forced"))))
    signer: Signer | None = None
    former = read_bundle(data.get(FORMER_AUTHORITIES, b""))
    if data.get(AUTHORITY_CERTIFICATE) or data.get(AUTHORITY_KEY):
        try:
            signer = _signer(data, until, known=bool(until))
        except CertificateError as error:
            complaint = f"Secret nbgate-ca cannot issue: {error}"
            lost = read_bundle(data.get(AUTHORITY_CERTIFICATE, b""))
            former += tuple(one for one in lost if one not in former)
    own = signer.certificate.fingerprint if signer else ""
    over = {name: at for name, at in _times(notes.get("over")).items() if name != own}
    return State(
        signer=signer,
        formers=tuple(
            Former(
                certificate=one,
                leaves_until=until.get(one.fingerprint, one.not_after),
                forced=one.fingerprint in forced,
            )
            for one in former
            if one.fingerprint != own and one.fingerprint not in over
        ),
        over=over,
        noted=until,
        announced=_announced(notes.get("announced")),
        served=_served(notes.get("served")),
        complaint=complaint,
    )


def write_state(state: State) -> dict[str, bytes]:
    """Write the Secret's data; `read_state` of it is the same state, without its complaint."""
    pair = state.signer.pair if state.signer else None
    return {
        AUTHORITY_CERTIFICATE: pair.certificate_pem if pair else b"",
        AUTHORITY_KEY: pair.key_pem if pair else b"",
        FORMER_AUTHORITIES: bundle_pem(one.certificate for one in state.formers),
        NOTES: _write_notes(state),
    }


def retired(state: State, *, forced: bool) -> State:
    """Make the signer a former CA, so that another can take its place."""
    formers = state.formers
    if state.signer is not None:
        last = Former(
            certificate=state.signer.certificate,
            leaves_until=state.signer.leaves_until,
            forced=forced,
        )
        formers = (*formers, last)
    if forced:
        formers = tuple(replace(one, forced=True) for one in formers)
    return replace(state, signer=None, formers=formers, announced=None, complaint="")


def _signer(data: Mapping[str, bytes], until: Mapping[str, datetime], *, known: bool) -> Signer:
    """Read the signer. Where others are `known` and it is not, somebody has put it there, and no leaf of it is out."""
    pair = KeyPair(
        certificate_pem=data.get(AUTHORITY_CERTIFICATE, b""),
        key_pem=data.get(AUTHORITY_KEY, b""),
    )
    certificate = describe(pair.certificate_pem, source=AUTHORITY_CERTIFICATE)[0]
    key = signing_key(pair.key_pem, source=AUTHORITY_KEY)
    if not certificate.is_ca:
        raise UnusableCertificateError(f"{AUTHORITY_CERTIFICATE}: {certificate.subject} is no CA")
    if public_bytes(key.public_key()) != public_bytes(parsed(certificate).public_key()):
        raise UnusableCertificateError(
            f"{AUTHORITY_KEY} is not the key of {AUTHORITY_CERTIFICATE} ({certificate.subject})"
        )
    at_most = certificate.not_before if known else certificate.not_after
    return Signer(
        pair=pair,
        certificate=certificate,
        leaves_until=until.get(certificate.fingerprint, at_most),
    )


def _write_notes(state: State) -> bytes:
    """Write what is known of the CAs; certificates are named by fingerprint, moments are RFC 3339 in UTC."""
    known = {one.certificate.fingerprint: one.leaves_until for one in state.formers}
    if state.signer is not None:
        known[state.signer.certificate.fingerprint] = state.signer.leaves_until
    notes: dict[str, Any] = {
        "leavesUntil": {name: _moment(at) for name, at in known.items()},
        "forced": [one.certificate.fingerprint for one in state.formers if one.forced],
        "over": {name: _moment(at) for name, at in state.over.items()},
    }
    if state.announced is not None:
        notes["announced"] = {"to": state.announced.to, "at": _moment(state.announced.at)}
    if state.served is not None:
        notes["served"] = {"leaf": state.served.leaf, "at": _moment(state.served.at)}
    return json.dumps(notes, indent=1).encode()


def _read_notes(content: bytes) -> tuple[dict[str, Any], str]:
    if not content:
        return {}, ""
    try:
        notes = json.loads(content)
    except (ValueError, RecursionError):
        notes = None
    if isinstance(notes, dict):
        return notes, ""
    return {}, f"{NOTES} of Secret nbgate-ca is not JSON: what it told is taken for the safe case"


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _times(value: object) -> dict[str, datetime]:
    pairs = value.items() if isinstance(value, dict) else ()
    read = ((str(name), _time(at)) for name, at in pairs)
    return {name: at for name, at in read if at is not None}


def _announced(value: object) -> Announced | None:
    found = value if isinstance(value, dict) else {}
    to, at = found.get("to"), _time(found.get("at"))
    return Announced(to=to, at=at) if isinstance(to, str) and at is not None else None


def _served(value: object) -> Served | None:
    found = value if isinstance(value, dict) else {}
    leaf, at = found.get("leaf"), _time(found.get("at"))
    return Served(leaf=leaf, at=at) if isinstance(leaf, str) and at is not None else None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        read = datetime.fromisoformat(value)
        return read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None
