"""GET /livez, /readyz and /metrics over plain HTTP, for the kubelet and Prometheus, on wsgiref as prometheus_client is.

Nothing secret is told, and nothing is done for whoever asks. Against those who ask slowly: a few connections at a time,
none of them for long.
"""

import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from webhook.server.health import Condition, render

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_CONNECTIONS = 16
_SECONDS = 10.0  # a scrape of all metrics takes a hundredth
_LOOK = 0.1  # seconds between two looks at whether to end
_JSON = "application/json"
_METRICS = "text/plain; version=0.0.4; charset=utf-8"
_REASONS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}
Answer = tuple[int, str, bytes]


class Endpoints:
    """The server; it listens from when it is made, and answers from `start` on.

    Args:
        alive: conditions without which the process should be started anew.
        ready: conditions without which this replica does not do its work.
        metrics: writes all metrics.
        patience: seconds for one request and its answer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        alive: Callable[[], Sequence[Condition]],
        ready: Callable[[], Sequence[Condition]],
        metrics: Callable[[], bytes],
        patience: float = _SECONDS,
    ) -> None:
        """Listen. Raises OSError."""
        self._answers: dict[str, Callable[[], Answer]] = {
            "/livez": lambda: _health(alive()),
            "/readyz": lambda: _health(ready()),
            "/metrics": lambda: (200, _METRICS, metrics()),
        }
        self._server = (_Server6 if ":" in host else _Server)((host, port), patience)
        self._server.set_app(self._app)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_LOOK,), name="nbgate-endpoints", daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on, in threads that are no reason for the process to live."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        status, kind, body = self._answer(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        start_response(f"{status} {_REASONS[status]}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _answer(self, method: str, path: str) -> Answer:
        answer = self._answers.get(path)
        if answer is None:
            return 404, "text/plain", b"there are /livez, /readyz and /metrics\n"
        if method not in {"GET", "HEAD"}:
            return 405, "text/plain", b"only GET\n"
        return answer()


def _health(conditions: Sequence[Condition]) -> Answer:
    status, body = render(conditions)
    return status, _JSON, body


class _Handler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Log nothing: the kubelet asks every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 2 * _CONNECTIONS

    def __init__(self, address: tuple[str, int], patience: float) -> None:
        self._patience = patience
        self._free = threading.BoundedSemaphore(_CONNECTIONS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind, without asking DNS what this machine is called, as HTTPServer does."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002 - the library's
        """Turn a connection away where there are too many."""
        return self._free.acquire(blocking=False)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and end it when its time is up."""
        timer = threading.Timer(self._patience, _end, [request])
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away or dawdle."""


class _Server6(_Server):
    address_family = socket.AF_INET6


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
