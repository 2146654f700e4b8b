"""Where a scan may go: judged by every address that a name has, before anything connects to one of them."""

from collections.abc import Sequence

from webhook.scanner.errors import Refused
from webhook.scanner.sources.addresses import Address, Zone, zone_of

_NAMES = {
    Zone.PRIVATE: "a private address",
    Zone.LOOPBACK: "an address of this machine",
    Zone.NEVER: "a link-local, metadata or reserved address, where no registry is",
}


class Guard:
    """Judges the addresses of every host that one source connects to.

    The registry that a person named, and what else that person named, may be wherever the person may go. What a server
    names (a redirect, a token realm) may be as near as the registry itself is, and no nearer: a public one leads to
    public addresses only. Zone.NEVER is never entered, whoever named it.

    Args:
        where: begins each message.
        own: the registry's host, lower-case.
        told: other hosts that the person named, with a port or without.
        private: whether the person may name private and loopback addresses.
    """

    def __init__(self, where: str, own: str, told: frozenset[str], *, private: bool) -> None:
        self._where, self._own = where, _bare(own)
        self._named = {self._own, *map(_bare, told)}
        self._reach = Zone.LOOPBACK if private else Zone.PUBLIC
        self._seen: Zone | None = None

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine, by all addresses that it had so far."""
        return self._seen is Zone.LOOPBACK

    def admit(self, host: str, addresses: Sequence[Address]) -> None:
        """Let a host pass, all of whose addresses these are. Raises Refused."""
        host = _bare(host)
        zones = [zone_of(address) for address in addresses]
        reach = self._reach if host in self._named else self._seen or Zone.PUBLIC
        for address, zone in zip(addresses, zones, strict=True):
            if zone > reach:
                raise Refused(self._fault(host, address, zone))
        if host == self._own and zones:
            # The least: a registry that is public by one of its names' addresses leads to public places only.
            self._seen = min(*zones, Zone.LOOPBACK if self._seen is None else self._seen)

    def _fault(self, host: str, address: Address, zone: Zone) -> str:
        at = f"{self._where}: {host} is at {address}, {_NAMES[zone]}"
        if zone is Zone.NEVER:
            return f"{at}; correct its name or its entry in DNS"
        if host in self._named:
            return (
                f"{at}, and only public registries may be scanned from here; copy the image to one, "
                "or name this one with --private-registry"
            )
        return (
            f"{at}, to which a registry that is not there itself may not lead; "
            "if that is meant, name the registry by its own private address"
        )


def _bare(host: str) -> str:
    """Give a host without a port and without the brackets of IPv6."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host if host.count(":") > 1 else host.partition(":")[0]
