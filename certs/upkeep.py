"""What a directory of our own issue needs next. PURE: what was found in, a decision out.

    ca.key    ca.crt              tls.crt, tls.key               decision
    -------   -----------------   ----------------------------   --------------------------------
    missing   missing             both missing                   issue a CA and a leaf
    missing   any                 hold now, cover the hosts      keep; they cannot be renewed here
    missing   any                 anything else                  error: nothing to issue with
    good      missing             missing, or of that key        issue ca.crt for ca.key, and a leaf
    good      ours, near its end  missing, or of that key        renew ca.crt for ca.key, and a leaf
    good      of another key,     any                            error
              no CA, corrupt
    corrupt   any                 any                            error
    good      good                hold now, cover the hosts,     keep
                                  under two thirds of life
    good      good                issued by this CA, but not     issue a leaf
                                  so; or missing or corrupt
    good      good                issued by another CA           error

An error is ForeignFileError, and nothing is touched. ca.key is made once and never changed, so a
renewed CA certificate verifies what the old one signed, and the old one what the renewed one signs:
clients need the new ca.crt only before the old one expires. A CA that somebody else made is used
but never renewed.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from certs.authority import issue_authority, signing_key
from certs.certificate import Certificate, describe, parsed
from certs.checks import faults, issued_by
from certs.errors import ForeignFileError, MalformedCertificateError, MalformedKeyError
from certs.hosts import MOST_HOSTS, is_host
from certs.keypair import KeyPair, public_bytes
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import renewal_due

AUTHORITY_NAME = "nbgate self-signed CA"

_ALL_NEW = (
    f"remove {AUTHORITY_KEY}, {AUTHORITY_CERTIFICATE}, {LEAF_KEY} and {LEAF_CERTIFICATE} to have all "
    "issued anew (clients must then trust the new CA)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the directory holds; None where there is no file."""

    directory: Path
    authority_key: bytes | None = field(repr=False)
    authority_certificate: bytes | None
    leaf_key: bytes | None = field(repr=False)
    leaf_certificate: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the directory should hold: hosts in their normal form."""

    hosts: tuple[str, ...]
    now: datetime
    leaf_lifetime: timedelta
    authority_lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Nothing is needed."""

    reason: str
    leaf: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A leaf is needed from `authority`, which is itself to be written when it is new."""

    reason: str
    authority: KeyPair
    new_authority: bool
    hosts: tuple[str, ...]


Need: TypeAlias = Keep | Issue


def need(found: Found, wanted: Wanted) -> Need:
    """Decide by the table above. Raise ForeignFileError, or LifetimeError for impossible times."""
    if found.authority_key is None:
        return _without_authority_key(found, wanted)
    why_authority = _why_authority(found, found.authority_key, wanted)
    authority = _authority(found, found.authority_key, wanted, renew=bool(why_authority))
    leaf, why_leaf = _leaf(found, wanted)
    if leaf is not None:
        _refuse_foreign(found, leaf, authority)
        if not why_leaf and renewal_due(leaf, wanted.now):
            why_leaf = f"{LEAF_CERTIFICATE} has lived two thirds of its life"
        if not why_authority and not why_leaf:
            return Keep(reason=f"valid until {leaf.not_after:%Y-%m-%d %H:%M} UTC", leaf=leaf)
    return Issue(
        reason=why_authority or why_leaf,
        authority=authority,
        new_authority=bool(why_authority),
        hosts=_hosts(leaf, wanted),
    )


def _without_authority_key(found: Found, wanted: Wanted) -> Need:
    rest = (found.authority_certificate, found.leaf_key, found.leaf_certificate)
    if all(content is None for content in rest):
        authority = issue_authority(
            AUTHORITY_NAME, now=wanted.now, lifetime=wanted.authority_lifetime
        )
        return Issue(
            reason="there was no CA", authority=authority, new_authority=True, hosts=wanted.hosts
        )
    leaf, why_leaf = _leaf(found, wanted)
    if leaf is None or why_leaf:
        raise ForeignFileError(
            f"{found.directory}: {why_leaf}, and there is no {AUTHORITY_KEY} to issue another with; "
            f"put {AUTHORITY_KEY} there, serve these files as they are with --tls, or {_ALL_NEW}"
        )
    return Keep(
        reason=f"valid until {leaf.not_after:%Y-%m-%d %H:%M} UTC; "
        f"nothing can renew it, as there is no {AUTHORITY_KEY}",
        leaf=leaf,
    )


def _why_authority(found: Found, key_pem: bytes, wanted: Wanted) -> str:
    """Return why ca.crt must be made for ca.key; empty when it is good."""
    key_path = found.directory / AUTHORITY_KEY
    try:
        key = signing_key(key_pem, source=str(key_path))
    except MalformedKeyError as error:
        raise ForeignFileError(f"{error}; restore it, or {_ALL_NEW}") from error
    if found.authority_certificate is None:
        return f"{AUTHORITY_CERTIFICATE} was missing"
    certificate = _authority_certificate(found.directory, found.authority_certificate)
    same_key = public_bytes(parsed(certificate).public_key()) == public_bytes(key.public_key())
    if not certificate.is_ca or not same_key:
        raise ForeignFileError(
            f"{found.directory / AUTHORITY_CERTIFICATE}: not the CA certificate of {key_path}; "
            f"put there the two that belong together, or {_ALL_NEW}"
        )
    return _why_renew(found.directory, certificate, wanted)


def _authority_certificate(directory: Path, pem: bytes) -> Certificate:
    path = directory / AUTHORITY_CERTIFICATE
    try:
        return describe(pem, source=str(path))[0]
    except MalformedCertificateError as error:
        raise ForeignFileError(
            f"{path}: not a PEM certificate; restore it, or remove it and it is made anew "
            f"for {AUTHORITY_KEY}"
        ) from error


def _why_renew(directory: Path, authority: Certificate, wanted: Wanted) -> str:
    """Return why a CA certificate must be renewed: a full leaf no longer fits into what is left."""
    if authority.subject == f"CN={AUTHORITY_NAME}":
        left = authority.not_after - wanted.now
        # The second condition is for a CA whose whole life is shorter than a leaf's.
        ends_soon = left < wanted.leaf_lifetime and renewal_due(authority, wanted.now)
        return f"{AUTHORITY_CERTIFICATE} was near its end" if ends_soon else ""
    if wanted.now > authority.not_after:
        raise ForeignFileError(
            f"{directory / AUTHORITY_CERTIFICATE}: expired, and somebody else's CA, which is never "
            f"renewed here; put a valid one there, or {_ALL_NEW}"
        )
    return ""


def _authority(found: Found, key_pem: bytes, wanted: Wanted, *, renew: bool) -> KeyPair:
    if found.authority_certificate is not None and not renew:
        return KeyPair(certificate_pem=found.authority_certificate, key_pem=key_pem)
    return issue_authority(
        AUTHORITY_NAME, now=wanted.now, lifetime=wanted.authority_lifetime, key_pem=key_pem
    )


def _leaf(found: Found, wanted: Wanted) -> tuple[Certificate | None, str]:
    """Return the leaf if it can be read, and why it cannot serve; empty when it can."""
    if found.leaf_certificate is None:
        return None, f"{LEAF_CERTIFICATE} was missing"
    try:
        leaf = describe(found.leaf_certificate)[0]
    except MalformedCertificateError:
        return None, f"{LEAF_CERTIFICATE} was not a PEM certificate"
    if found.leaf_key is None:
        return leaf, f"{LEAF_KEY} was missing"
    try:
        faulty = faults(leaf, now=wanted.now, key_pem=found.leaf_key, hosts=wanted.hosts)
    except MalformedKeyError:
        return leaf, f"{LEAF_KEY} was not an unencrypted private key in PEM"
    what = ", ".join(fault.what for fault in faulty)
    return leaf, f"{LEAF_CERTIFICATE}: {what}" if what else ""


def _refuse_foreign(found: Found, leaf: Certificate, authority: KeyPair) -> None:
    issuer = describe(authority.certificate_pem)[0]
    if not issued_by(leaf, issuer):
        raise ForeignFileError(
            f"{found.directory / LEAF_CERTIFICATE}: not issued by the CA of "
            f"{found.directory / AUTHORITY_KEY}; serve it as it is with --tls from a directory of "
            f"its own, or remove {LEAF_CERTIFICATE} and {LEAF_KEY} to have them issued anew"
        )


def _hosts(leaf: Certificate | None, wanted: Wanted) -> tuple[str, ...]:
    """Return the hosts of the next leaf: those that are asked for, and all that the last one was for.

    Somebody relies on them, such as the API server on a Service's name: neither a renewal nor a repair may lose one.
    """
    if leaf is None:
        return wanted.hosts
    together = tuple(dict.fromkeys((*wanted.hosts, *filter(is_host, leaf.hosts))))
    return together if len(together) <= MOST_HOSTS else wanted.hosts
