"""One client's connection, never waited for: every step here returns at once, and says what it waits for."""

import contextlib
import socket
import ssl
from enum import Enum

from webhook.server.requestbuffer import RequestBuffer, State

# Bounds of one step each, in seconds. The API server keeps idle connections for 90 s (net/http, IdleConnTimeout): ours
# must live longer, else it meets one that just closed.
HANDSHAKE_SECONDS = 5.0
REQUEST_SECONDS = 10.0
WRITE_SECONDS = 5.0
IDLE_SECONDS = 150.0
LINGER_SECONDS = 2.0
_CHUNK = 256 * 1024
# Reads in one turn: a client may send each byte in a TLS record of its own, and others wait meanwhile.
_READS = 64


class Wait(Enum):
    """What a connection waits for."""

    READ = "bytes from the client"
    WRITE = "room to send"
    AGAIN = "its next turn: there is more to read, and others wait too"
    SENT = "nothing: its answer is on the way"
    WHOLE = "nothing: a whole request is there"
    GONE = "nothing: it is closed or broken"


class Connection:
    """A connection through handshake, reading and idling; `deadline` bounds the step that it is in.

    Attributes:
        deadline: when to close it, in monotonic seconds.
        since: when it came, or ended its last request.
        watched: the events that the poller watches it for.
        busy: its request is being answered; then nothing else touches it.
        keeps: whether it may carry another request after its present answer.
        reserved: bytes that are counted for it, of its present request or of an answer that it does not take.
        verified: the client showed a certificate of the configured client CA.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, now: float) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self.deadline = now + HANDSHAKE_SECONDS
        self.since = now
        self.watched = 0
        self.busy = False
        self.keeps = True
        self.reserved = 0
        self.verified = False
        self.lingering = False
        self._shaken = False
        self._buffer = RequestBuffer()
        self._outgoing = memoryview(b"")

    @property
    def idle(self) -> bool:
        """Tell whether it is between two requests."""
        resting = self._shaken and not (self.busy or self.lingering or self._outgoing)
        return resting and self._buffer.state is State.IDLE

    @property
    def spare(self) -> bool:
        """Tell whether nothing of a request or an answer is under way: it may be closed for a client that comes."""
        return not (self.busy or self._outgoing) and self._buffer.state is State.IDLE

    @property
    def held(self) -> int:
        """How many bytes of its next request, or of its unsent answer, are in memory."""
        return len(self._buffer) + len(self._outgoing)

    @property
    def outgoing(self) -> bool:
        """Tell whether some of its answer is not sent yet."""
        return bool(self._outgoing)

    def advance(self, now: float) -> Wait:
        """Go on with the handshake, the sending or the reading as far as it goes now."""
        try:
            if not self._shaken and not self._shake(now):
                return Wait.READ
            if self._outgoing:
                return self._flush()
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
        for _ in range(_READS):
            if self._buffer.state is State.WHOLE:
                return Wait.WHOLE
            was_idle = self._buffer.state is State.IDLE
            data = self.sock.recv(_CHUNK)
            if not data:
                return Wait.GONE
            self._buffer.feed(data)
            if was_idle:
                self.deadline = now + REQUEST_SECONDS
            self._invite()
        return Wait.WHOLE if self._buffer.state is State.WHOLE else Wait.AGAIN

    def send(self, answer: bytes) -> None:
        """Send what fits into the socket's buffer now; `advance` sends the rest as the client takes it."""
        self._outgoing = memoryview(answer)
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
            self._flush()

    def _flush(self) -> Wait:
        while self._outgoing:
            self._outgoing = self._outgoing[self.sock.send(self._outgoing[:_CHUNK]) :]
        return Wait.SENT

    def _invite(self) -> None:
        """Send the 100 that some clients wait for before a large body (RFC 9110, section 10.1.1)."""
        if self._buffer.expects_continue and self._buffer.state is State.PARTIAL:
            self._buffer.expects_continue = False
            self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _drop(self) -> Wait:
        """Discard what a client still sends after its last answer, until it closes."""
        for _ in range(_READS):
            if not self.sock.recv(_CHUNK):
                return Wait.GONE
        return Wait.AGAIN

    def take(self) -> bytes:
        """Take the whole request, to answer it."""
        self.busy = True
        self.deadline = float("inf")
        return self._buffer.take()

    def has_next(self) -> bool:
        """Tell whether another whole request was received together with the last one."""
        return self._buffer.state is State.WHOLE

    def rest(self, now: float) -> None:
        """Wait for the next request."""
        self.since = now
        partial = self._buffer.state is State.PARTIAL
        self.deadline = now + (REQUEST_SECONDS if partial else IDLE_SECONDS)

    def linger(self, now: float) -> None:
        """Send our end, and give the client a moment to read the answer before the socket goes (RFC 9112, 9.6)."""
        self.lingering = True
        self.deadline = now + LINGER_SECONDS
        # what was refused is counted no more: it must not stay in memory
        self._buffer = RequestBuffer()
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def refuse(self, answer: bytes) -> None:
        """Send a last answer without waiting; what does not fit into the socket's buffer is lost."""
        with contextlib.suppress(OSError):
            self.sock.send(answer)

    def forsake(self, answer: bytes) -> None:
        """Refuse its request, where it has one that was taken, and no answer is on the way."""
        if self.busy and not self._outgoing:
            self.refuse(answer)

    def close(self) -> None:
        """Close it now."""
        with contextlib.suppress(OSError):
            self.sock.close()
