"""Everything together: a Request, a Snapshot and a time lead to a Decision.

`mutate` plans the patch and denies nothing: it may be left out (failurePolicy Ignore), for `validate` judges the final
state. A decision is reproducible: one snapshot, one policy, one `now`, and its audit record names all three.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from webhook.core import message
from webhook.core.actions import MODES, Action, mode_of
from webhook.core.asking import asks, wanted
from webhook.core.homevolume import needs_fallback
from webhook.core.patch import plan, prove
from webhook.core.pod import Container
from webhook.core.policy import DEFAULT_POLICY, Exemption, PolicyDocument
from webhook.core.policyreview import PolicyReview, review_policy
from webhook.core.reading import Malformed
from webhook.core.reference import InvalidReference, parse
from webhook.core.review import Answer, Cause, Request, ReviewError
from webhook.core.rules import pod, reference, registry, requirements, scanned
from webhook.core.rules.violation import ImageUse, Violation
from webhook.core.subject import Subject, read_stored, read_subject
from webhook.core.target import Operation, Target
from webhook.core.verdict import ScanIndex
from webhook.core.words import cut

Word = Literal["allowed", "warned", "denied"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a decision knows, immutable; a change is a new snapshot, swapped whole.

    Attributes:
        policy_generation: tells one policy from the next; a document's own generation, or a count of loads.
        modes: `warn` or `audit` by namespace, from its label; a namespace that is not here denies.
        generation: tells one set of scans from the next.
        requests: a scan is asked for where an image has none, and somebody is there to do it.
    """

    scans: ScanIndex = field(default_factory=ScanIndex)
    policy: PolicyDocument = DEFAULT_POLICY
    policy_generation: int = 0
    modes: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0
    requests: bool = False


