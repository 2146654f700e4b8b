"""What kind of place an address is, so that nobody can send a scan where it must not go. Pure.

Ranges are those of IANA's special-purpose address registries (RFC 6890), and the metadata services of clouds, which
give whoever asks the credentials of the machine.
"""

from enum import IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address


class Zone(IntEnum):
    """How near an address is; a place may lead to its own zone and to those before it, and never to NEVER."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2
    NEVER = 3


_ZONES_4 = {
    Zone.NEVER: (
        "0.0.0.0/8",  # "this network"; 0.0.0.0 reaches this machine
        "169.254.0.0/16",  # link-local: metadata at most clouds, AWS's credentials for pods
        "100.100.100.200/32",  # metadata: Alibaba Cloud
        "168.63.129.16/32",  # the host of an Azure machine; looks public
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is metadata at Oracle Cloud
        "192.0.2.0/24",  # documentation, with the next two
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
    ),
    Zone.LOOPBACK: ("127.0.0.0/8",),
    Zone.PRIVATE: (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",  # shared with a carrier (RFC 6598); clusters use it for pods
        "198.18.0.0/15",  # laboratories (RFC 2544); VPNs use it inside
    ),
}
_ZONES_6 = {
    Zone.LOOPBACK: ("::1/128",),
    Zone.NEVER: (
        "fd00:ec2::/32",  # metadata and credentials for pods: AWS
        "fd20:ce::254/128",  # metadata: Google Cloud
        "fd00:42::42/128",  # metadata: Scaleway
        "64:ff9b:1::/48",  # a translator of the operator's own (RFC 8215): nobody can tell where it leads
    ),
    Zone.PRIVATE: ("fc00::/7",),
}

_NETWORKS_4 = [
    (zone, IPv4Network(text))
    for zone in (Zone.NEVER, Zone.LOOPBACK, Zone.PRIVATE)
    for text in _ZONES_4[zone]
]
_NETWORKS_6 = [
    (zone, IPv6Network(text))
    for zone in (Zone.LOOPBACK, Zone.NEVER, Zone.PRIVATE)
    for text in _ZONES_6[zone]
]

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_SIXTOFOUR = IPv6Network("2002::/16")  # RFC 3056
_GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that IANA gives out (RFC 4291, section 2.4)
# Teredo, ORCHID, benchmarks, documentation: inside it, and nothing of it is a server's.
_NOT_SERVERS = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20")]


def zone_of(address: Address) -> Zone:
    """Tell an address's zone; one that stands for an IPv4 address has that one's."""
    if isinstance(address, IPv4Address):
        found = (zone for zone, network in _NETWORKS_4 if address in network)
        return next(found, Zone.PUBLIC)
    inner = _inside(address)
    if inner is not None:
        return zone_of(inner)
    for zone, network in _NETWORKS_6:
        if address in network:
            return zone
    if address not in _GLOBAL_UNICAST or any(address in network for network in _NOT_SERVERS):
        return Zone.NEVER
    return Zone.PUBLIC


def _inside(address: IPv6Address) -> IPv4Address | None:
    """Give the IPv4 address that this one stands for: mapped (RFC 4291, 2.5.5.2), NAT64 or 6to4."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour if address in _SIXTOFOUR else None


def literal(host: str) -> Address | None:
    """Read a host that is an address as it stands, IPv6 in brackets or not; None for a name."""
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
