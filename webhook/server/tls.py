"""The TLS context that new connections get, replaced only after a new certificate has been loaded whole.

gunicorn builds a context for each connection, and a half-swapped pair would fail that connection's handshake
(gunicorn 27, sock.py). Here one context serves until its successor is known to be good.
"""

import ssl
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from certs.context import server_context
from certs.directory import ServingPair, load, version
from certs.errors import CertificateError
from certs.layout import CLIENT_AUTHORITIES


class ServerTLS:
    """The current context, and what became of the last try to replace it.

    Attributes:
        context: what a new connection is wrapped with; TLS 1.2 or newer.
        pair: the certificate in it.
        problem: why a newer certificate was not taken; empty when there is none.

    `first` is the pair that was good when the server started: a worker that takes a dead one's place serves it while
    the files are broken.
    """

    def __init__(self, directory: Path, first: ServingPair) -> None:
        self._directory = directory
        self.pair = first
        self.context = _context(first)
        self.problem = ""
        self.refresh()

    @property
    def expiry(self) -> float:
        """When the serving certificate ends, in seconds since the epoch."""
        return self.pair.leaf.not_after.timestamp()

    @property
    def authenticates(self) -> bool:
        """Tell whether clients must show a certificate to be decided for."""
        return bool(self.pair.client_authorities)

    def refresh(self) -> bool:
        """Load the certificate again if its files changed; say whether a new one serves from now on.

        A pair that was refused is tried again each time: it may become valid, or whole, with the clock alone.
        """
        if version(self._directory) == self.pair.version and not self.problem:
            return False
        try:
            pair = load(self._directory, now=datetime.now(UTC))
            problem = self._unguarded(pair)
            if problem:
                pair = replace(pair, client_authorities=self.pair.client_authorities)
            context = _context(pair)
        except CertificateError as error:
            self.problem = str(error)
            return False
        changed = pair.certificate_pem != self.pair.certificate_pem
        self.pair, self.context, self.problem = pair, context, problem
        return changed

    def _unguarded(self, pair: ServingPair) -> str:
        """Say when the client CAs are gone: a Secret written without them must not open the door."""
        if pair.client_authorities or not self.pair.client_authorities:
            return ""
        path = self._directory / CLIENT_AUTHORITIES
        return f"{path}: is gone; its clients are required until a restart without it"


def _context(pair: ServingPair) -> ssl.SSLContext:
    context = server_context(pair)
    if pair.client_authorities:
        # Optional in the handshake, for kubelet's probes and Prometheus bring none; the admission endpoints require it.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
