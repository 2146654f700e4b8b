"""Small real servers on loopback that answer as told, well or badly, and a connector to them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Direct:
    """A connector to a port of 127.0.0.1."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self, timeout: float) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)


Headers = Sequence[tuple[str, str]]
# From a path and the request's headers to a status, headers, and a body, without one the path.
Answer = Callable[[str, Mapping[str, str]], tuple[int, Headers] | tuple[int, Headers, bytes]]


class HttpServer(Direct):
    """Answers GET, and HEAD with 405 as Jupyter does.

    Attributes:
        asked: every path so far.
    """

    def __init__(self, port: int, asked: list[str]) -> None:
        super().__init__(port)
        self.asked = asked


@contextmanager
def http_server(answer: Answer) -> Iterator[HttpServer]:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            found = answer(self.path, {k.lower(): v for k, v in self.headers.items()})
            status, headers, *body = found
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body[0] if body else self.path.encode())

        def do_HEAD(self) -> None:
            self.send_error(405)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield HttpServer(server.server_port, asked)
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[Direct]:
    """Hand every connection to `talk`, one after another; when it returns, the connection is closed."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_accept, args=(listener, talk))
        thread.start()
        try:
            yield Direct(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def _accept(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            talk(connection)


def sends(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Read a request, then send these bytes."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        for piece in pieces:
            connection.sendall(piece)

    return talk


def floods(beginning: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Read a request, send a beginning, then the same piece until nobody takes it any more."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(beginning)
        while True:
            connection.sendall(piece)

    return talk


def waits_until_left(connection: socket.socket) -> None:
    """Read whatever comes, and say nothing until the other end goes."""
    while connection.recv(65536):
        pass
