"""What listens in a network namespace, from the kernel's tables /proc/PID/net/tcp and tcp6.

Their format: Linux, Documentation/networking/proc_net_tcp.rst. Addresses are in the machine's byte order, by words of
four bytes.
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

PORT = 8888
_LISTEN = "0A"
# Every port on two addresses; those that listen come first.
_MAX_LINES = 2 * 65536


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A TCP socket that listens.

    Attributes:
        loopback: only processes beside it can connect.
    """

    port: int
    loopback: bool


def listeners_of(pid: int) -> tuple[Listener, ...]:
    """Give what listens in the network namespace of a process; empty where that cannot be seen."""
    found: list[Listener] = []
    for name in ("tcp", "tcp6"):
        try:
            with Path(f"/proc/{pid}/net/{name}").open(encoding="ascii") as table:
                found += read_table(islice(table, _MAX_LINES))
        except OSError:
            continue
    return tuple(found)


def read_table(lines: Iterable[str]) -> list[Listener]:
    """Read a table's lines, the heading among them."""
    rows = (line.split() for line in lines)
    return [_listener(row[1]) for row in rows if len(row) > 3 and row[3] == _LISTEN]


def _listener(text: str) -> Listener:
    address, _, port = text.partition(":")
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    found = ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return Listener(port=int(port, 16), loopback=(mapped or found).is_loopback)


def other_ports(listeners: Iterable[Listener]) -> tuple[int, ...]:
    """Give the ports other than 8888, ascending."""
    return tuple(sorted({each.port for each in listeners} - {PORT}))


def only_loopback(listeners: Iterable[Listener]) -> bool:
    """Tell whether something listens on 8888, but nowhere that others could reach."""
    found = [each.loopback for each in listeners if each.port == PORT]
    return bool(found) and all(found)
