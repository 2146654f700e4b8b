"""Decisions to record: real requests, judged by the real core."""

from pathlib import Path

from webhook.core.audit import Record, build_record
from webhook.core.decision import Decision, Snapshot, mutate, validate
from webhook.core.policy import read_policy
from webhook.core.review import Request, parse_review

REVIEWS = Path(__file__).parent.parent / "data" / "reviews"
NOW = 1_795_000_000.0  # 2026-11-18
DENYING = Snapshot()
WARNING = Snapshot(
    policy=read_policy(
        {
            "apiVersion": "nbgate.dev/v1alpha1",
            "kind": "NotebookPolicy",
            "metadata": {"name": "lenient"},
            "spec": {"unscanned": "Warn", "pod": {"runAsUser": None}},
        }
    )
)


def a_request(file: str = "create-pods", /, **changes: object) -> Request:
    """A captured AdmissionReview with some fields changed."""
    request = parse_review((REVIEWS / f"{file}.json").read_bytes())
    return request._replace(**changes)  # type: ignore[arg-type]  # the caller names a field of Request


def judged(request: Request, snapshot: Snapshot = DENYING) -> Decision:
    return validate(request, snapshot, NOW)


def planned(request: Request, snapshot: Snapshot = DENYING) -> Decision:
    return mutate(request, snapshot)


def a_record(**changes: object) -> Record:
    """The record of a refusal, with some fields changed."""
    request = a_request()
    record = build_record(
        request, judged(request), DENYING, endpoint="validate", now=NOW, seconds=0.0001
    )
    return {**record, **changes}
