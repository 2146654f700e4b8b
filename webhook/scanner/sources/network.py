"""Connections for httpcore: to addresses that the guard let pass, and only as patient as each request is.

httpcore hands the timeouts of a request through to the stream untouched (its extension `timeout`); here they are
Patience, not numbers, so that a limit belongs to a request, not to a connection that serves several of them.
"""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from typing import Any

import httpcore

from webhook.scanner.sources.addresses import Address, literal
from webhook.scanner.sources.guard import Guard
from webhook.scanner.sources.patience import Patience

# Host and port -> its addresses as text; may take its time. Raises OSError or UnicodeError.
Resolve = Callable[[str, int], Sequence[str]]


class NotTls(httpcore.ConnectError):
    """Something listens there and does not speak TLS, or breaks off in its handshake."""


class UntrustedCertificate(httpcore.ConnectError):
    """The server's certificate is not one that is trusted for its name."""


def system_resolve(host: str, port: int) -> list[str]:
    """Ask the system, as every program on this machine would: hosts file, then DNS."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class GuardedBackend(httpcore.NetworkBackend):
    """Looks a name up once, has every address judged, and connects to one of just these.

    A name that is looked up again by whoever connects could mean another address by then (DNS rebinding).
    """

    def __init__(self, guard: Guard, resolve: Resolve) -> None:
        self._guard, self._resolve = guard, resolve

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,  # noqa: ARG002  # httpcore's signature; we ask for none
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect, with a Patience as timeout. Raises Refused."""
        patience = _patience(timeout)
        addresses = _look_up(self._resolve, host, port, patience)
        self._guard.admit(host, addresses)
        return connect(addresses, port, patience)


class ProxyBackend(httpcore.NetworkBackend):
    """Connects to a proxy that this machine's operator named, wherever it is."""

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: Any = None,
        local_address: str | None = None,  # noqa: ARG002  # httpcore's signature; we ask for none
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect, with a Patience as timeout."""
        patience = _patience(timeout)
        return connect(_look_up(system_resolve, host, port, patience), port, patience)


def connect(addresses: Sequence[Address], port: int, patience: Patience) -> httpcore.NetworkStream:
    """Connect to the first of these addresses that answers. Raises httpcore.ConnectError or TimeoutException."""
    fault: OSError | None = None
    for address in addresses:
        # As addresses, not as names, so that nothing is looked up again.
        sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        try:
            sock.settimeout(patience.left())
            sock.connect((str(address), port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            sock.close()
            fault = error
        except BaseException:
            sock.close()
            raise
        else:
            return PatientStream(sock)
    patience.left()
    raise httpcore.ConnectError(_words(fault) if fault else "the name has no address")


class PatientStream(httpcore.NetworkStream):
    """A connection on which every wait is bounded by the Patience of whoever waits."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        """Receive what is there, or wait for it."""
        patience = _patience(timeout)
        self._sock.settimeout(patience.left())
        begun = time.monotonic()
        try:
            data = self._sock.recv(max_bytes)
        except TimeoutError as error:
            patience.arrived(0, time.monotonic() - begun)
            patience.left()
            raise httpcore.ReadTimeout("it sent nothing") from error
        except OSError as error:
            raise httpcore.ReadError(_words(error)) from error
        patience.arrived(len(data), time.monotonic() - begun)
        return data

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        """Send all of it."""
        patience = _patience(timeout)
        while buffer:
            self._sock.settimeout(patience.left())
            try:
                buffer = buffer[self._sock.send(buffer) :]
            except TimeoutError as error:
                patience.left()
                raise httpcore.WriteTimeout("it took nothing") from error
            except OSError as error:
                raise httpcore.WriteError(_words(error)) from error

    def close(self) -> None:
        """Let go of it, without a word to the other side."""
        self._sock.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: Any = None
    ) -> httpcore.NetworkStream:
        """Shake hands. Raises NotTls and UntrustedCertificate beside httpcore's own."""
        try:
            self._handshake(ssl_context, server_hostname, _patience(timeout))
        except BaseException:
            self._sock.close()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        """Tell httpcore what it asks for."""
        if info == "ssl_object" and isinstance(self._sock, ssl.SSLSocket):
            return self._sock
        if info == "is_readable":
            return _is_readable(self._sock)
        return None

    def _handshake(self, context: ssl.SSLContext, host: str | None, patience: Patience) -> None:
        try:
            secured = context.wrap_socket(
                self._sock, server_hostname=host, do_handshake_on_connect=False
            )
            self._sock = secured
            secured.settimeout(patience.left())
            secured.do_handshake()
        except ssl.SSLCertVerificationError as error:
            raise UntrustedCertificate(error.verify_message) from error
        except TimeoutError as error:
            patience.left()
            raise httpcore.ConnectTimeout("its TLS handshake did not end") from error
        except OSError as error:
            raise NotTls(_words(error)) from error
        except (
            ValueError
        ) as error:  # a name that TLS cannot ask for: one with a label of 64 letters
            raise httpcore.ConnectError(f"TLS has no such host names: {error}") from error


def _is_readable(sock: socket.socket) -> bool:
    if sock.fileno() < 0:
        return True
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def _patience(timeout: object) -> Patience:
    if not isinstance(timeout, Patience):
        raise TypeError("every request says how patient it is")
    return timeout


def _words(error: OSError) -> str:
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error)


def _look_up(resolve: Resolve, host: str, port: int, patience: Patience) -> Sequence[Address]:
    """Give a host's addresses, in the order in which they should be tried."""
    address = literal(host)
    if address is not None:
        return [address]
    # The system's resolver takes no timeout and may wait for minutes; a thread that it keeps ends with it.
    answers: SimpleQueue[Sequence[Address] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            answers.put([ip_address(text) for text in resolve(host, port)])
        except (OSError, ValueError) as error:
            answers.put(error)

    threading.Thread(target=ask, name=f"look up {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=patience.left())
    except Empty:
        patience.left()
        raise httpcore.ConnectTimeout("its name was not looked up in time") from None
    if isinstance(answer, Exception):
        reason = _words(answer) if isinstance(answer, OSError) else str(answer)
        raise httpcore.ConnectError(f"its name cannot be looked up: {reason}") from answer
    return answer
