"""The audit record: what an auditor can find of a decision, as one flat JSON object.

Everything that users wrote is cleaned of control characters and cut: a record is one line, whatever they wrote.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from webhook.core.actions import Action
from webhook.core.decision import Decision, Snapshot
from webhook.core.document import format_time
from webhook.core.review import Request
from webhook.core.words import cut

Level = Literal["denied", "warned", "all"]
# What a record calls the faults of a NotebookPolicy, where a rule's id stands for others.
POLICY_RULE = "policy"
_TEXT_LIMIT = 512  # longer than any Kubernetes name or image reference that is one
_GROUPS_LIMIT = 32
_VIOLATIONS_LIMIT = 100
_OPERATIONS_LIMIT = 50  # a patch has about ten; the policy's tolerations may add some

Record = Mapping[str, Any]
# How long identical refusals are counted rather than repeated: a StatefulSet retries a refused pod for ever.
SUPPRESSION_SECONDS = 600.0


def recorded(decision: Decision, level: Level) -> bool:
    """Tell whether a decision is recorded: every denial and every use of an exemption always, the rest by level."""
    if not decision.allowed or decision.exemptions or level == "all":
        return True
    return level == "warned" and bool(decision.violations or decision.warnings)


def identity(request: Request, decision: Decision) -> tuple[object, ...]:
    """Give what two refusals, or two warnings, share that are the same one, tried again."""
    subject = decision.subject
    return (
        request.operation,
        request.resource,
        request.namespace,
        subject.notebook if subject else request.name,
        request.user,
        request.dry_run,
        decision.mode,
        decision.message,
        decision.warnings,
    )


def build_record(
    request: Request,
    decision: Decision,
    snapshot: Snapshot,
    *,
    endpoint: str,
    now: float,
    seconds: float,
    suppressed: int = 0,
) -> Record:
    """Build the record of one decision.

    `now` is the decision's own time, in seconds since the epoch; `seconds` is how long the decision took; `suppressed`
    counts the identical refusals since the last record of this one.
    """
    subject, policy = decision.subject, snapshot.policy
    return {
        "time": format_time(now),
        "uid": cut(request.uid, _TEXT_LIMIT),
        "operation": request.operation,
        "dryRun": request.dry_run,
        "endpoint": endpoint,
        "user": cut(request.user, _TEXT_LIMIT),
        "groups": _texts(request.groups[:_GROUPS_LIMIT]),
        "namespace": cut(request.namespace, _TEXT_LIMIT),
        "notebook": cut(subject.notebook, _TEXT_LIMIT) if subject else "",
        "pod": cut(_pod_name(request, decision), _TEXT_LIMIT),
        "kind": cut(request.kind, _TEXT_LIMIT),
        **_image(decision),
        "decision": decision.word,
        "violations": _violations(decision),
        "warnings": _texts(decision.warnings),
        "exemptions": list(decision.exemptions),
        "patch": _patch(decision),
        "mode": decision.mode,
        "policy": {
            "name": cut(policy.metadata.name, _TEXT_LIMIT),
            "generation": snapshot.policy_generation,
        },
        "scan": _scan(decision),
        "snapshot": {"generation": snapshot.generation},
        "durationMs": round(seconds * 1000, 3),
        "suppressed": suppressed,
    }


def _texts(texts: Sequence[str]) -> list[str]:
    return [cut(text, _TEXT_LIMIT) for text in texts]


def _pod_name(request: Request, decision: Decision) -> str:
    if decision.subject is None or decision.subject.kind == "Notebook":
        return ""
    return request.name or decision.subject.meta.name or decision.subject.meta.generate_name


def _image(decision: Decision) -> dict[str, str | None]:
    use = decision.use or next((v.use for v in decision.violations), None)
    if use is None:
        return {"image": "", "canonicalImage": None, "digest": None}
    return {
        "image": cut(use.container.image, _TEXT_LIMIT),
        "canonicalImage": use.reference.canonical if use.reference else None,
        "digest": use.finding.digest if use.finding else None,
    }


def _violations(decision: Decision) -> list[dict[str, str]]:
    faults = decision.policy.faults if decision.policy else ()
    found = [
        *((v.rule, v.action.label, v.message) for v in decision.violations),
        *((POLICY_RULE, Action.DENY.label, str(fault)) for fault in faults),
    ]
    return [
        {"requirement": rule, "action": action, "message": cut(text, _TEXT_LIMIT)}
        for rule, action, text in found[:_VIOLATIONS_LIMIT]
    ]


def _patch(decision: Decision) -> list[dict[str, Any]]:
    """List the operations; a whole list of variables stands without its value, for users keep secrets in them."""
    return [
        {
            key: _cleaned(value)
            for key, value in operation.items()
            if key != "value" or operation["op"] != "replace" or operation["path"][-4:] != "/env"
        }
        for operation in decision.patch[:_OPERATIONS_LIMIT]
    ]


def _cleaned(value: object) -> object:
    """Clean every text in a value of ours: names and paths that users chose stand in it."""
    if isinstance(value, str):
        return cut(value, _TEXT_LIMIT)
    if isinstance(value, dict):
        return {cut(key, _TEXT_LIMIT): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, list) else value


def _scan(decision: Decision) -> dict[str, str] | None:
    scan = decision.use.finding.scan if decision.use and decision.use.finding else None
    if scan is None:
        return None
    return {"name": cut(scan.name, _TEXT_LIMIT), "scannedAt": format_time(scan.scanned_at)}
