"""The HTTP edge as a Flask application: `/mutate`, `/validate`, `/livez`, `/readyz`, `/metrics`."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from webhook.core.decision import Decision, Snapshot, answer, mutate, validate
from webhook.core.review import Request, ReviewError, parse_review, render_answer
from webhook.core.words import cut
from webhook.server.deadline import is_late, parse_timeout
from webhook.server.health import Condition, render
from webhook.server.metrics import Metrics
from webhook.server.requestbuffer import MAX_BODY
from webhook.server.status import render_status

_log = structlog.get_logger("nbgate.server")
_JSON = "application/json"
Environ = Mapping[str, Any]


class Recorder(Protocol):
    """Keeps the audit records."""

    def record(
        self,
        review: Request,
        decision: Decision,
        snapshot: Snapshot,
        *,
        endpoint: str,
        now: float,
        seconds: float,
    ) -> None:
        """Record one decision, if it is to be recorded. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the application is given.

    Attributes:
        snapshot: the present one, taken once per decision; raises NotReady while there is none.
        clock: seconds since the epoch.
        conditions: the conditions of readiness, as they are now.
        show_state: brings the metrics' gauges up to date.
        authenticated: only clients with a certificate of the configured client CA may ask for decisions.
    """

    snapshot: Callable[[], Snapshot]
    recorder: Recorder
    metrics: Metrics
    conditions: Callable[[], Sequence[Condition]]
    show_state: Callable[[], None]
    authenticated: Callable[[], bool]
    clock: Callable[[], float] = time.time


class NotReady(Exception):
    """There is nothing to decide on yet."""


class Refused(Exception):
    """A request that is not decided; becomes an HTTP error with a JSON Status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def create_app(services: Services) -> Flask:
    """Make the application. It holds no state of its own."""
    app = Flask("nbgate", static_folder=None)
    app.add_url_rule("/mutate", "mutate", lambda: _review(services, "mutate"), methods=["POST"])
    app.add_url_rule(
        "/validate", "validate", lambda: _review(services, "validate"), methods=["POST"]
    )
    app.add_url_rule("/livez", "livez", lambda: Response("ok\n", mimetype="text/plain"))
    app.add_url_rule("/readyz", "readyz", lambda: _readyz(services))
    app.add_url_rule("/metrics", "metrics", lambda: _metrics(services))
    app.register_error_handler(HTTPException, _http_error)
    return app


def _readyz(services: Services) -> Response:
    code, body = render(services.conditions())
    return Response(body, status=code, mimetype=_JSON)


def _metrics(services: Services) -> Response:
    services.show_state()
    # the version parameter tells Prometheus which text format this is
    return Response(services.metrics.render(), content_type="text/plain; version=0.0.4")


def _http_error(error: HTTPException) -> Response:
    """Answer 404, 405 and the like in the one form that errors have here."""
    code = error.code or 500
    response = _problem(code, _HINTS.get(code) or error.description or error.name)
    response.headers.extend(h for h in error.get_headers() if h[0] == "Allow")
    return response


_HINTS = {
    404: "there is nothing here: POST AdmissionReviews to /mutate or /validate",
    405: "wrong method: POST AdmissionReviews to /mutate or /validate, GET the rest",
    413: f"the body is larger than {MAX_BODY} bytes",
}


def _problem(code: int, message: str) -> Response:
    return Response(render_status(code, message), status=code, mimetype=_JSON)


def _review(services: Services, endpoint: str) -> Response:
    """Answer one AdmissionReview; what cannot be decided is an HTTP error, so that failurePolicy decides."""
    review, environ = None, request.environ
    try:
        review = parse_review(_body(services, environ))
        return _decided(services, endpoint, review, environ)
    except Refused as error:
        services.metrics.failed(endpoint)
        return _problem(error.code, str(error))
    except NotReady as error:
        services.metrics.failed(endpoint)
        return _problem(503, f"not ready: {error}")
    except ReviewError as error:
        services.metrics.failed(endpoint, review.operation if review else "")
        return _problem(400, str(error))
    except Exception:  # noqa: BLE001 - logged; a swallowed error must never become an answer
        services.metrics.failed(endpoint, review.operation if review else "")
        _log.exception("could not decide", endpoint=endpoint, uid=review.uid if review else None)
        return _problem(500, "could not decide: internal error, see the log")


def _body(services: Services, environ: Environ) -> bytes:
    """Check everything about the request that its body does not tell, then read it.

    Straight from the WSGI environ: Flask's accessors for these few fields cost as much as a decision.
    """
    if services.authenticated() and not environ.get("nbgate.verified"):
        raise Refused(401, "a client certificate of the configured client CA is required")
    content_type = environ.get("CONTENT_TYPE", "")
    if content_type.partition(";")[0].strip().lower() != _JSON:
        raise Refused(415, f"Content-Type must be {_JSON}, not {cut(content_type, 60)!r}")
    length = environ.get("CONTENT_LENGTH", "")
    if not length.isdecimal():
        raise Refused(411, "Content-Length is missing")
    if int(length) > MAX_BODY:
        raise Refused(413, _HINTS[413])
    try:
        timeout = parse_timeout(environ.get("QUERY_STRING", ""))
    except ValueError as error:
        raise Refused(400, str(error)) from None
    if is_late(timeout, _waited(environ)):
        raise Refused(503, "overloaded: the API server's timeout has passed")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _waited(environ: Environ) -> float:
    """Say for how many seconds the request has been whole, as the worker noted."""
    now = time.monotonic()
    arrived: float = environ.get("nbgate.arrived", now)
    return now - arrived


def _decided(services: Services, endpoint: str, review: Request, environ: Environ) -> Response:
    started = time.perf_counter()
    snapshot, now = services.snapshot(), services.clock()
    mutating = endpoint == "mutate"
    decision = mutate(review, snapshot) if mutating else validate(review, snapshot, now)
    body = render_answer(review.uid, answer(decision, snapshot))
    seconds = time.perf_counter() - started
    services.recorder.record(
        review, decision, snapshot, endpoint=endpoint, now=now, seconds=seconds
    )
    stale = any(v.rule == "stale" for v in decision.violations)
    services.metrics.decided(endpoint, review.operation, decision, _waited(environ), stale=stale)
    return Response(body, mimetype=_JSON)
