"""Run as `python -m bench.floor WORKER HOST:PORT DIRECTORY THREADS`: the least that a webhook under gunicorn can do.

A bare WSGI function decodes the review and answers a constant, over TLS with the certificate in the directory.
`worker` serves it by nbgate's own worker class, `gthread` by gunicorn's stock one; the settings are nbgate's else.
"""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from flask import Flask

from certs.directory import load
from webhook.server.serving import Edge, Listening, Server
from webhook.server.tls import ServerTLS

_ANSWER = orjson.dumps(
    {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "8adbba00-55da-4fb5-8494-14cec71aa613", "allowed": True},
    }
)
_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(_ANSWER)))]


class _Bare(Flask):
    """Flask in name only: what gunicorn calls is the bare function."""

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Decode the review, answer the constant."""
        orjson.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", _HEADERS)
        return [_ANSWER]


class _Stock(Server):
    """nbgate's server with gunicorn's own threaded worker in it."""

    directory: Path

    def load_config(self) -> None:
        """Take nbgate's settings, but the worker class and what it needs for TLS."""
        super().load_config()
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("certfile", str(self.directory / "tls.crt"))
        self.cfg.set("keyfile", str(self.directory / "tls.key"))


def _serve(worker: str, address: str, directory: Path, threads: int) -> None:
    pair = load(directory, now=datetime.now(UTC))

    def build() -> Edge:
        tls = ServerTLS(directory, pair)
        return Edge(app=_Bare("floor"), tls=tls, grace=0.0, overloaded=lambda: None)

    host, _, port = address.partition(":")
    listening = Listening(host=host, port=int(port), workers=1, threads=threads, grace=0)
    _Stock.directory = directory
    kind = _Stock if worker == "gthread" else Server
    kind(listening, build, lambda _: None).run()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
