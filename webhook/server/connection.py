"""One client's connection, never waited for: every step here returns at once, and says what it waits for."""

import contextlib
import socket
import ssl
from enum import Enum
from typing import Any

from webhook.server.requestbuffer import RequestBuffer, State

# Bounds of one step each, in seconds. The API server keeps idle connections for 90 s (net/http, IdleConnTimeout): ours
# must live longer, else it meets one that just closed.
HANDSHAKE_SECONDS = 5.0
REQUEST_SECONDS = 10.0
WRITE_SECONDS = 5.0
IDLE_SECONDS = 150.0
LINGER_SECONDS = 2.0
_CHUNK = 256 * 1024


class Wait(Enum):
    """What a connection waits for."""

    READ = "bytes from the client"
    WRITE = "room to send the handshake"
    WHOLE = "nothing: a whole request is there"
    GONE = "nothing: it is closed or broken"


class Connection:
    """A connection through handshake, reading and idling; `deadline` bounds the step that it is in.

    Attributes:
        deadline: when to close it, in monotonic seconds.
        watched: the events that the poller watches it for; 0 while a thread has it.
        reserved: bytes of body that are held, or will be, for its present request.
        verified: the client showed a certificate of the configured client CA.
    """

    def __init__(
        self, sock: socket.socket, client: Any, server: Any, context: ssl.SSLContext, now: float
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.client = client
        self.server = server
        self.deadline = now + HANDSHAKE_SECONDS
        self.watched = 0
        self.reserved = 0
        self.verified = False
        self.lingering = False
        self._shaken = False
        self._buffer = RequestBuffer()

    @property
    def idle(self) -> bool:
        """Tell whether it is between two requests."""
        return self._shaken and self._buffer.state is State.IDLE

    @property
    def declared(self) -> int:
        """How many bytes of body its present request will hold."""
        return self._buffer.collects

    def advance(self, now: float) -> Wait:
        """Go on with the handshake or the reading as far as it goes now."""
        try:
            if not self._shaken and not self._shake(now):
                return Wait.READ
            return self._drop() if self.lingering else self._read(now)
        except (ssl.SSLWantReadError, BlockingIOError):
            return Wait.READ
        except ssl.SSLWantWriteError:
            return Wait.WRITE
        except OSError:  # ssl.SSLError is one
            return Wait.GONE

    def _shake(self, now: float) -> bool:
        self.sock.do_handshake()
        self._shaken = True
        self.verified = bool(self.sock.getpeercert())
        self.deadline = now + REQUEST_SECONDS
        return True

    def _read(self, now: float) -> Wait:
        while self._buffer.state is not State.WHOLE:
            was_idle = self._buffer.state is State.IDLE
            data = self.sock.recv(_CHUNK)
            if not data:
                return Wait.GONE
            self._buffer.feed(data)
            if was_idle:
                self.deadline = now + REQUEST_SECONDS
            self._invite()
        return Wait.WHOLE

    def _invite(self) -> None:
        """Send the 100 that some clients wait for before a large body (RFC 9110, section 10.1.1)."""
        if self._buffer.expects_continue and self._buffer.state is State.PARTIAL:
            self._buffer.expects_continue = False
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drop(self) -> Wait:
        """Discard what a client still sends after its last answer, until it closes."""
        while self.sock.recv(_CHUNK):
            pass
        return Wait.GONE

    def take(self) -> bytes:
        """Take the whole request, and let a thread write the answer within bounds."""
        self.sock.settimeout(WRITE_SECONDS)
        return self._buffer.take()

    def has_next(self) -> bool:
        """Tell whether another whole request was received together with the last one."""
        return self._buffer.state is State.WHOLE

    def rest(self, now: float) -> None:
        """Wait for the next request."""
        self.sock.setblocking(False)
        partial = self._buffer.state is State.PARTIAL
        self.deadline = now + (REQUEST_SECONDS if partial else IDLE_SECONDS)

    def linger(self, now: float) -> None:
        """Send our end, and give the client a moment to read the answer before the socket goes (RFC 9112, 9.6)."""
        self.lingering = True
        self.deadline = now + LINGER_SECONDS
        self.sock.setblocking(False)
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def refuse(self, answer: bytes) -> None:
        """Send a last answer without waiting; what does not fit into the socket's buffer is lost."""
        with contextlib.suppress(OSError):
            self.sock.setblocking(False)
            self.sock.send(answer)

    def close(self) -> None:
        """Close it now."""
        with contextlib.suppress(OSError):
            self.sock.close()
