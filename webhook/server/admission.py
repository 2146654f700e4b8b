"""`POST /mutate` and `POST /validate`: from an AdmissionReview's bytes to its answer's.

They stand before Flask, as plain WSGI: its routing, request and response objects cost half as much again as the whole
decision, and every notebook's pod passes here twice.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, Protocol

import structlog

from webhook.core.decision import Decision, Snapshot, answer, mutate, validate
from webhook.core.review import Request, ReviewError, parse_review, render_answer
from webhook.core.words import cut
from webhook.server.deadline import is_late, parse_timeout
from webhook.server.health import Condition
from webhook.server.metrics import Metrics
from webhook.server.requestbuffer import MAX_BODY
from webhook.server.status import render_status

_log = structlog.get_logger("nbgate.server")
JSON = "application/json"
TOO_LARGE = f"the body is larger than {MAX_BODY} bytes"

Endpoint = Literal["mutate", "validate"]
Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[Any, Any], Iterable[bytes]]


class Asking(Protocol):
    """Asks for scans of images that nothing is known of."""

    def ask(self, image: str, namespace: str) -> None:
        """Ask for the scan of a canonical reference that somebody used in this namespace. Never waits, never raises."""


class NobodyAsks:
    """Where scans come from files there is nobody to ask."""

    def ask(self, image: str, namespace: str) -> None:
        """Do nothing."""


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
        scans: asks for the scans that decisions want.
    """

    snapshot: Callable[[], Snapshot]
    recorder: Recorder
    metrics: Metrics
    conditions: Callable[[], Sequence[Condition]]
    show_state: Callable[[], None]
    authenticated: Callable[[], bool]
    clock: Callable[[], float] = time.time
    scans: Asking = field(default_factory=NobodyAsks)


class NotReady(Exception):
    """There is nothing to decide on yet."""


class Refused(Exception):
    """A request that is not decided; becomes an HTTP error with a JSON Status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class AdmissionEndpoints:
    """A WSGI application that answers the two endpoints, and leaves everything else to the one behind it."""

    _ENDPOINTS: Mapping[str, Endpoint] = {"/mutate": "mutate", "/validate": "validate"}

    def __init__(self, services: Services, behind: Application) -> None:
        self._services = services
        self._behind = behind

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        endpoint = self._ENDPOINTS.get(environ["PATH_INFO"])
        if endpoint is None or environ["REQUEST_METHOD"] != "POST":
            return self._behind(environ, start_response)
        code, body = self._answer(endpoint, environ)
        headers = [("Content-Type", JSON), ("Content-Length", str(len(body)))]
        start_response(_STATUS_LINES[code], headers)
        return (body,)

    def _answer(self, endpoint: Endpoint, environ: Environ) -> tuple[int, bytes]:
        """Decide; what cannot be decided is an HTTP error, so that the configuration's failurePolicy decides."""
        review = None
        try:
            review = parse_review(self._body(environ))
            return 200, self._decide(endpoint, review, environ)
        except Refused as error:
            code, problem = error.code, str(error)
        except NotReady as error:
            code, problem = 503, f"not ready: {error}"
        except ReviewError as error:
            code, problem = 400, str(error)
        except Exception:  # noqa: BLE001 - logged; a swallowed error must never become an answer
            _log.exception("could not decide", endpoint=endpoint, uid=review and review.uid)
            code, problem = 500, "could not decide: internal error, see the log"
        self._services.metrics.failed(endpoint, review.operation if review else "")
        return code, render_status(code, problem)

    def _body(self, environ: Environ) -> bytes:
        """Check everything about the request that its body does not tell, then read it."""
        if self._services.authenticated() and not environ.get("nbgate.verified"):
            raise Refused(401, "a client certificate of the configured client CA is required")
        content_type = environ.get("CONTENT_TYPE", "")
        if content_type.partition(";")[0].strip().lower() != JSON:
            raise Refused(415, f"Content-Type must be {JSON}, not {cut(content_type, 60)!r}")
        length = environ.get("CONTENT_LENGTH", "")
        if not length.isdecimal():
            raise Refused(411, "Content-Length is missing")
        if int(length) > MAX_BODY:
            raise Refused(413, TOO_LARGE)
        try:
            timeout = parse_timeout(environ.get("QUERY_STRING", ""))
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if is_late(timeout, _waited(environ)):
            raise Refused(503, "overloaded: the API server's timeout has passed")
        body: bytes = environ["wsgi.input"].read(int(length))
        return body

    def _decide(self, endpoint: Endpoint, review: Request, environ: Environ) -> bytes:
        services, started = self._services, time.perf_counter()
        snapshot, now = services.snapshot(), services.clock()
        mutating = endpoint == "mutate"
        decision = mutate(review, snapshot) if mutating else validate(review, snapshot, now)
        body = render_answer(review.uid, answer(decision, snapshot))
        seconds = time.perf_counter() - started
        services.recorder.record(
            review, decision, snapshot, endpoint=endpoint, now=now, seconds=seconds
        )
        stale = any(v.rule == "stale" for v in decision.violations)
        waited = _waited(environ)
        services.metrics.decided(endpoint, review.operation, decision, waited, stale=stale)
        if not review.dry_run:
            # a dry run has no side effect at all (sideEffects: NoneOnDryRun)
            for image in decision.wanted:
                services.scans.ask(image, review.namespace)
        return body


def _waited(environ: Environ) -> float:
    """Say for how many seconds the request has been whole, as the worker noted."""
    now = time.monotonic()
    arrived: float = environ.get("nbgate.arrived", now)
    return now - arrived


_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
