"""The address to listen on, as people write it: HOST:PORT, [IPv6]:PORT or :PORT."""

import errno
import os
import re
import socket
from contextlib import closing

import click

from webhook.cli.exits import CouldNot

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^:\[\]]*)):([0-9]{1,5})")


class ListenAddress(click.ParamType[tuple[str, int]]):
    """Reads `0.0.0.0:8443` into a host and a port."""

    name = "HOST:PORT"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the address, or fail with the cure."""
        if isinstance(value, tuple):
            return value
        found = _ADDRESS.fullmatch(str(value))
        if found is None or int(found[3]) > 65535:
            self.fail(f"{value!r} is not HOST:PORT, like 127.0.0.1:8443 or [::1]:8443", param, ctx)
        return found[1] or found[2] or "0.0.0.0", int(found[3])  # noqa: S104 - as everywhere, :PORT is all


def check_free(host: str, port: int) -> None:
    """Find out now whether the address can be had. Raises CouldNot: gunicorn would retry for seconds first."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with closing(socket.socket(family, kind, protocol)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
    except (socket.gaierror, UnicodeError) as error:
        raise CouldNot(
            f"--listen: {host!r} is no address of this machine: name one, or 0.0.0.0 for all"
        ) from error
    except OSError as error:
        cure = _CURES.get(error.errno or 0, "name another address")
        raise CouldNot(
            f"--listen: cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}; {cure}"
        ) from error


_CURES = {
    errno.EADDRINUSE: "end what listens there, or name another port",
    errno.EACCES: "a port under 1024 needs privileges: name another",
    errno.EADDRNOTAVAIL: "name an address of this machine",
}
