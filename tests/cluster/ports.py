"""Free ports for servers that cannot pick their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def reserved_ports(count: int) -> Iterator[list[int]]:
    """Hold that many free TCP ports of 127.0.0.1 until the context ends.

    Linux lets a server listen on a port that is bound here, because both sides set SO_REUSEADDR
    (socket(7): allowed while nobody listens; Go's listeners always set it), but gives the port to no
    one who asks for any free one. Binding a port, closing it and hoping, as is often done, loses
    that race when two test runs start together.
    """
    with ExitStack() as stack:
        yield [_bind(stack.enter_context(socket.socket())) for _ in range(count)]


def _bind(listener: socket.socket) -> int:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port
