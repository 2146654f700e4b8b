"""AdmissionReviews through the whole decision: HTTP body -> answer's bytes and audit line, at both endpoints."""

import base64
from collections.abc import Mapping
from typing import Any

import jsonpatch
import orjson

from tests.core.builders import (
    CUDA_IMAGE,
    IMAGE,
    NOW,
    RECORDED,
    exemption,
    pending_document,
    pod,
    policy,
    scan_document,
    snapshot,
)
from tests.core.builders import review as review_of
from tests.fuzz.target import Target, one_line
from tests.server.posting import post
from webhook.core.audit import Record
from webhook.core.decision import Snapshot
from webhook.server.admission import Services
from webhook.server.auditline import LINE_LIMIT, encode
from webhook.server.health import Condition
from webhook.server.metrics import Metrics
from webhook.server.recorder import Recorder
from webhook.stores.auditlog import Entry, read_line

Json = dict[str, Any]
_FAILS = {"uid-1000": "user root has UID 0", "nb-prefix": "404 under\tNB_PREFIX\x1b[31m"}
_STRICT = snapshot(
    scan_document(IMAGE, fails=_FAILS),
    scan_document(CUDA_IMAGE, name="cuda", cuda=True),
    pending_document("busybox:1.36", name="busybox", phase="Failed", why="401\r\n"),
    registries={"allow": ["ghcr.io/kubeflow/**", "docker.io/*"], "action": "Deny"},
    pod={"gpu": {"action": "Add", "tolerations": [{"key": "gpu", "operator": "Exists"}]}},
)
_MILD = snapshot(
    scan_document(IMAGE),
    modes={"team-a": "warn"},
    requirements={"uid-1000": "Warn"},
    unscanned="Warn",
    stale={"after": "1h", "action": "Warn"},
    pod={"gpu": {"action": "Hide"}, "home": {"fallback": "None"}, "runAsUser": None},
    exemptions=[exemption(reason="migrating\x00\n" * 30)],
)
_STATES = (_STRICT, _MILD)
_ANNOTATIONS = {"decision", "policy", "image", "digest", "scan", "violations"}


class _Kept:
    """A sink that keeps the lines."""

    condition = Condition("audit", ok=True, message="kept")

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, record: Record, *, durable: bool) -> None:  # noqa: ARG002 - nothing here is lost
        self.lines.append(encode(record))


class Gate:
    """Both endpoints in front of one state."""

    def __init__(self, state: Snapshot) -> None:
        self.kept = _Kept()
        self._state = state
        self._metrics = Metrics()

    def services(self) -> Services:
        """Give what an application is given, with a recorder that has recorded nothing yet."""
        return Services(
            snapshot=lambda: self._state,
            recorder=Recorder([self.kept], level="all", report=_refuse),
            metrics=self._metrics,
            conditions=tuple,
            show_state=lambda: None,
            authenticated=lambda: False,
            clock=lambda: NOW,
        )

    def post(self, endpoint: str, body: bytes) -> tuple[int, Json]:
        """Post a body; give the status and the answer."""
        self.kept.lines.clear()
        answer = post(self.services(), endpoint, body)
        return answer.code, orjson.loads(answer.body)


def _refuse(problem: str) -> None:
    raise AssertionError(problem)


GATES = tuple(Gate(state) for state in _STATES)


def check_review(data: bytes) -> None:
    """Whatever the bytes are, the answer is one, or a stated refusal; never "could not decide"."""
    for gate in GATES:
        for endpoint in ("mutate", "validate"):
            status, answer = gate.post(endpoint, data)
            if status == 400:
                assert answer["kind"] == "Status"
                one_line(answer["message"])
                continue
            assert status == 200, (status, answer)
            request = orjson.loads(data)["request"]
            _check_answer(answer, request["uid"])
            _check_lines(gate.kept.lines)
            if "patch" in answer["response"]:
                assert endpoint == "mutate"
                _check_patch(gate, orjson.loads(data), answer["response"])


def _check_answer(answer: Json, uid: str) -> None:
    assert answer["apiVersion"] == "admission.k8s.io/v1"
    assert answer["kind"] == "AdmissionReview"
    response = answer["response"]
    assert response["uid"] == uid
    assert ("status" in response) is not response["allowed"]
    if not response["allowed"]:
        _check_denial(response["status"])
    for warning in response.get("warnings", ()):
        one_line(warning, 120)
    assert len(response.get("warnings", ())) <= 30
    annotations = response.get("auditAnnotations", {})
    assert annotations.keys() <= _ANNOTATIONS
    for value in annotations.values():
        one_line(value, 1000)


def _check_denial(status: Mapping[str, Any]) -> None:
    assert (status["code"], status["reason"]) == (403, "Forbidden")
    one_line(status["message"], 1024)
    assert len(status["message"].encode()) <= 1024
    assert status["details"]["causes"]
    for cause in status["details"]["causes"]:
        one_line(cause["reason"], 60)
        one_line(cause["message"], 200)
        assert cause["field"] == "" or cause["field"].isprintable()


def _check_lines(lines: list[bytes]) -> None:
    for line in lines:
        assert len(line) <= LINE_LIMIT
        assert line.endswith(b"\n")
        assert line[:-1].decode().isprintable()
        read = read_line(line, "audit:1")
        assert isinstance(read, Entry), read


def _check_patch(gate: Gate, review: Json, response: Json) -> None:
    assert response["patchType"] == "JSONPatch"
    patch = orjson.loads(base64.b64decode(response["patch"], validate=True))
    source = review["request"]["object"]
    review["request"]["object"] = jsonpatch.apply_patch(source, patch)
    status, again = gate.post("mutate", orjson.dumps(review))
    assert status == 200
    assert "patch" not in again["response"], again


def _seeds() -> list[bytes]:
    recorded = [path.read_bytes() for path in sorted(RECORDED.glob("*.json"))]
    review = orjson.loads(recorded[-1])
    review["request"] |= {
        "operation": "CREATE",
        "oldObject": None,
        "object": policy(requirements={"uid-1000": "Warn"}, exemptions=[exemption()]),
        "resource": {
            "group": "nbgate.dev",
            "version": "v1alpha1",
            "resource": "notebookpolicies",
        },
    }
    review["request"].pop("subResource", None)
    whole = [*(orjson.loads(data) for data in recorded), review]
    return [orjson.dumps(one) for one in (*whole, *map(_refused, range(34, 70, 3)))]


def _refused(size: int) -> Json:
    """Build a pod whose refusal comes to a little less than a message may have, or would come to a little more."""
    containers = (
        {"name": f"c{number}", "image": "B" * size} for number in range(5 + size // 50 * 3)
    )
    return review_of(pod(*containers, volumes=[]))


TARGETS = (
    Target(
        name="review",
        check=check_review,
        seeds=_seeds,
        words=(
            *(b'"notebook-name":"x"', b'"NB_PREFIX"', b'"runAsUser":', b'"nvidia.com/gpu"'),
            *(b'"operation":"UPDATE"', b'"ephemeralContainers"', b'"volumeMounts"', b'"limits"'),
            *(
                b'"image":"',
                b'"env":null',
                b'"oldObject":',
                b'"notebookpolicies"',
                b'"dryRun":true',
            ),
        ),
    ),
)
