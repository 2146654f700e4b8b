"""`POST /mutate` and `POST /validate`: from an AdmissionReview's bytes to its answer's.

They stand before Flask: its routing, request and response objects cost half as much again as the whole decision, and
every notebook's pod passes here twice.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple, Protocol

import structlog

from webhook.core.decision import Decision, Snapshot, answer, mutate, validate
from webhook.core.review import Request, ReviewError, parse_review, render_answer
from webhook.core.words import cut
from webhook.server.deadline import is_late, parse_timeout
from webhook.server.health import Condition
from webhook.server.httpanswer import JSON, Answer, Later, refusal
from webhook.server.httprequest import HttpRequest
from webhook.server.metrics import Metrics
from webhook.server.requestbuffer import MAX_BODY

_log = structlog.get_logger("nbgate.server")
TOO_LARGE = f"the body is larger than {MAX_BODY} bytes"

Endpoint = Literal["mutate", "validate"]


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

    def records(self, decision: Decision) -> bool:
        """Tell whether a decision has a record, whose writing may take its time."""

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


class Arrival(NamedTuple):
    """How a request came.

    Attributes:
        moment: when it was whole, in monotonic seconds.
        verified: its client showed a certificate of the configured client CA.
    """

    moment: float
    verified: bool

    @property
    def waited(self) -> float:
        """For how many seconds the request has been whole."""
        return time.monotonic() - self.moment


class _Decided(NamedTuple):
    """A decision, its answer, and what its record tells."""

    endpoint: Endpoint
    review: Request
    decision: Decision
    snapshot: Snapshot
    body: bytes
    now: float
    seconds: float


class AdmissionEndpoints:
    """Answers the two endpoints."""

    _ENDPOINTS: Mapping[str, Endpoint] = {"/mutate": "mutate", "/validate": "validate"}

    def __init__(self, services: Services) -> None:
        self._services = services

    def __call__(self, request: HttpRequest, arrival: Arrival) -> Answer | Later | None:
        """Answer a request: at once, unless its record is to be written first; None where it is for somebody else.

        What cannot be decided is an HTTP error, so that the configuration's failurePolicy decides.
        """
        endpoint = self._ENDPOINTS.get(request.path)
        if endpoint is None or request.method != "POST":
            return None
        review = None
        try:
            review = parse_review(self._body(request, arrival))
            decided = self._decide(endpoint, review)
        except Refused as error:
            code, problem = error.code, str(error)
        except NotReady as error:
            code, problem = 503, f"not ready: {error}"
        except ReviewError as error:
            code, problem = 400, str(error)
        except Exception:  # noqa: BLE001 - logged; a swallowed error must never become an answer
            return self._failed(endpoint, review)
        else:
            if self._services.recorder.records(decided.decision):
                return partial(self._finish, decided, arrival)
            return self._finish(decided, arrival)
        return self._undecided(endpoint, review, code, problem)

    def _failed(self, endpoint: Endpoint, review: Request | None) -> Answer:
        _log.exception("could not decide", endpoint=endpoint, uid=review and review.uid)
        problem = "could not decide: internal error, see the log"
        return self._undecided(endpoint, review, 500, problem)

    def _undecided(
        self, endpoint: Endpoint, review: Request | None, code: int, problem: str
    ) -> Answer:
        self._services.metrics.failed(endpoint, review.operation if review else "")
        return refusal(code, problem)

    def _body(self, request: HttpRequest, arrival: Arrival) -> bytes:
        """Check everything about the request that its body does not tell, then give that."""
        if self._services.authenticated() and not arrival.verified:
            raise Refused(401, "a client certificate of the configured client CA is required")
        kind = request.content_type
        if kind != JSON and kind.partition(";")[0].strip().lower() != JSON:
            raise Refused(415, f"Content-Type must be {JSON}, not {cut(kind, 60)!r}")
        if request.length is None:
            raise Refused(411, "Content-Length is missing")
        if request.length > MAX_BODY:
            raise Refused(413, TOO_LARGE)
        try:
            timeout = parse_timeout(request.query)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if is_late(timeout, arrival.waited):
            raise Refused(503, "overloaded: the API server's timeout has passed")
        return request.body

    def _decide(self, endpoint: Endpoint, review: Request) -> _Decided:
        started = time.perf_counter()
        snapshot, now = self._services.snapshot(), self._services.clock()
        mutating = endpoint == "mutate"
        decision = mutate(review, snapshot) if mutating else validate(review, snapshot, now)
        body = render_answer(review.uid, answer(decision, snapshot))
        seconds = time.perf_counter() - started
        return _Decided(endpoint, review, decision, snapshot, body, now, seconds)

    def _finish(self, decided: _Decided, arrival: Arrival) -> Answer:
        """Record and count a decision, ask for the scans that it wants, and give its answer."""
        try:
            self._note(decided, arrival)
        except Exception:  # noqa: BLE001 - as above
            return self._failed(decided.endpoint, decided.review)
        return Answer(200, decided.body)

    def _note(self, decided: _Decided, arrival: Arrival) -> None:
        services, review, decision = self._services, decided.review, decided.decision
        services.recorder.record(
            review,
            decision,
            decided.snapshot,
            endpoint=decided.endpoint,
            now=decided.now,
            seconds=decided.seconds,
        )
        stale = any(v.rule == "stale" for v in decision.violations)
        services.metrics.decided(
            decided.endpoint, review.operation, decision, arrival.waited, stale=stale
        )
        if not review.dry_run:
            # a dry run has no side effect at all (sideEffects: NoneOnDryRun)
            for image in decision.wanted:
                services.scans.ask(image, review.namespace)
