"""gunicorn's settings, and the process tree: an arbiter, and workers that each build an Edge of their own."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger as GunicornLogger

from webhook.server.admission import Arrival
from webhook.server.httpanswer import Answer, Later
from webhook.server.httprequest import HttpRequest
from webhook.server.signals import IGNORED_SIGNALS
from webhook.server.tls import ServerTLS

# The longest timeout that a webhook may have (admissionregistration/v1): what runs may take so long.
_LONGEST_WEBHOOK_TIMEOUT = 30
_MAX_CONNECTIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What one worker serves with.

    Attributes:
        admission: answers a request; None where it is for `app`. What it gives to be called may wait for a disk, the
            rest does not wait for anything.
        app: answers everything else.
        draining: set when the worker is told to stop; readiness is false from then on.
        grace: seconds between that moment and the last new connection.
        overloaded: counts a request that was turned away.
        ended: called when the worker ends in good order, after its last answer.
        turns_away: set while the worker is not ready. It decides all the same, by what it knows; but each answer ends
            its connection, so that the API server, which keeps them for long, comes to a replica that is ready.
    """

    admission: Callable[[HttpRequest, Arrival], Answer | Later | None]
    app: Flask
    tls: ServerTLS
    grace: float
    overloaded: Callable[[], None]
    ended: Callable[[], None] = lambda: None
    draining: threading.Event = field(default_factory=threading.Event)
    turns_away: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """How the server listens, and with how much."""

    host: str
    port: int
    workers: int
    threads: int
    grace: int

    @property
    def bind(self) -> str:
        """The address as gunicorn takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's log, handed to the process's own: one form for all lines."""

    def setup(self, cfg: Any) -> None:
        """Take gunicorn's settings, and none of its handlers."""
        super().setup(cfg)
        self.error_log.handlers[:] = []
        self.error_log.propagate = True


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    """The process tree. `build` runs in each worker, after the fork: it may start threads.

    `announce` is told the addresses that the server listens on, when it does.
    """

    def __init__(
        self,
        listening: Listening,
        build: Callable[[], Edge],
        announce: Callable[[list[str]], None],
    ) -> None:
        self._listening = listening
        self._build = build
        self._announce = announce
        self.edge: Edge | None = None
        super().__init__()

    def load_config(self) -> None:
        """Hand gunicorn its settings; no file and no environment variable of its own is read."""
        listening = self._listening
        settings = {
            "bind": listening.bind,
            "workers": listening.workers,
            "threads": listening.threads,
            "worker_class": "webhook.server.worker.Worker",
            "worker_connections": _MAX_CONNECTIONS,
            "graceful_timeout": listening.grace + _LONGEST_WEBHOOK_TIMEOUT,
            # the worker wraps sockets itself; this only tells gunicorn that the scheme is https
            "certfile": "/dev/null",
            "keyfile": "/dev/null",
            "worker_tmp_dir": _memory_directory(),
            "control_socket_disable": True,
            "proc_name": "nbgate",
            "logger_class": Logger,
            "when_ready": self._ready,
            "post_fork": _hand_over,
            "worker_exit": _end,
            "preload_app": False,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def _ready(self, arbiter: Any) -> None:
        """Tell where it listens; gunicorn calls this in the arbiter, after it has taken its signals."""
        for number in IGNORED_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        self._announce([_url(listener) for listener in arbiter.LISTENERS])

    def load(self) -> Any:
        """Build the worker's edge; gunicorn calls this in each worker."""
        self.edge = self._build()
        return self.edge.app


def _url(listener: Any) -> str:
    """Write a listener's address; gunicorn's own text forgets that IPv6 has TLS too."""
    host, port = listener.getsockname()[:2]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _hand_over(arbiter: Any, worker: Any) -> None:
    worker.inherited = arbiter.SIG_QUEUE


def _end(arbiter: Any, worker: Any) -> None:  # noqa: ARG001 - gunicorn's signature
    edge: Edge | None = worker.app.edge
    if edge is not None:
        edge.ended()


def _memory_directory() -> str | None:
    """Find where a worker's heartbeat costs no disk; None leaves it to the system's temporary folder."""
    shared = Path("/dev/shm")  # noqa: S108 - a file of gunicorn's own, made safely (tempfile) and unlinked at once
    return str(shared) if shared.is_dir() else None
