"""Keep a directory of our own issue able to serve: `nbgate serve --tls self`, `nbgate certs issue`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

from certs.authority import issue_leaf
from certs.certificate import Certificate, describe
from certs.directory import write_locked
from certs.files import make_private_directory, read_if_there
from certs.hosts import normalize_all
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import AUTHORITY_LIFETIME, LEAF_LIFETIME
from certs.lock import locked
from certs.upkeep import Found, Issue, Wanted, need


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Nothing was written."""

    reason: str
    leaf: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedLeaf:
    """A new leaf was written, from the CA that was there."""

    reason: str
    leaf: Certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedAuthority:
    """A new CA certificate was written, and a new leaf from it. Clients need the new ca.crt."""

    reason: str
    leaf: Certificate


Outcome: TypeAlias = Kept | IssuedLeaf | IssuedAuthority


def ensure(
    directory: Path,
    hosts: Sequence[str],
    *,
    now: datetime,
    leaf_lifetime: timedelta = LEAF_LIFETIME,
    authority_lifetime: timedelta = AUTHORITY_LIFETIME,
) -> Outcome:
    """Make the directory hold a CA and a leaf that covers the hosts, writing only what is needed.

    What is needed, and what is an error, stands in `certs.upkeep`. Several processes and threads may
    do this at once: one writes, the others find that nothing is needed. A directory that needs
    nothing may be read-only. Raise HostError, LifetimeError, ForeignFileError (nothing was touched),
    UnreadableFileError, UnwritableFileError, or BusyDirectoryError.
    """
    wanted = Wanted(
        hosts=normalize_all(hosts),
        now=now,
        leaf_lifetime=leaf_lifetime,
        authority_lifetime=authority_lifetime,
    )
    decision = need(_look(directory), wanted)
    if isinstance(decision, Issue):
        make_private_directory(directory)
        with locked(directory):
            decision = need(_look(directory), wanted)  # another may have written while we waited
            if isinstance(decision, Issue):
                return _issue(directory, decision, wanted)
    return Kept(reason=decision.reason, leaf=decision.leaf)


def _look(directory: Path) -> Found:
    """Read the files in the order opposite to writing, so that what a file needs is there as well.

    Without the lock, a leaf that is seen was written after the CA that is read next.
    """
    leaf_certificate = read_if_there(directory / LEAF_CERTIFICATE)
    leaf_key = read_if_there(directory / LEAF_KEY)
    authority_certificate = read_if_there(directory / AUTHORITY_CERTIFICATE)
    authority_key = read_if_there(directory / AUTHORITY_KEY)
    return Found(
        directory=directory,
        authority_key=authority_key,
        authority_certificate=authority_certificate,
        leaf_key=leaf_key,
        leaf_certificate=leaf_certificate,
    )


def _issue(directory: Path, decision: Issue, wanted: Wanted) -> IssuedLeaf | IssuedAuthority:
    pair = issue_leaf(
        decision.authority, hosts=decision.hosts, now=wanted.now, lifetime=wanted.leaf_lifetime
    )
    authority = decision.authority if decision.new_authority else None
    write_locked(directory, pair, authority=authority)
    leaf = describe(pair.certificate_pem)[0]
    outcome = IssuedAuthority if decision.new_authority else IssuedLeaf
    return outcome(reason=decision.reason, leaf=leaf)
