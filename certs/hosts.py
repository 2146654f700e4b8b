"""Which hosts can stand in a certificate, and which of them cover which.

A host is a DNS name or an IP address, as text. Its normal form is lower case for names and the
compressed form for addresses, so that two spellings of one host compare equal.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence

from cryptography import x509

from certs.errors import HostError

# RFC 1035 2.3.4: 255 octets on the wire, which is 253 characters of text without the final dot.
LONGEST_NAME = 253

# A leaf travels in every handshake: 100 names are as many as the large public CAs put in one.
MOST_HOSTS = 100

# RFC 1123 2.1. The underscore is no host name's, but machines are called so, and Go's crypto/x509
# (the API server's verifier) accepts it.
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def normalize(host: str) -> str:
    """Return the normal form of a DNS name, a wildcard such as `*.example.com`, or an IP address.

    Raise HostError, which says how to write it.
    """
    address = _address(host)
    if address is not None:
        return str(address)
    fault = _name_fault(host.lower())
    if fault:
        raise HostError(f"host {host[:LONGEST_NAME]!r}: {fault}")
    return host.lower()


def is_host(host: str) -> bool:
    """Say whether a text is a host, and in its normal form."""
    try:
        return normalize(host) == host
    except HostError:
        return False


def normalize_all(hosts: Sequence[str]) -> tuple[str, ...]:
    """Return the normal forms in order, each once. Raise HostError for none or too many."""
    distinct = tuple(dict.fromkeys(map(normalize, hosts)))
    if not distinct:
        raise HostError("no host: name at least one DNS name or IP address that clients connect to")
    if len(distinct) > MOST_HOSTS:
        raise HostError(f"{len(distinct)} hosts in one certificate: name at most {MOST_HOSTS}")
    return distinct


def general_name(host: str) -> x509.GeneralName:
    """Return what stands in subjectAltName for a host in its normal form (RFC 5280 4.2.1.6)."""
    address = _address(host)
    return x509.DNSName(host) if address is None else x509.IPAddress(address)


def covers(names: Iterable[str], host: str) -> bool:
    """Say whether a certificate for `names` verifies for `host`, all in their normal form.

    A wildcard stands for exactly one whole label (RFC 9525 6.3), and covers itself.
    """
    known = frozenset(names)
    if host in known:
        return True
    _, _, rest = host.partition(".")
    return _address(host) is None and "." in rest and f"*.{rest}" in known


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    # A zone (fe80::1%eth0) means something on this machine only; subjectAltName cannot hold it.
    return None if getattr(address, "scope_id", None) else address


def _name_fault(name: str) -> str | None:
    """Return why a lower-case name is no DNS name for a certificate, with the cure, or None."""
    wildcard = name.startswith("*.")
    labels = name.removeprefix("*.").split(".")
    if not name.isascii():
        return "not ASCII; write an international name in its xn-- form"
    if len(name) > LONGEST_NAME:
        return f"longer than {LONGEST_NAME} characters"
    if name.endswith("."):
        return "ends with a dot; leave it out"
    if wildcard and len(labels) < 2:
        return "a wildcard over a whole top-level domain; write at least *.name.domain"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return (
            "not a DNS name or an IP address; write labels of 1 to 63 letters, digits and inner "
            "hyphens, a wildcard only as the whole first label, and an address without port, "
            "brackets or zone"
        )
    if labels[-1].isdigit():
        return "looks like an IPv4 address but is none; write four numbers from 0 to 255"
    return None
