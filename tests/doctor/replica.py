"""Servers that answer `/readyz`, one with TLS and one without, as the webhook's and the controller's replicas do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certs.context import server_context
from certs.directory import load
from webhook.server.health import Condition, render

Address = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Where the servers are, and the CA (PEM) of the one with TLS."""

    webhook: Address
    controller: Address
    authority: bytes


@contextmanager
def answering(directory: Path, authority: bytes) -> Iterator[Answering]:
    """Serve `/readyz` with the pair in the directory, and without TLS."""
    with ExitStack() as stack:
        webhook = stack.enter_context(_serving(directory))
        controller = stack.enter_context(_serving(None))
        yield Answering(webhook=webhook, controller=controller, authority=authority)


@contextmanager
def _serving(directory: Path | None) -> Iterator[Address]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Ready)
    server.daemon_threads = True
    if directory is not None:
        context = server_context(load(directory, now=datetime.now(UTC)))
        # each thread shakes hands for itself: a client that goes away ends only its own
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    try:
        yield "127.0.0.1", server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


class _Ready(BaseHTTPRequestHandler):
    def handle(self) -> None:
        with suppress(OSError):  # a client that only wanted to see the certificate
            super().handle()

    def do_GET(self) -> None:
        status, body = render([Condition("Certificate", ok=True, message="serves")])
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's names
        """Say nothing."""
