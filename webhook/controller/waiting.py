"""Which StatefulSets of notebooks wait for their pod, and when to touch them: pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from webhook.core.identity import is_notebook, notebook_container
from webhook.core.pod import read_metadata, read_spec
from webhook.core.reading import Malformed
from webhook.core.reference import InvalidReference, Reference, parse
from webhook.core.scan import Scan

# Seconds after a touch until the next, for what still has no pod then. The first two are for replicas of the webhook
# that have not heard of the verdict when the pod is asked for.
PAUSES = (4.0, 15.0, 300.0)
# Seconds within which a result is news to a notebook's owner even though it is a bad one.
FRESH = 300.0
# Seconds after a change of the policy that every replica of the webhook has heard of it, unless its line is broken.
HEARD = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A StatefulSet of a notebook that has fewer pods than it should.

    Attributes:
        reference: the notebook's image, as the template names it.
        sure: its status says that there is no pod. Else there may be one that is not ready.
    """

    namespace: str
    name: str
    reference: Reference
    sure: bool

    @property
    def key(self) -> tuple[str, str]:
        """What names it in the cluster."""
        return self.namespace, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """What was done for a StatefulSet: how often for one result, and when last, in seconds since the epoch."""

    result: tuple[str | None, float]
    times: int
    last: float


def waiting(document: Mapping[str, Any]) -> Waiting | None:
    """Read a StatefulSet; None where it is no notebook's, or waits for nothing.

    The number of pods in its status is not all: while pods are refused the controller does not write the status
    (stateful_set_control.go, performUpdate, up to Kubernetes 1.22 at least), so a pod that was there and is gone
    still counts. Its kubelet had said before that it was not ready.
    """
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    wanted, there = _number(spec, "replicas", 1), _number(status, "replicas", 0)
    ready = _number(status, "readyReplicas", 0)
    if min(there, ready) >= wanted:
        return None
    try:
        meta, reference = read_metadata(document), _image(document)
    except (Malformed, InvalidReference):
        return None
    if reference is None or meta.deleting:
        return None
    namespace = str(_mapping(document.get("metadata")).get("namespace", ""))
    return Waiting(namespace=namespace, name=meta.name, reference=reference, sure=there < wanted)


def _image(document: Mapping[str, Any]) -> Reference | None:
    template = _mapping(_mapping(document.get("spec")).get("template"))
    if not is_notebook(read_metadata(template)):
        return None
    spec = read_spec(_mapping(template.get("spec")))
    container = notebook_container(spec, read_metadata(document).name)
    return parse(container.image) if container else None


def result_of(scan: Scan) -> tuple[str | None, float]:
    """Tell results apart: another digest is another, and so is another scan of the same."""
    return scan.digest, scan.scanned_at


def due(scan: Scan, touched: Touched | None, now: float, policy_changed_at: float = -inf) -> float:
    """Say from when on a StatefulSet that waits is to be touched; infinity for never.

    What violates nothing, or only serves at / (which the policy may accept), is tried again and again, ever more
    rarely. What violates is tried once, soon after it was found out: so the owner learns what is wrong, and waits for
    no scan; or it starts, where the policy only warns. And once when the policy has changed, which may accept it now.
    Later the StatefulSet's own retries are enough for it.
    """
    before = touched if touched and touched.result == result_of(scan) else None
    rewritten = scan.serving == "Root" and scan.rewritable
    if scan.verdict == "Violates" and not rewritten:
        if before is None and now - scan.scanned_at < FRESH:
            return now
        heard = policy_changed_at + HEARD
        return heard if now - heard < FRESH and (before is None or before.last < heard) else inf
    if before is None or before.last > now:  # the clock was set back
        return now
    return before.last + PAUSES[min(before.times, len(PAUSES)) - 1]


def touched_again(scan: Scan, touched: Touched | None, now: float) -> Touched:
    """Take note of a touch."""
    before = touched if touched and touched.result == result_of(scan) else None
    times = before.times + 1 if before else 1
    return Touched(result=result_of(scan), times=times, last=now)


def needs_none(scan: Scan, now: float) -> Touched:
    """Take note that there is a pod: the next look is as late as after many touches."""
    return Touched(result=result_of(scan), times=len(PAUSES), last=now)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(held: Mapping[str, Any], name: str, default: int) -> int:
    value = held.get(name)
    return value if isinstance(value, int) else default
