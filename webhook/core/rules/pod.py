"""The rules about the final pod: is what nbgate patches there? Each holds only when the policy asks for that patch."""

from collections.abc import Iterator

from webhook.core.actions import Action
from webhook.core.policy import PodPatches
from webhook.core.requirements import OtherRule
from webhook.core.rules import pod_digest, pod_home, pod_prefix, pod_uid
from webhook.core.rules.violation import ImageUse, Violation
from webhook.core.target import Target

# Of one rule: the field, and what is wrong with it; None where nothing is.
Problem = tuple[str, str] | None


def judge(target: Target, use: ImageUse, policy: PodPatches) -> Iterator[Violation]:
    """Find what is missing or undone in the final pod."""
    for rule, problem in _problems(target, policy):
        if problem is not None:
            field, message = problem
            yield Violation(
                rule=rule,
                action=Action.DENY,
                message=message,
                field=f"spec.{target.container.path}.{field}",
                use=use,
            )


def _problems(target: Target, policy: PodPatches) -> Iterator[tuple[OtherRule, Problem]]:
    if policy.nb_prefix:
        yield "pod-prefix", pod_prefix.problem(target)
    if policy.run_as_user is not None:
        yield "pod-uid", pod_uid.problem(target, policy.run_as_user)
    if policy.home is not None:
        yield "pod-home", pod_home.problem(target, policy.home)
    if policy.pin_digest:
        yield "pod-digest", pod_digest.problem(target)
