"""Change the CA of a directory of our own issue by hand: three runs, and between them people give ca.crt to clients.

    run   what is there              what is written
    1     one CA                     next.key and next.crt; ca.crt holds the CA and the next
    2     next.crt, announced so     the next becomes the CA, with a leaf of it; ca.crt holds it and the one before
    3     one before in ca.crt       ca.crt holds the CA alone

A server serves on at each moment, and a run that was interrupted is run again. Who has the ca.crt of one run verifies
what is served after the next run too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from certs.authority import issue_authority, issue_leaf
from certs.bundle import bundle_pem
from certs.certificate import Certificate, describe, parsed
from certs.directory import write_locked
from certs.errors import ForeignFileError, UnreadableFileError
from certs.files import read, read_if_there, replace, unwritable
from certs.hosts import is_host
from certs.keypair import KeyPair, public_bytes, read_key
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, LEAF_CERTIFICATE
from certs.lifetime import BACKDATED, SHORTEST
from certs.lock import locked
from certs.upkeep import AUTHORITY_NAME

NEXT_CERTIFICATE, NEXT_KEY = "next.crt", "next.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Run 1: ca.crt holds the next CA too."""

    authorities: tuple[Certificate, ...]
    leaf: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedOver:
    """Run 2: the leaf is of the next CA."""

    authorities: tuple[Certificate, ...]
    leaf: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Run 3: the CA before is gone."""

    authorities: tuple[Certificate, ...]
    leaf: Certificate


Outcome: TypeAlias = Announced | ChangedOver | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    directory: Path
    authorities: tuple[Certificate, ...]
    leaf: Certificate
    following: KeyPair | None


def rotate(directory: Path, *, now: datetime) -> Outcome:
    """Do the run that is next. Lifetimes and hosts stay as they are.

    Raise ForeignFileError where the directory is not of our own issue, UnreadableFileError, MalformedCertificateError,
    UnwritableFileError, or BusyDirectoryError.
    """
    if not directory.is_dir():
        raise UnreadableFileError(
            f"{directory}: no such directory; name one with ca.crt and ca.key"
        )
    with locked(directory):
        found = _look(directory)
        announced = found.following and _first(found.following) in found.authorities
        if found.following is not None and announced:
            return _change_over(found, found.following, now)
        if len(found.authorities) > 1 and found.following is None:
            return _finish(found)
        return _announce(found, found.following or _issue_next(found, now))


def _look(directory: Path) -> _Found:
    authorities = _described(directory / AUTHORITY_CERTIFICATE)
    (leaf, *_) = _described(directory / LEAF_CERTIFICATE)
    following = _following(directory)
    if any(one.subject != f"CN={AUTHORITY_NAME}" for one in authorities):
        raise ForeignFileError(
            f"{directory / AUTHORITY_CERTIFICATE}: somebody else's CA, which is never replaced here; put its successor "
            "there, and a certificate of it"
        )
    # Amid run 2 the key may be the next one's already.
    if following is None:
        _check_key(directory / AUTHORITY_KEY, authorities[0])
    return _Found(directory=directory, authorities=authorities, leaf=leaf, following=following)


def _following(directory: Path) -> KeyPair | None:
    """Read the next CA; what run 1 left half written is none."""
    certificate = read_if_there(directory / NEXT_CERTIFICATE)
    if certificate is None:
        return None
    (first, *_) = describe(certificate, source=str(directory / NEXT_CERTIFICATE))
    _check_key(directory / NEXT_KEY, first)
    return KeyPair(certificate_pem=certificate, key_pem=read(directory / NEXT_KEY))


def _check_key(path: Path, authority: Certificate) -> None:
    key = read_key(read(path), source=str(path))
    if public_bytes(key.public_key()) != public_bytes(parsed(authority).public_key()):
        raise ForeignFileError(
            f"{path}: not the key of {authority.subject} beside it; put the two there that belong together"
        )


def _issue_next(found: _Found, now: datetime) -> KeyPair:
    life = _life(found.authorities[0])
    return issue_authority(AUTHORITY_NAME, now=now, lifetime=life)


def _announce(found: _Found, following: KeyPair) -> Announced:
    replace(found.directory / NEXT_KEY, following.key_pem, mode=0o600)
    replace(found.directory / NEXT_CERTIFICATE, following.certificate_pem, mode=0o644)
    authorities = (*found.authorities, _first(following))
    replace(found.directory / AUTHORITY_CERTIFICATE, bundle_pem(authorities), mode=0o644)
    return Announced(authorities=authorities, leaf=found.leaf)


def _change_over(found: _Found, following: KeyPair, now: datetime) -> ChangedOver:
    hosts = [host for host in found.leaf.hosts if is_host(host)]
    pair = issue_leaf(following, hosts=hosts, now=now, lifetime=_life(found.leaf))
    first = _first(following)
    authorities = (first, *(one for one in found.authorities if one != first))
    authority = KeyPair(certificate_pem=bundle_pem(authorities), key_pem=following.key_pem)
    write_locked(found.directory, pair, authority=authority)
    _remove(found.directory / NEXT_CERTIFICATE)
    _remove(found.directory / NEXT_KEY)
    return ChangedOver(authorities=authorities, leaf=describe(pair.certificate_pem)[0])


def _finish(found: _Found) -> Finished:
    authorities = found.authorities[:1]
    replace(found.directory / AUTHORITY_CERTIFICATE, bundle_pem(authorities), mode=0o644)
    _remove(found.directory / NEXT_KEY)
    return Finished(authorities=authorities, leaf=found.leaf)


def _life(certificate: Certificate) -> timedelta:
    return max(certificate.not_after - certificate.not_before - BACKDATED, SHORTEST)


def _described(path: Path) -> tuple[Certificate, ...]:
    return describe(read(path), source=str(path))


def _first(pair: KeyPair) -> Certificate:
    return describe(pair.certificate_pem)[0]


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
