"""Run as `python -m bench.floor WORKER HOST:PORT DIRECTORY THREADS [ANSWERS]`: the least of a webhook under gunicorn.

It decodes the review and answers a constant, over TLS with the certificate in the directory: `allowed`, or what a JSON
file has for a response to each path. `gthread` does so in a bare WSGI function of gunicorn's stock worker; `worker` in
nbgate's own, in the place of the decision, where there is no WSGI. The settings are nbgate's else.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from flask import Flask

from certs.directory import load
from webhook.server.admission import Arrival
from webhook.server.httpanswer import Answer
from webhook.server.httprequest import HttpRequest
from webhook.server.serving import Edge, Listening, Server
from webhook.server.tls import ServerTLS

_ALLOWED = {path: {"allowed": True} for path in ("/mutate", "/validate")}


Answering = Callable[[str, bytes], bytes]


def _constants(responses: Mapping[str, Mapping[str, Any]]) -> Answering:
    """Make what decodes the review and answers the constant of its path, with the UID that the API server looks for."""
    parts = {path: _around_uid(response) for path, response in responses.items()}

    def answer(path: str, body: bytes) -> bytes:
        before, after = parts[path]
        uid: str = orjson.loads(body)["request"]["uid"]
        return before + uid.encode() + after

    return answer


def _around_uid(response: Mapping[str, Any]) -> tuple[bytes, bytes]:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
    written = orjson.dumps({**review, "response": {**response, "uid": ""}})
    before, _, after = written.rpartition(b'"uid":"')
    return before + b'"uid":"', after


class _Bare(Flask):
    """Flask in name only: what gunicorn calls is the bare function."""

    def __init__(self, answer: Answering) -> None:
        super().__init__("floor")
        self._answer = answer

    def wsgi_app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer over WSGI."""
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        answer = self._answer(environ["PATH_INFO"], body)
        length = str(len(answer))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", length)])
        return [answer]


class _Stock(Server):
    """nbgate's server with gunicorn's own threaded worker in it."""

    directory: Path

    def load_config(self) -> None:
        """Take nbgate's settings, but the worker class and what it needs for TLS."""
        super().load_config()
        self.cfg.set("worker_class", "gthread")
        self.cfg.set("certfile", str(self.directory / "tls.crt"))
        self.cfg.set("keyfile", str(self.directory / "tls.key"))


def _serve(worker: str, address: str, directory: Path, threads: int, answer: Answering) -> None:
    pair = load(directory, now=datetime.now(UTC))

    def admit(request: HttpRequest, _arrival: Arrival) -> Answer:
        return Answer(200, answer(request.path, request.body))

    def build() -> Edge:
        tls = ServerTLS(directory, pair)
        app = _Bare(answer)
        return Edge(admission=admit, app=app, tls=tls, grace=0.0, overloaded=lambda: None)

    host, _, port = address.partition(":")
    listening = Listening(host=host, port=int(port), workers=1, threads=threads, grace=0)
    _Stock.directory = directory
    kind = _Stock if worker == "gthread" else Server
    kind(listening, build, lambda _: None).run()


if __name__ == "__main__":
    _, *words = sys.argv
    responses = orjson.loads(Path(words[4]).read_bytes()) if len(words) > 4 else _ALLOWED
    _serve(words[0], words[1], Path(words[2]), int(words[3]), _constants(responses))
