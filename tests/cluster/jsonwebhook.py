"""Webhooks of somebody else's: small HTTPS servers that allow everything, and may patch every pod in one way."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from certs.authority import issue_authority, issue_leaf
from certs.context import server_context
from certs.directory import load, write
from certs.keypair import KeyPair
from tests.cluster.manifests import Document
from tests.cluster.webhooks import NOTEBOOK_PODS, PROFILES

Patch = Callable[[Document], Sequence[Document]]
_DAY = timedelta(days=1)


@contextmanager
def somebody_elses(name: str, patch: Patch, directory: Path) -> Iterator[Document]:
    """Serve a webhook that answers each pod with `patch(pod)`; give its configuration."""
    authority = issue_authority("neighbour", now=datetime.now(UTC), lifetime=2 * _DAY)
    with answering(directory, authority, lambda request: _patched(patch, request)) as port:
        yield _configuration(name, port, authority.certificate_pem)


@contextmanager
def answering(
    directory: Path,
    issuer: KeyPair,
    more: Callable[[Document], Document],
    *,
    host: str = "127.0.0.1",
    code: int = 200,
) -> Iterator[int]:
    """Serve an answer that allows everything, with `more(request)` in its response; give the port.

    The answer has this code, and the server a leaf of this CA for this host.
    """
    now = datetime.now(UTC)
    leaf = issue_leaf(issuer, hosts=[host], now=now, lifetime=_DAY)
    write(directory, leaf, authority=issuer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(more, code))
    context: ssl.SSLContext = server_context(load(directory, now=now))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _patched(patch: Patch, request: Document) -> Document:
    operations = json.dumps(list(patch(request["object"]))).encode()
    if operations == b"[]":
        return {}
    return {"patchType": "JSONPatch", "patch": base64.b64encode(operations).decode()}


def _handler(more: Callable[[Document], Document], code: int) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)["request"]
            response = {"uid": request["uid"], "allowed": True, **more(request)}
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            answer = json.dumps({**review, "response": response}).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's names
            """Say nothing: the tests look at the API server."""

    return Handler


def _configuration(name: str, port: int, authority: bytes) -> Document:
    webhook = {
        "name": f"{name}.example.com",
        "clientConfig": {
            "url": f"https://127.0.0.1:{port}/",
            "caBundle": base64.b64encode(authority).decode(),
        },
        "rules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "resources": ["pods"],
                "operations": ["CREATE"],
            }
        ],
        "objectSelector": NOTEBOOK_PODS,
        "namespaceSelector": PROFILES,
        "failurePolicy": "Fail",
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "reinvocationPolicy": "IfNeeded",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [webhook],
    }
