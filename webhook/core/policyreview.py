"""A NotebookPolicy that is being written: what is wrong with it, and what in it may surprise.

What is wrong is refused when it is applied, all at once: every replica would keep the last good policy instead, and
only logs would tell. What is only unwise is warned of, in words that `nbgate policy check` says too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.core.actions import Action
from webhook.core.document import Fault, InvalidDocument, parse_duration
from webhook.core.pod import read_metadata
from webhook.core.policy import Exemption, PolicySpec, read_policy
from webhook.core.reading import Malformed
from webhook.core.requirements import REQUIREMENTS
from webhook.core.review import Request, ReviewError

# The one that holds; others may stand beside it, to be applied under that name later.
IN_FORCE = "default"
RESOURCE = ("nbgate.dev", "notebookpolicies")
_DAY = 86400
_SOON_DAYS = 30
_INTERVAL = "24h"  # how often a tag is resolved again, where its ImageScan says nothing else
_EVERY_IMAGE = "*/**"
# A policy with a thousand exemptions of ten fields each has some ten thousand values. Telling the faults of ten times
# as many takes more than the second that nothing else would be decided in.
_VALUES_LIMIT = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyReview:
    """What was found about one NotebookPolicy.

    Attributes:
        faults: what makes it no policy; empty where it may be written.
    """

    name: str
    faults: tuple[Fault, ...] = ()
    warnings: tuple[str, ...] = ()


def review_policy(request: Request, now: float) -> PolicyReview | None:
    """Judge the NotebookPolicy of a request, or give None where the request writes none.

    Left alone are other kinds, the status, and an object being deleted. Where the spec is what it was, faults are only
    warned of: a label must not wait for somebody to mend the policy.

    Raises:
        ReviewError: the object is missing, or its metadata has a wrong type.
    """
    if (request.group, request.resource) != RESOURCE:
        return None
    if request.operation not in ("CREATE", "UPDATE"):
        return None
    if request.object is None:
        raise ReviewError(f"request.object is missing, though the operation is {request.operation}")
    try:
        meta = read_metadata(request.object)
    except Malformed as error:
        raise ReviewError(str(error.under("object").under("request"))) from None
    if meta.deleting:
        return None
    return _review(request, request.object, meta.name or request.name, now)


def _review(request: Request, document: Mapping[str, Any], name: str, now: float) -> PolicyReview:
    warnings = []
    if name != IN_FORCE:
        warnings.append(f"only the NotebookPolicy {IN_FORCE} has an effect; this is {name}")
    faults, advice = _judge(document, now)
    old = request.old_object
    if faults and old is not None and old.get("spec") == document.get("spec"):
        warnings.append(f"it is not valid, and no replica follows it: {faults[0]}")
        faults = ()
    return PolicyReview(name=name, faults=faults, warnings=(*warnings, *advice))


def _judge(document: Mapping[str, Any], now: float) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    spec = document.get("spec")
    if _values(spec, _VALUES_LIMIT) > _VALUES_LIMIT:
        return (Fault("spec", f"must not hold more than {_VALUES_LIMIT} values"),), ()
    try:
        policy = read_policy(document)
    except InvalidDocument as error:
        return error.faults, ()
    return (), tuple(advise(policy.spec, now))


def _values(root: object, limit: int) -> int:
    """Count the values in a JSON value; past the limit it counts no further."""
    count, rest = 0, [root]
    while rest and count <= limit:
        value = rest.pop()
        count += 1
        if isinstance(value, dict):
            rest.extend(value.values())
        elif isinstance(value, list):
            rest.extend(value)
    return count


def advise(policy: PolicySpec, now: float) -> Iterator[str]:
    """Say what in a valid policy has no effect, or has one that its writer may not expect."""
    if all(policy.action_for(requirement) is Action.OFF for requirement in REQUIREMENTS):
        yield "every requirement is Off: what scans find is neither refused nor told"
    short = policy.stale.seconds < parse_duration(_INTERVAL)
    if short and policy.stale.action is not Action.OFF:
        yield f"stale.after is under {_INTERVAL}, in which scans are renewed: good results will count as stale"
    if policy.registries.allow and policy.registries.action is Action.OFF:
        yield "registries.allow has no effect: registries.action is Off"
    for exemption in policy.exemptions:
        yield from _advise(exemption, now)


def _advise(exemption: Exemption, now: float) -> Iterator[str]:
    name, days = exemption.name, int((exemption.ends - now) // _DAY)
    if now >= exemption.ends:
        yield f"exemption {name} expired on {exemption.expires} and does nothing; remove or renew it"
        return
    if days <= _SOON_DAYS:
        span = f"in {days} days" if days > 1 else "tomorrow" if days else "today"
        yield f"exemption {name} expires {span}, at the end of {exemption.expires} UTC"
    everywhere = any(str(pattern) == _EVERY_IMAGE for pattern in exemption.images)
    if everywhere and not exemption.namespaces:
        yield f"exemption {name} is for every image: it waives its rules everywhere"
