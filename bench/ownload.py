"""A small load generator, for where wrk is not: one thread, one poller, TLS connections that are kept."""

import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit


class _Client:
    """One connection: posts, reads the whole answer, notes how long it took, posts again."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, request: bytes) -> None:
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(plain, do_handshake_on_connect=False)
        self.times: list[float] = []
        self._request = request
        self._answer = b""
        self._sent: float | None = None

    def advance(self) -> None:
        """Go on as far as it goes now. Raises OSError where the answer is no 200, or there is none."""
        try:
            if self._sent is None:
                # one by one: gunicorn's stock worker gives a thread to each connection that is shaken and silent
                self.sock.do_handshake()
                self._post()
            self._read()
        except ssl.SSLWantReadError:
            return

    def _post(self) -> None:
        """Send the request; a few KB always fit an empty socket's buffer."""
        self._sent = time.perf_counter()
        self.sock.send(self._request)

    def _read(self) -> None:
        while data := self.sock.recv(65536):
            self._answer += data
            head, end, body = self._answer.partition(b"\r\n\r\n")
            if end and not head.startswith(b"HTTP/1.1 200 "):
                raise ConnectionAbortedError(head[:80])
            if end and len(body) >= _length(head):
                self.times.append(time.perf_counter() - (self._sent or 0.0))
                self._answer = b""
                self._post()
        raise ConnectionResetError("closed by the server")


def _length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0])


def run(url: str, body: bytes, connections: int, seconds: int) -> dict[str, Any]:
    """Post for some seconds; give what wrk's script gives, times in milliseconds."""
    parts = urlsplit(url)
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    address = (parts.hostname or "", parts.port or 443)
    started = time.perf_counter()
    clients = [
        _Client(socket.create_connection(address), context, head.encode() + body)
        for _ in range(connections)
    ]
    failed = _drive(clients, started + seconds)
    took = time.perf_counter() - started
    for client in clients:
        client.sock.close()
    return _result(sorted(t for c in clients for t in c.times), took, failed)


def _drive(clients: Sequence[_Client], until: float) -> int:
    """Keep every connection busy until the time is up; give the number of those that failed."""
    going = set(clients)
    with selectors.DefaultSelector() as poller:
        for client in clients:
            poller.register(client.sock, selectors.EVENT_READ, client)
            _advance(client, going, poller)
        while going and (left := until - time.perf_counter()) > 0:
            for key, _ in poller.select(left):
                _advance(key.data, going, poller)
    return len(clients) - len(going)


def _advance(client: _Client, going: set[_Client], poller: selectors.BaseSelector) -> None:
    try:
        client.advance()
    except OSError:
        going.discard(client)
        poller.unregister(client.sock)


def _result(times: Sequence[float], took: float, failed: int) -> dict[str, Any]:
    count = len(times)
    return {
        "requests": count,
        "seconds": took,
        "p50": times[count // 2] * 1000 if count else 0.0,
        "p99": times[count * 99 // 100] * 1000 if count else 0.0,
        "failed": failed,
    }