class Decision(NamedTuple):
    """What was decided, and all that an answer, a record or a person needs of why.

    Attributes:
        subject: None where nbgate leaves the object alone, and for a NotebookPolicy.
        policy: the NotebookPolicy that is being written, where the request does that.
        use: the notebook's image, where there is one.
        violations: with the action each really has here, after exemptions and the namespace's mode; none is Off.
        exemptions: the names of those that waived something.
        patch: JSON Patch operations, shown to apply.
        wanted: canonical references that a scan is to be asked for, unless the request is a dry run.
    """

    word: Word = "allowed"
    message: str = ""
    subject: Subject | None = None
    policy: PolicyReview | None = None
    use: ImageUse | None = None
    violations: tuple[Violation, ...] = ()
    warnings: tuple[str, ...] = ()
    exemptions: tuple[str, ...] = ()
    patch: tuple[Operation, ...] = ()
    mode: str = "deny"
    wanted: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the object is admitted."""
        return self.word != "denied"

    @property
    def judged(self) -> bool:
        """Whether there was anything to judge."""
        return self.subject is not None or self.policy is not None

    @property
    def denied(self) -> tuple[Violation, ...]:
        """The violations that refuse the object."""
        return tuple(v for v in self.violations if v.action is Action.DENY)


UNTOUCHED = Decision()


def mutate(request: Request, snapshot: Snapshot) -> Decision:
    """Plan the patch of a notebook's pod that is being created; everything else is left alone.

    Raises:
        ReviewError: a field of the object has a wrong type.
        PatchError: the patch does not apply to its own object.
    """
    if request.operation != "CREATE" or request.resource != "pods":
        return UNTOUCHED
    subject = read_subject(request)
    if subject is None or request.object is None:
        return UNTOUCHED
    if not subject.serving:
        return UNTOUCHED
    use = _use(subject.serving[0], snapshot.scans, serves=True)
    policy, target = snapshot.policy.spec.pod, _target(subject, use)
    operations = plan(target, policy)
    if operations:
        _prove(request.object, operations)
    home = policy.home if needs_fallback(target, policy.home) else None
    return Decision(
        word="warned" if home else "allowed",
        subject=subject,
        use=use,
        warnings=message.bounded([_NO_CLAIM.format(path=home.path)]) if home else (),
        patch=operations,
        mode=mode_of(snapshot.modes.get(request.namespace)),
    )


def _prove(source: Mapping[str, Any], operations: Sequence[Operation]) -> None:
    """Apply the patch before it is sent: one that does not apply refuses the pod even under failurePolicy Ignore."""
    try:
        # every operation is below spec: the rest, managed fields above all, need not be copied
        prove({"spec": source.get("spec")}, operations)
    except Malformed as error:
        raise ReviewError(str(error.under("object").under("request"))) from None


_NO_CLAIM = "no workspace volume: files in {path} are lost when the notebook stops"


def validate(request: Request, snapshot: Snapshot, now: float) -> Decision:
    """Judge the final state of a notebook's pod, of a Notebook, of containers added to a pod, or of a NotebookPolicy.

    On UPDATE only what changed is judged: a violation that the stored object has too does not count.

    Raises:
        ReviewError: a field of the object has a wrong type.
    """
    subject = read_subject(request)
    if subject is None:
        policy = review_policy(request, now)
        return UNTOUCHED if policy is None else _of_policy(policy)
    uses = _uses(subject, snapshot.scans)
    found = _violations(subject, uses, snapshot, now)
    stored = read_stored(request)
    if stored is not None:
        before = _violations(stored, _uses(stored, snapshot.scans), snapshot, now)
        known = {_identity(violation) for violation in before}
        found = [violation for violation in found if _identity(violation) not in known]
    return _weigh(subject, uses, found, snapshot, now)


def _of_policy(policy: PolicyReview) -> Decision:
    """Turn the faults of a NotebookPolicy into a denial, and its warnings into warnings."""
    return Decision(
        word="denied" if policy.faults else "warned" if policy.warnings else "allowed",
        message=message.policy_denial(policy.name, policy.faults) if policy.faults else "",
        policy=policy,
        warnings=message.bounded(policy.warnings),
    )


def _identity(violation: Violation) -> tuple[str, ...]:
    """Give what makes a violation of the new object the same as one of the stored object."""
    container = violation.use.container
    what = (violation.rule, violation.message, container.list, container.name)
    # a rule about the pod looks at other fields than the image, or names it in its message
    return what if violation.rule.startswith("pod-") else (*what, container.image)


def _uses(subject: Subject, scans: ScanIndex) -> Sequence[ImageUse]:
    """Read and look up every container's image; the notebook's own come first."""
    serving = subject.serving
    uses = [_use(container, scans, serves=True) for container in serving]
    if len(serving) < len(subject.spec.containers):
        others = [c for c in subject.spec.containers if c not in serving]
        uses += [_use(container, scans, serves=False) for container in others]
    return uses


# The same few images come again and again, and each twice. Bounded: of strangers' images the oldest go first.
_parse_again = lru_cache(maxsize=4096)(parse)


def _use(container: Container, scans: ScanIndex, *, serves: bool) -> ImageUse:
    try:
        parsed = _parse_again(container.image)
    except InvalidReference as error:
        return ImageUse(
            container=container, reference=None, problem=str(error), serves=serves, finding=None
        )
    return ImageUse(
        container=container,
        reference=parsed,
        problem="",
        serves=serves,
        finding=scans.find(parsed),
    )


def _target(subject: Subject, use: ImageUse) -> Target:
    return Target(
        namespace=subject.namespace,
        notebook=subject.notebook,
        labels=subject.meta.labels,
        spec=subject.spec,
        container=use.container,
        reference=use.reference,
        finding=use.finding,
    )


def _violations(
    subject: Subject, uses: Sequence[ImageUse], snapshot: Snapshot, now: float
) -> list[Violation]:
    return [v for use in uses for v in _judge(subject, use, uses[0], snapshot, now)]


def _judge(
    subject: Subject, use: ImageUse, first: ImageUse, snapshot: Snapshot, now: float
) -> Iterator[Violation]:
    policy = snapshot.policy.spec
    yield from reference.judge(use, subject.path)
    yield from registry.judge(use, policy, subject.path)
    if not use.serves:
        return
    asked = snapshot.requests and asks(use, policy, subject.namespace, now)
    yield from scanned.judge(use, policy, now, subject.path, asked=asked)
    # an empty one is none for Kubeflow too (notebook-controller, generateVirtualService)
    rewrite = subject.meta.annotations.get(requirements.REWRITE_ANNOTATION)
    rewritten = subject.kind == "Pod" or bool(rewrite)
    yield from requirements.judge(use, policy, subject.path, rewritten=rewritten)
    if subject.kind == "Pod" and use is first:
        yield from pod.judge(_target(subject, use), use, policy.pod)


def _weigh(
    subject: Subject,
    uses: Sequence[ImageUse],
    found: Sequence[Violation],
    snapshot: Snapshot,
    now: float,
) -> Decision:
    """Apply exemptions, the namespace's mode and, on a Notebook, the rule that only what is known is refused."""
    policy, namespace = snapshot.policy.spec, subject.namespace
    mode = mode_of(snapshot.modes.get(namespace))
    use = uses[0] if subject.serving else None
    asked = tuple(wanted(uses, policy, namespace, now)) if snapshot.requests else ()
    if not found:
        return Decision(subject=subject, use=use, mode=mode, wanted=asked)
    kept: list[Violation] = []
    used: dict[str, Exemption] = {}
    for violation in found:
        exemption = violation.waived_by(policy.exemptions, namespace, now)
        action = min(violation.action, MODES[mode], _limit(subject, violation))
        if exemption is not None and violation.action is not Action.OFF:
            used[exemption.name] = exemption
        elif action is not Action.OFF:
            kept.append(
                violation if action is violation.action else replace(violation, action=action)
            )
    denied = [v for v in kept if v.action is Action.DENY]
    warnings = [message.warning(v) for v in kept if v.action is Action.WARN]
    warnings += [f"exemption {e.name} applies until {e.expires}: {e.reason}" for e in used.values()]
    return Decision(
        word="denied" if denied else "warned" if warnings else "allowed",
        message=message.denial(denied, policy.help) if denied else "",
        subject=subject,
        use=use,
        violations=tuple(kept),
        warnings=message.bounded(warnings),
        exemptions=tuple(used),
        mode=mode,
        wanted=asked,
    )


