"""Every fault of a certificate at once: values, with a stable kind and words for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from certs.certificate import Certificate, parsed
from certs.hosts import covers, normalize
from certs.keypair import public_bytes, read_key


class FaultKind(StrEnum):
    """The stable part of a fault."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    KEY_MISMATCH = "key-mismatch"
    NOT_ISSUED_BY_CA = "not-issued-by-ca"
    HOST_NOT_COVERED = "host-not-covered"
    NO_HOSTS = "no-hosts"
    NOT_FOR_SERVERS = "not-for-servers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a certificate: what, and how to cure it. The reader knows which one."""

    kind: FaultKind
    what: str
    cure: str

    def __str__(self) -> str:
        return f"{self.what}; {self.cure}"


def faults(
    leaf: Certificate,
    *,
    now: datetime,
    key_pem: bytes | None = None,
    authorities: Sequence[Certificate] = (),
    hosts: Sequence[str] = (),
) -> tuple[Fault, ...]:
    """Return all that keeps a server from using a certificate, in a fixed order; empty if nothing.

    The key, the CAs (one of which must have issued it) and the hosts are judged when given.
    Raise MalformedKeyError when the key cannot be read, and HostError for a host that is none.
    """
    return (
        *_time_faults(leaf, now),
        *_key_faults(leaf, key_pem),
        *_authority_faults(leaf, authorities),
        *_purpose_faults(leaf),
        *_host_faults(leaf, hosts),
    )


def issued_by(leaf: Certificate, authority: Certificate) -> bool:
    """Say whether the CA's name and key stand behind the leaf's signature, whatever the time."""
    try:
        parsed(leaf).verify_directly_issued_by(parsed(authority))
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return authority.is_ca


def _time_faults(leaf: Certificate, now: datetime) -> Iterator[Fault]:
    if now > leaf.not_after:
        yield Fault(
            kind=FaultKind.EXPIRED,
            what=f"expired at {leaf.not_after:%Y-%m-%d %H:%M:%S} UTC",
            cure="issue a new certificate",
        )
    if now < leaf.not_before:
        yield Fault(
            kind=FaultKind.NOT_YET_VALID,
            what=f"not valid before {leaf.not_before:%Y-%m-%d %H:%M:%S} UTC",
            cure="wait, or set this machine's clock right",
        )


def _key_faults(leaf: Certificate, key_pem: bytes | None) -> Iterator[Fault]:
    if key_pem is None:
        return
    key = read_key(key_pem)
    if public_bytes(key.public_key()) != public_bytes(parsed(leaf).public_key()):
        yield Fault(
            kind=FaultKind.KEY_MISMATCH,
            what="the private key is not the certificate's",
            cure="write the two that belong together, the server's own first in its chain",
        )


def _authority_faults(leaf: Certificate, authorities: Sequence[Certificate]) -> Iterator[Fault]:
    if authorities and not any(issued_by(leaf, authority) for authority in authorities):
        names = ", ".join(authority.subject for authority in authorities)
        yield Fault(
            kind=FaultKind.NOT_ISSUED_BY_CA,
            what=f"not issued by the CA {names}",
            cure="give the CA that issued it, or issue it again",
        )


def _purpose_faults(leaf: Certificate) -> Iterator[Fault]:
    if not leaf.hosts:
        yield Fault(
            kind=FaultKind.NO_HOSTS,
            what="names no host in subjectAltName, where alone clients look",
            cure="issue it again with its hosts",
        )
    if not leaf.for_servers:
        yield Fault(
            kind=FaultKind.NOT_FOR_SERVERS,
            what="its extendedKeyUsage lacks serverAuth",
            cure="issue it again as a server certificate",
        )


def _host_faults(leaf: Certificate, hosts: Sequence[str]) -> Iterator[Fault]:
    for host in map(normalize, hosts):
        if not covers(leaf.hosts, host):
            yield Fault(
                kind=FaultKind.HOST_NOT_COVERED,
                what=f"does not cover {host}",
                cure="issue it again with that host",
            )
