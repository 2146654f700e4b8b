"""One request to a server that may do anything: bounded in time and in bytes, whatever it sends.

HTTP itself is httpcore's and h11's. Only the head of an answer is looked at. Of the body some is read and thrown away,
never decompressed, only so that a server whose answer is short sees its connection closed in peace: else its log, of
which a person is shown the end, fills with connections that were reset.
"""

import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import httpcore

from webhook.core.words import cut
from webhook.scanner.probes.connector import Connector

# What servers' own heads stay under by far: nginx and Envoy take at most 60 KiB of them, Tornado 64 KiB.
HEAD_LIMIT = 64 * 1024
_CHUNK = 8 * 1024  # so that no read brings much more than the head
# Bytes and seconds. Pages are some kilobytes; one that streams for ever is not waited for.
BODY_LIMIT = 1024 * 1024
_BODY_TIME = 0.5
_SHOWN = 200  # characters of what a library says of it

_FAULTS = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)
_ORIGIN = httpcore.Origin(scheme=b"http", host=b"notebook", port=8888)


class NoAnswer(Exception):
    """No HTTP came back; the message says what did, as a clause.

    Attributes:
        listening: something took the connection.
    """

    def __init__(self, message: str, *, listening: bool) -> None:
        super().__init__(message)
        self.listening = listening


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of an answer; names of headers in lower case, in the order sent, values as Latin-1."""

    status: int
    headers: tuple[tuple[str, str], ...]

    def all(self, name: str) -> tuple[str, ...]:
        """Give every value sent under that name."""
        return tuple(value for key, value in self.headers if key == name)


def fetch_head(
    connector: Connector, target: str, headers: Mapping[str, str], deadline: float
) -> Head:
    """GET `target` and give the head of the answer; `deadline` is a time of the monotonic clock.

    Raises:
        NoAnswer: nothing listens, it does not speak HTTP, or not in time, or without end.
        ProbeError: the connector's.
    """
    backend = _Backend(connector, deadline)
    try:
        with (
            httpcore.HTTPConnection(_ORIGIN, network_backend=backend) as connection,
            connection.stream("GET", _url(target), headers=list(headers.items())) as response,
        ):
            head = Head(status=response.status, headers=_decoded(response.headers))
            backend.end_head()
            with suppress(*_FAULTS):
                for _ in response.iter_stream():
                    pass
            return head
    except _FAULTS as error:
        raise NoAnswer(_clause(error), listening=backend.connected) from error


def _url(target: str) -> httpcore.URL:
    return httpcore.URL(scheme=b"http", host=b"notebook", port=8888, target=target.encode("ascii"))


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in headers
    )


def _clause(error: Exception) -> str:
    match error:
        case httpcore.TimeoutException():
            return "it does not answer in time"
        case httpcore.ProtocolError():
            # h11 quotes the line that it cannot read, which is as long as whoever sends it likes
            return f"what it sends is not HTTP: {cut(str(error), _SHOWN)}"
        case _:
            return str(error) or "the connection broke"


class _Backend(httpcore.NetworkBackend):
    """Hands the connector's sockets to httpcore; `connected` once there was one."""

    def __init__(self, connector: Connector, deadline: float) -> None:
        self._connector = connector
        self._deadline = deadline
        self._stream: _Stream | None = None

    @property
    def connected(self) -> bool:
        return self._stream is not None

    def end_head(self) -> None:
        """Let as much of the body be read as is read at all."""
        if self._stream is not None:
            self._stream.end_head()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - httpcore's signature; there is one place to connect to
        port: int,  # noqa: ARG002 - as above
        timeout: float | None = None,  # noqa: ARG002 - the deadline holds for everything
        local_address: str | None = None,  # noqa: ARG002 - as above
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002 - as above
    ) -> httpcore.NetworkStream:
        """Connect. Raises httpcore.ConnectError."""
        try:
            opened = self._connector.connect(_left(self._deadline))
        except OSError as error:
            raise httpcore.ConnectError(f"no connection: {error.strerror or error}") from error
        self._stream = _Stream(opened, self._deadline)
        return self._stream


class _Stream(httpcore.NetworkStream):
    """A socket with a deadline for everything together, and a limit on what is read, of the head and then the body."""

    def __init__(self, opened: socket.socket, deadline: float) -> None:
        self._socket = opened
        self._deadline = deadline
        self._limit = HEAD_LIMIT
        self._read = 0

    def end_head(self) -> None:
        self._limit = self._read + BODY_LIMIT
        self._deadline = min(self._deadline, time.monotonic() + _BODY_TIME)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - as above
        if self._read >= self._limit:
            raise httpcore.ReadError(f"it sends more than {self._limit} bytes of headers")
        try:
            self._socket.settimeout(_left(self._deadline))
            data = self._socket.recv(min(max_bytes, _CHUNK))
        except TimeoutError as error:
            raise httpcore.ReadTimeout from error
        except OSError as error:
            raise httpcore.ReadError(f"the connection broke: {error.strerror or error}") from error
        self._read += len(data)
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - as above
        try:
            self._socket.settimeout(_left(self._deadline))
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout from error
        except OSError as error:
            raise httpcore.WriteError(f"the connection broke: {error.strerror or error}") from error

    def close(self) -> None:
        self._socket.close()


def _left(deadline: float) -> float:
    """Give the seconds left; a moment at least, for zero would mean a socket that does not wait."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout
    return left
