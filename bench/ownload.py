"""A small load generator, for where wrk is not, and for requests that differ: one thread, one poller.

Its connections are kept, and no certificate is looked at.
"""

import math
import selectors
import socket
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any


def request(host: str, path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Write a POST of JSON as it goes over the wire."""
    lines = {"Host": host, "Content-Type": "application/json", "Content-Length": len(body)}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**lines, **headers}.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class _Client:
    """One connection: posts, reads the whole answer, notes how long it took, posts the next one."""

    def __init__(
        self, plain: socket.socket, context: ssl.SSLContext, requests: Iterator[bytes]
    ) -> None:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(plain, do_handshake_on_connect=False)
        self.times: list[float] = []
        self.ended = False
        self._requests = requests
        self._answer = b""
        self._sent: float | None = None

    def advance(self) -> None:
        """Go on as far as it goes now. Raises OSError where the answer is no success, or there is none."""
        try:
            if self._sent is None:
                # one by one: gunicorn's stock worker gives a thread to each connection that is shaken and silent
                self.sock.do_handshake()
                self._post()
            while not self.ended:
                self._read(self.sock.recv(65536))
        except ssl.SSLWantReadError:
            return

    def _post(self) -> None:
        """Send the next request; a few KB always fit an empty socket's buffer."""
        following = next(self._requests, None)
        self._sent = time.perf_counter()
        if following is None:
            self.ended = True
        else:
            self.sock.send(following)

    def _read(self, data: bytes) -> None:
        if not data:
            raise ConnectionResetError("closed by the server")
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if end and not head.startswith(b"HTTP/1.1 20"):
            raise ConnectionAbortedError(head[:80])
        if end and len(body) >= _length(head):
            self.times.append(time.perf_counter() - (self._sent or 0.0))
            self._answer = b""
            self._post()


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


def run(
    address: tuple[str, int],
    requests: Iterable[bytes],
    connections: int,
    seconds: float = math.inf,
) -> dict[str, Any]:
    """Post for some seconds, or until there is nothing more to post; give what wrk's script gives."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    started, waiting = time.perf_counter(), iter(requests)
    clients = [
        _Client(socket.create_connection(address), context, waiting) for _ in range(connections)
    ]
    failed = _drive(clients, started + seconds)
    took = time.perf_counter() - started
    for client in clients:
        client.sock.close()
    return _result(sorted(t for c in clients for t in c.times), took, failed)


def _drive(clients: Sequence[_Client], until: float) -> int:
    """Keep every connection busy until the time is up; give the number of those that failed."""
    going, failed = set(clients), 0
    with selectors.DefaultSelector() as poller:
        for client in clients:
            poller.register(client.sock, selectors.EVENT_READ, client)
            failed += _advance(client, going, poller)
        while going and (left := until - time.perf_counter()) > 0:
            for key, _ in poller.select(None if left == math.inf else left):
                failed += _advance(key.data, going, poller)
    return failed


def _advance(client: _Client, going: set[_Client], poller: selectors.BaseSelector) -> bool:
    """Let a connection go on; tell whether it failed."""
    failed = False
    try:
        client.advance()
    except OSError:
        failed = True
    if failed or client.ended:
        going.discard(client)
        poller.unregister(client.sock)
    return failed


def _result(times: Sequence[float], took: float, failed: int) -> dict[str, Any]:
    count = len(times)
    return {
        "requests": count,
        "seconds": took,
        "p50": times[count // 2] * 1000 if count else 0.0,
        "p99": times[count * 99 // 100] * 1000 if count else 0.0,
        "failed": failed,
    }
