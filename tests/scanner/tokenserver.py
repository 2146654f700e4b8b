"""A small, real token server, as registries have one: it checks who asks, and signs what it grants."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
import urllib.parse
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from certs.authority import issue_authority

SERVICE = "registry.tests"
ISSUER = "tests"
USER, PASSWORD = "robot", "open sesame: 1"
IDENTITY_TOKEN = "identity-of-the-robot"


class TokenServer:
    """Gives tokens on a free loopback port, to whoever has the password unless `anonymous`.

    Attributes:
        asked: query or form of each request, as one mapping with `_method` and `_authorization` beside.
        lifetime: seconds that a token holds; below zero it is already past.
    """

    def __init__(self, home: Path, *, anonymous: bool = False, address: str = "127.0.0.1") -> None:
        self.asked: list[Mapping[str, str]] = []
        self.anonymous = anonymous
        self.lifetime = 300
        self._pair = issue_authority(
            "token server of the tests", now=datetime.now(UTC), lifetime=timedelta(hours=1)
        )
        self.certificate = home / "tokens.crt"
        self.certificate.write_bytes(self._pair.certificate_pem)
        self._server = ThreadingHTTPServer((address, 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def realm(self) -> str:
        """Where tokens are to be had."""
        address, port = self._server.server_address[:2]
        return f"http://{address!s}:{port}/token"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def allows(self, asked: Mapping[str, str]) -> bool:
        """Tell whether these credentials are good."""
        if asked["_method"] == "POST":
            return asked.get("refresh_token") == IDENTITY_TOKEN
        if not asked["_authorization"]:
            return self.anonymous
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return asked["_authorization"] == f"Basic {expected}"

    def token(self, repository: str, actions: Iterable[str]) -> str:
        """Sign a token (JWT, ES256) as docker-registry reads it: the certificate goes in `x5c`."""
        now = int(time.time())
        certificate = x509.load_pem_x509_certificate(self._pair.certificate_pem)
        der = certificate.public_bytes(serialization.Encoding.DER)
        header = {"typ": "JWT", "alg": "ES256", "x5c": [base64.b64encode(der).decode()]}
        claims = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "iat": now,
            # docker-registry forgives a minute of skew.
            "nbf": now - 120,
            "exp": now + self.lifetime,
            "jti": secrets.token_hex(8),
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }
        signed = b".".join(_encoded(json.dumps(part).encode()) for part in (header, claims))
        return b".".join((signed, _encoded(self._signature(signed)))).decode()

    def _signature(self, data: bytes) -> bytes:
        key = serialization.load_pem_private_key(self._pair.key_pem, password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _handler(server: TokenServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._give(urllib.parse.urlsplit(self.path).query)

        def do_POST(self) -> None:
            self._give(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def log_message(self, *_: object) -> None:
            """Say nothing: a test's output is its own."""

        def _give(self, form: str) -> None:
            asked = dict(urllib.parse.parse_qsl(form)) | {
                "_method": self.command,
                "_authorization": self.headers.get("Authorization", ""),
            }
            server.asked.append(asked)
            if not server.allows(asked):
                self._send(401, {"errors": [{"code": "UNAUTHORIZED"}]})
                return
            kind, _, rest = asked["scope"].partition(":")
            assert kind == "repository"
            repository, _, actions = rest.rpartition(":")
            self._send(200, {"access_token": server.token(repository, actions.split(","))})

        def _send(self, status: int, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
