"""A mutating webhook of somebody else's: a small HTTPS server that patches every pod in one way."""

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
from tests.cluster.manifests import Document
from tests.cluster.webhooks import NOTEBOOK_PODS, PROFILES

Patch = Callable[[Document], Sequence[Document]]


@contextmanager
def somebody_elses(name: str, patch: Patch, directory: Path) -> Iterator[Document]:
    """Serve a webhook that answers each pod with `patch(pod)`; give its configuration."""
    now = datetime.now(UTC)
    authority = issue_authority("neighbour", now=now, lifetime=timedelta(days=2))
    leaf = issue_leaf(authority, hosts=["127.0.0.1"], now=now, lifetime=timedelta(days=1))
    write(directory, leaf, authority=authority)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(patch))
    context: ssl.SSLContext = server_context(load(directory, now=now))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield _configuration(name, server.server_port, authority.certificate_pem)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def _handler(patch: Patch) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = json.loads(body)["request"]
            response = {"uid": request["uid"], "allowed": True}
            operations = json.dumps(list(patch(request["object"]))).encode()
            if operations != b"[]":
                encoded = base64.b64encode(operations).decode()
                response |= {"patchType": "JSONPatch", "patch": encoded}
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            answer = json.dumps({**review, "response": response}).encode()
            self.send_response(200)
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
