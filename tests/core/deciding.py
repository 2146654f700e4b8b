"""Short ways to a decision, for tests that look at many."""

from collections.abc import Callable
from typing import Any

import jsonpatch

from tests.core.builders import (
    CONTROLLER,
    CUDA_IMAGE,
    IMAGE,
    NOW,
    Json,
    finished_pod,
    request,
    scan_document,
    snapshot,
)
from webhook.core.decision import Decision, Snapshot, mutate, validate
from webhook.core.review import Request

KNOWN = snapshot(scan_document(IMAGE), scan_document(CUDA_IMAGE, name="cuda", cuda=True))

FAILING = snapshot(scan_document(CUDA_IMAGE, fails={"uid-1000": "user root has UID 0"}, cuda=True))
STAGES: tuple[Callable[[Request], Decision], ...] = (
    lambda seen: mutate(seen, FAILING),
    lambda seen: validate(seen, FAILING, NOW),
)


def decide(source: Json, known: Snapshot = KNOWN, user: str = CONTROLLER) -> Decision:
    """Plan the patch of a pod that this user creates."""
    return mutate(request(source, user=user), known)


def patched(source: Json, known: Snapshot = KNOWN, user: str = CONTROLLER) -> Json:
    """Apply the patch by the library, as the API server does."""
    result: Json = jsonpatch.apply_patch(source, list(decide(source, known, user).patch))
    return result


def first(source: Json) -> Json:
    """Give a pod's first container."""
    found: Json = source["spec"]["containers"][0]
    return found


def only(**patches: Any) -> Snapshot:
    """Know what KNOWN does, under a policy that asks for these patches and for no other."""
    nothing = {
        "pinDigest": False,
        "nbPrefix": False,
        "runAsUser": None,
        "fsGroup": None,
        "home": None,
        "gpu": {"action": "Off"},
    }
    return Snapshot(scans=KNOWN.scans, policy=snapshot(pod={**nothing, **patches}).policy)


def judge(source: Json, known: Snapshot = KNOWN, now: float = NOW, **fields: Any) -> Decision:
    """Judge an object; `fields` are those of `review`."""
    return validate(request(source, **fields), known, now)


def found(decision: Decision) -> dict[str, str]:
    """Give what was found, as action by rule."""
    return {violation.rule: violation.action.label for violation in decision.violations}


def of_scan(*, spec: dict[str, Any] | None = None, **status: Any) -> Decision:
    """Judge a finished pod whose image has this scan, under this policy."""
    return judge(finished_pod(), snapshot(scan_document(IMAGE, **status), **(spec or {})))
