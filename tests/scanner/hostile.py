"""A registry that behaves as it is told, byte by byte: a real server on loopback, a thread per connection."""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as it came; the names of headers are lower-case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


# What is sent, bytes, and how long nothing is, in seconds; FOREVER lasts until the client goes or the server ends.
Answer = Iterable[bytes | float]
Script = Callable[[Asked], Answer]

FOREVER = 1e6


class HostileServer:
    """Answers each request with what the script gives, then closes the connection.

    Attributes:
        asked: what it was asked so far.
        host: `127.0.0.1:PORT`.
    """

    def __init__(
        self, script: Script, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1"
    ) -> None:
        self.asked: list[Asked] = []
        self._script, self._tls = script, tls
        self._listener = socket.create_server((address, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.host = f"{address}:{self.port}"
        self._ended = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for connection in (self._listener, *self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # The client may go at any point: that is what half of the tests want of it.
        with suppress(OSError), connection:
            secured = self._secured(connection)
            with secured:
                # Of a TLS handshake without a line feed in it, no line would ever end.
                if self._tls is None and secured.recv(1, socket.MSG_PEEK) == b"\x16":
                    return
                asked = _read(secured)
                if asked is not None:
                    self.asked.append(asked)
                    self._send(secured, self._script(asked))

    def _secured(self, connection: socket.socket) -> socket.socket:
        return connection if self._tls is None else self._tls.wrap_socket(connection, True)

    def _send(self, connection: socket.socket, answer: Answer) -> None:
        for piece in answer:
            if self._ended.is_set():
                return
            if isinstance(piece, bytes):
                connection.sendall(piece)
            elif self._left(connection, piece):
                return
        with suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        self._left(connection, 5)

    def _left(self, connection: socket.socket, seconds: float) -> bool:
        """Wait so long; tell whether the client went meanwhile, or the server was ended."""
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            return bool(selector.select(seconds)) or self._ended.is_set()


def _read(connection: socket.socket) -> Asked | None:
    with connection.makefile("rb") as file:
        first = file.readline().decode("latin-1").split(" ")
        if len(first) != 3:
            return None
        headers = {}
        while line := file.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = file.read(int(headers.get("content-length", "0")))
    return Asked(method=first[0], target=first[1], headers=headers, body=body)


def response(
    status: int = 200,
    body: bytes = b"",
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    *,
    length: int | None = None,
) -> bytes:
    """Write a whole response; `length` is what Content-Length says instead of the truth."""
    own = {"Content-Length": str(len(body) if length is None else length), "Connection": "close"}
    return head(status, [*own.items(), *dict(headers).items()]) + body


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """Write a status line and headers, and the empty line that ends them."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


def document(value: Any, headers: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """Write a response of JSON."""
    return response(
        body=json.dumps(value).encode(),
        headers={"Content-Type": "application/json"} | dict(headers),
    )


def redirect(location: str, status: int = 307) -> bytes:
    """Send the client elsewhere."""
    return response(status, headers={"Location": location})


def dripped(data: bytes, seconds: float) -> Iterator[bytes | float]:
    """Send a byte at a time, with so long a pause between two."""
    for place in range(len(data)):
        yield data[place : place + 1]
        yield seconds


def endless(piece: bytes = bytes(65536)) -> Iterator[bytes]:
    """Never stop to send."""
    while True:
        yield piece


def by_path(answers: Mapping[str, Answer | bytes | Script]) -> Script:
    """Answer by the path that is asked for, without its query; 404 where there is no answer."""

    def script(asked: Asked) -> Answer:
        answer = answers.get(asked.path, response(404))
        if callable(answer):
            return answer(asked)
        return [answer] if isinstance(answer, bytes) else answer

    return script
