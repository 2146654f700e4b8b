"""gunicorn's threaded worker, changed so that a client can hold neither a thread nor the main loop.

The stock worker (gunicorn 27, workers/gthread.py) shakes hands, reads bodies and closes sockets in blocking calls, so
a few stalled clients hold all its threads, or its main loop. Here the main loop does all that without blocking, each
step with a deadline. A request is looked at only when it is whole. Small ones the main loop decides itself, for that
takes less than to hand them to a thread; the threads get what is large, and what waits for a disk. What waits is
bounded twice: by the number of requests, and by the bytes of their bodies; past that the answer is 503.
"""

import contextlib
import errno
import os
import queue
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from webhook.server.admission import Arrival
from webhook.server.connection import WRITE_SECONDS, Connection, Wait
from webhook.server.exchange import Exchange
from webhook.server.httpanswer import refusal, render_http
from webhook.server.signals import IGNORED_SIGNALS
from webhook.server.threads import Threads

# Requests that have a thread or wait for one. At half a millisecond each the last of them waits an eighth of a second,
# well inside the API server's timeout of seconds.
MAX_IN_FLIGHT = 256
# Bodies that are held at once: nine of the largest, or sixteen thousand usual ones.
MAX_HELD_BYTES = 64 * 1024 * 1024
# A request of this size is taken in even when large ones have used that up: it is what the API server usually sends.
_SMALL_BYTES = 64 * 1024
# While one of 7 MiB is decided it takes up to 200 MB more: four at once took more than a replica has. Larger ones than
# this wait for one another, and the other threads are for the rest.
_LARGE_BYTES = 1024 * 1024
# Decided in the main loop, everybody else waiting: a usual review takes a tenth of a millisecond, and the costliest of
# this size that we found some seven.
_AT_ONCE_BYTES = 16 * 1024
# How long it goes on so before it looks for news again: twice what usual reviews of a thousand connections take. What
# is left of those that it found then goes to the threads, and past their bound is refused: else costly requests on so
# many connections have it for seconds at a time.
_AT_ONCE_SECONDS = 0.25
# Kept free for clients that come: the longest idle are closed for them.
_SPARE_CONNECTIONS = 8
_SWEEP_SECONDS = 0.25
_COMPLAINT_SECONDS = 10.0
# Written beforehand, for then there is no memory to write it.
_OUT_OF_MEMORY = render_http(refusal(500, "out of memory"), keeps=False)
_ENDING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGQUIT})


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """One process: a main loop for the clients, and a pool of threads for whole requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: set[Connection] = set()
        self._in_flight = 0
        self._held_bytes = 0
        self._large: deque[tuple[Connection, Exchange]] = deque()
        self._has_large = False
        self._woke = 0.0
        self._last_sweep = 0.0
        self._next_complaint = 0.0
        self._drain_until: float | None = None
        self.inherited: queue.SimpleQueue[int] = queue.SimpleQueue()

    def get_thread_pool(self) -> Threads:
        """Start the threads that answer; gunicorn ends them."""
        return Threads(self.cfg.threads)

    # -- signals ---------------------------------------------------------------------------------

    def handle_exit(self, sig: int, frame: Any) -> None:  # noqa: ARG002 - gunicorn's signature
        """SIGTERM: not ready from now on, and serving on for the grace period, then finish what runs.

        The Service's endpoints and the API server's connections need the time to turn elsewhere.
        """
        edge = self.app.edge
        if edge is None:
            sys.exit(0)  # it has not begun to serve
        if self._drain_until is None:
            edge.draining.set()
            self._drain_until = time.monotonic() + edge.grace
            self.method_queue.defer(lambda: None)  # wakes the poller

    def init_signals(self) -> None:
        """Take the arbiter's signals, and leave a terminal's Ctrl-C to it.

        A signal that came since the fork went to the arbiter's handler, and so into this process's copy of its queue:
        nobody would ever look there.
        """
        super().init_signals()
        for number in (signal.SIGINT, *IGNORED_SIGNALS):
            signal.signal(number, signal.SIG_IGN)
        while not self.inherited.empty():
            if self.inherited.get_nowait() in _ENDING:
                sys.exit(0)

    @property
    def draining(self) -> bool:
        """Tell whether the worker is on its way out."""
        return self._drain_until is not None or not self.alive

    def is_parent_alive(self) -> bool:
        """Tell whether the arbiter is there; without it the worker ends, and every answer its connection."""
        there = bool(super().is_parent_alive())
        if not there:
            self.alive = False
        return there

    # -- the main loop ---------------------------------------------------------------------------

    def notify(self) -> None:
        """Do what every turn of gunicorn's loops does: end the grace, and at times tell the arbiter, close the overdue.

        The arbiter is patient for 30 s; to tell it takes a system call.
        """
        now = time.monotonic()
        if self._drain_until is not None and now >= self._drain_until:
            self.alive = False
        if now - self._last_sweep >= _SWEEP_SECONDS:
            self._last_sweep = now
            super().notify()
            self._sweep(now)
            self._submit_large()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Wait for clients, but not so long that a deadline passes unseen; then give each its turn."""
        events = self.poller.select(min(timeout, _SWEEP_SECONDS))
        self._woke = time.monotonic()
        for key, _ in events:
            key.data(key.fileobj)

    def _sweep(self, now: float) -> None:
        for connection in [c for c in self._connections if c.deadline <= now]:
            self._close(connection)

    def _cap_keepalive(self, deadline: float) -> None:
        """Close idle connections by `deadline`: gunicorn's loop calls this when the worker stops."""
        for connection in self._connections:
            if connection.idle:
                connection.deadline = min(connection.deadline, deadline)

    def accept(self, listener: socket.socket) -> None:
        """Take a new client in; its handshake goes on as its bytes come."""
        try:
            sock, _ = listener.accept()
        except OSError as error:
            # Out of descriptors, or a network error that accept(2) passes on: the next client may fare better.
            if error.errno not in (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK):
                self._complain(os.strerror(error.errno or 0))
                time.sleep(0.01)
            return
        try:
            connection = Connection(sock, self.app.edge.tls.context, time.monotonic())
        except OSError:
            sock.close()
            return
        self.nr_conns += 1
        self._connections.add(connection)
        self._watch(connection, selectors.EVENT_READ)
        if self.nr_conns >= self.worker_connections - _SPARE_CONNECTIONS:
            self._make_room()

    def _complain(self, problem: str) -> None:
        """Say that a client cannot be served: once in a while, for it goes on as long as clients wait."""
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + _COMPLAINT_SECONDS
            self.log.warning("cannot accept a connection: %s", problem)

    def _make_room(self) -> None:
        """Close the connection that has done nothing for longest: whoever holds many must not keep others out."""
        spare = (connection for connection in self._connections if connection.spare)
        oldest = min(spare, key=lambda connection: connection.since, default=None)
        if oldest is not None:
            self._close(oldest)

    def _advance(self, connection: Connection) -> None:
        match connection.advance(time.monotonic()):
            case Wait.READ:
                self._watch(connection, selectors.EVENT_READ)
                self._account(connection)
            case Wait.AGAIN:
                self._watch(connection, selectors.EVENT_READ)
                self._account(connection)
                self.method_queue.defer(self._turn, connection)
            case Wait.WRITE:
                self._watch(connection, selectors.EVENT_WRITE)
            case Wait.WHOLE:
                self._dispatch(connection)
            case Wait.SENT:
                self._finish(connection)
            case Wait.GONE:
                self._close(connection)

    def _turn(self, connection: Connection) -> None:
        """Give a connection its turn, unless it was closed or given to a thread since this turn was due.

        The poller hands out events in batches: what one of them leads to may overtake another.
        """
        if connection not in self._connections:
            return
        if connection.busy:
            # What a client sends ahead of its answer waits in the socket. Few do: so only then the poller is told.
            self._unwatch(connection)
            return
        try:
            self._advance(connection)
        except MemoryError:
            connection.forsake(_OUT_OF_MEMORY)
            self._close(connection)
            with contextlib.suppress(MemoryError):
                self._complain("out of memory")

    def _watch(self, connection: Connection, events: int) -> None:
        if connection.watched == events:
            return
        change = self.poller.modify if connection.watched else self.poller.register
        change(connection.sock, events, lambda _sock: self._turn(connection))
        connection.watched = events

    def _unwatch(self, connection: Connection) -> None:
        if connection.watched:
            self.poller.unregister(connection.sock)
            connection.watched = 0

    def _account(self, connection: Connection) -> None:
        """Count what is held for a connection; where all is too much, refuse one that holds much."""
        if connection.lingering:
            return
        self._held_bytes += connection.held - connection.reserved
        connection.reserved = connection.held
        if self._held_bytes > MAX_HELD_BYTES and connection.held > _SMALL_BYTES:
            self._refuse(connection, "too many large requests at once")

    def _dispatch(self, connection: Connection) -> None:
        self._account(connection)
        if connection.lingering:
            return
        arrival = Arrival(self._woke, connection.verified)
        exchange = Exchange(self.app.edge, connection.take(), arrival, ends=self._ends_connections)
        if connection.reserved > _AT_ONCE_BYTES or arrival.waited > _AT_ONCE_SECONDS:
            self._hand_over(connection, exchange, exchange.answer)
        elif (answer := exchange.begin()) is None:
            self._hand_over(connection, exchange, exchange.finish)
        else:
            self._send(connection, exchange, answer)
            self._settle(connection)

    def _ends_connections(self) -> bool:
        """Tell whether each answer ends its connection: on the way out, and while another replica is the better one."""
        return self.draining or self.app.edge.turns_away.is_set()

    def _hand_over(
        self, connection: Connection, exchange: Exchange, step: Callable[[], bytes]
    ) -> None:
        """Have a thread take an exchange's step, now or when the last large one is done."""
        if self._in_flight >= MAX_IN_FLIGHT:
            self._refuse(connection, "too many requests at once")
            return
        if connection.reserved > _LARGE_BYTES:
            self._large.append((connection, exchange))
            self._in_flight += 1
            self._submit_large()
        else:
            self.tpool.submit(self._answer, connection, exchange, step)
            self._in_flight += 1

    def _submit_large(self) -> None:
        """Give a thread the next large request, when it has done with the last one.

        Where there is no memory to do so it stays the next one, and is tried again in a moment: if it were lost, all
        later ones would wait for it.
        """
        if self._large and not self._has_large:
            with contextlib.suppress(MemoryError):
                connection, exchange = self._large[0]
                self.tpool.submit(self._answer, connection, exchange, exchange.answer)
                self._large.popleft()
                self._has_large = True

    def _refuse(self, connection: Connection, problem: str) -> None:
        self.app.edge.overloaded()
        connection.busy = False
        connection.refuse(render_http(refusal(503, problem), keeps=False))
        self._linger(connection)

    def _done(self, connection: Connection) -> None:
        """Take back a connection whose request a thread has answered."""
        self._in_flight -= 1
        if connection.reserved > _LARGE_BYTES:
            self._has_large = False
            self._submit_large()
        self._settle(connection)

    def _settle(self, connection: Connection) -> None:
        """Go on after an answer: with the next request, or with what the client has not taken of this one."""
        self._release(connection)
        connection.busy = False
        if not connection.outgoing:
            self._finish(connection)
            return
        connection.deadline = time.monotonic() + WRITE_SECONDS
        self._held_bytes += connection.held
        connection.reserved = connection.held
        if self._held_bytes > MAX_HELD_BYTES:
            self._close(connection)
        else:
            self._watch(connection, selectors.EVENT_WRITE)

    def _finish(self, connection: Connection) -> None:
        """Its answer is sent: wait for its next request, or let it go."""
        self._release(connection)
        if not connection.keeps:
            self._linger(connection)
            return
        connection.rest(time.monotonic())
        self._watch(connection, selectors.EVENT_READ)
        if connection.has_next() or connection.sock.pending():
            # bytes that were received already wake no poller; and who sends many requests at once waits for his turn
            self.method_queue.defer(self._turn, connection)

    def _release(self, connection: Connection) -> None:
        self._held_bytes -= connection.reserved
        connection.reserved = 0

    def _linger(self, connection: Connection) -> None:
        self._release(connection)
        connection.linger(time.monotonic())
        self._watch(connection, selectors.EVENT_READ)

    def _close(self, connection: Connection) -> None:
        self._unwatch(connection)
        self._connections.discard(connection)
        self.nr_conns -= 1
        self._release(connection)
        connection.close()

    # -- in a thread -----------------------------------------------------------------------------

    def _answer(
        self, connection: Connection, exchange: Exchange, step: Callable[[], bytes]
    ) -> None:
        """Take a step to an answer, and give the connection back to the main loop, whatever happens."""
        connection.keeps = False
        try:
            self._send(connection, exchange, step())
        finally:
            self.method_queue.defer(self._done, connection)

    # -- in both ---------------------------------------------------------------------------------

    def _send(self, connection: Connection, exchange: Exchange, answer: bytes) -> None:
        """Send what the client takes of an answer now; the main loop sends the rest."""
        connection.keeps = exchange.keeps
        try:
            connection.send(answer)
        except OSError as error:
            connection.keeps = False
            self.log.debug("a client went away: %s", error)