def _limit(subject: Subject, violation: Violation) -> Action:
    """Cap what is not known to be wrong on a Notebook.

    The spawner's first request is a dry run, which may ask for no scan: a denial there would lock its user out for
    ever. The pod, which may ask, is where an unscanned image waits.
    """
    unsure = subject.kind == "Notebook" and not violation.known
    return Action.WARN if unsure else Action.DENY


def answer(decision: Decision, snapshot: Snapshot) -> Answer:
    """Turn a decision into what the API server is told."""
    return Answer(
        allowed=decision.allowed,
        message=decision.message,
        causes=() if decision.allowed else _causes(decision),
        warnings=decision.warnings,
        annotations=_annotations(decision, snapshot) if decision.judged else {},
        patch=decision.patch,
    )


def _causes(decision: Decision) -> list[Cause]:
    faults = decision.policy.faults[:_FAULTS_LIMIT] if decision.policy else ()
    return [
        *(
            Cause(reason=v.rule, message=cut(v.message, 200), field=v.field)
            for v in decision.denied
        ),
        *(Cause(reason=_INVALID, message=cut(f.problem, 200), field=f.path) for f in faults),
    ]


# metav1.CauseTypeFieldValueInvalid
_INVALID = "FieldValueInvalid"
_FAULTS_LIMIT = 100  # far more than anybody reads; whoever writes a policy chooses how many it has


def _annotations(decision: Decision, snapshot: Snapshot) -> dict[str, str]:
    """Name what the decision rests on, for the API server's audit log.

    On reinvocation a key cannot change its value (k8s.io/apiserver, audit annotations), so what our own patch changes
    is left out: the image stands without its digest, and a patch does not show in `decision`.
    """
    use = decision.use
    found = use.finding if use else None
    values = {
        "decision": "allowed" if decision.allowed else "denied",
        "policy": f"{cut(snapshot.policy.metadata.name, 253)}@{snapshot.policy_generation}",
        "image": _image(use) if use else "",
        "digest": (found.digest or "") if found else "",
        "scan": cut(found.scan.name, 253) if found and found.scan else "",
    }
    if decision.violations:
        values["violations"] = ",".join(dict.fromkeys([v.rule for v in decision.violations]))
    if all(values.values()):
        return values
    return {key: value for key, value in values.items() if value}


def _image(use: ImageUse) -> str:
    """Name the image without its digest, where it is a reference that has a tag."""
    if use.reference is None:
        return cut(use.container.image, 200)
    return use.reference.tagged or use.reference.canonical
