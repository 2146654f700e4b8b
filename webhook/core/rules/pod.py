"""The rules about the final pod: is what nbgate patches there? Each holds only when the policy asks for that patch."""

from collections.abc import Iterator

from webhook.core.actions import Action
from webhook.core.policy import PodPatches
from webhook.core.requirements import OtherRule
from webhook.core.rules import pod_digest, pod_home, pod_prefix, pod_uid
from webhook.core.rules.violation import ImageUse, Violation
from webhook.core.target import Target

Problem = tuple[OtherRule, str, str]


def judge(target: Target, use: ImageUse, policy: PodPatches) -> Iterator[Violation]:
    """Find what is missing or undone in the final pod."""
    for rule, field, message in _problems(target, policy):
        yield Violation(
            rule=rule,
            action=Action.DENY,
            message=message,
            field=f"spec.{target.container.path}.{field}",
            use=use,
        )


def _problems(target: Target, policy: PodPatches) -> Iterator[Problem]:
    if policy.nb_prefix:
        yield from (("pod-prefix", *found) for found in pod_prefix.problem(target))
    if policy.run_as_user is not None:
        uid = policy.run_as_user
        yield from (("pod-uid", *found) for found in pod_uid.problem(target, uid))
    if policy.home is not None:
        yield from (("pod-home", *found) for found in pod_home.problem(target, policy.home))
    if policy.pin_digest:
        yield from (("pod-digest", *found) for found in pod_digest.problem(target))
