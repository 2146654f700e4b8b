"""A small load generator, for where wrk is not: one thread, one poller, TLS connections that are kept."""

import selectors
import socket
import ssl
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

_PATIENCE = 10.0  # seconds without any event: a server that answers nobody


class _Client:
    """One connection: posts, reads the whole answer, notes how long it took, posts again."""

    def __init__(self, sock: ssl.SSLSocket, request: bytes) -> None:
        self.sock = sock
        self.times: list[float] = []
        self._request = request
        self._answer = b""
        self._sent = 0.0
        sock.setblocking(False)

    def post(self) -> None:
        """Send the request; a few KB always fit an empty socket's buffer."""
        self._sent = time.perf_counter()
        self.sock.send(self._request)

    def take(self) -> bool:
        """Read what is there; tell whether the answer is whole. Raises OSError unless it is a 200."""
        try:
            data = self.sock.recv(65536)
        except ssl.SSLWantReadError:
            return False
        if not data:
            raise ConnectionResetError("closed by the server")
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end or len(body) < _length(head):
            return False
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionAbortedError(head[:80])
        self.times.append(time.perf_counter() - self._sent)
        self._answer = b""
        return True


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
    request = head.encode() + body
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    clients = []
    for _ in range(connections):
        plain = socket.create_connection((parts.hostname or "", parts.port or 443))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        clients.append(_Client(context.wrap_socket(plain), request))
    started = time.perf_counter()
    failed = _drive(clients, started + seconds)
    took = time.perf_counter() - started
    for client in clients:
        client.sock.close()
    return _result(sorted(t for c in clients for t in c.times), took, failed)


def _drive(clients: Sequence[_Client], until: float) -> int:
    """Keep every connection busy until the time is up; give the number of those that failed."""
    failed = 0
    with selectors.DefaultSelector() as poller:
        for client in clients:
            client.post()
            poller.register(client.sock, selectors.EVENT_READ, client)
        while time.perf_counter() < until:
            ready = poller.select(_PATIENCE)
            if not ready:
                return len(clients)
            for key, _ in ready:
                client = key.data
                try:
                    if client.take():
                        client.post()
                except OSError:
                    failed += 1
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
