"""Which images a scan is asked for: those of notebooks that nothing is known of, from where the policy allows.

An image from a registry that is not allowed is never asked for: whoever may create a notebook would choose what we
fetch. Where an exemption waives the registry's rule, the platform team has allowed it.
"""

from collections.abc import Iterable, Iterator

from webhook.core.actions import Action
from webhook.core.policy import PolicySpec
from webhook.core.rules import registry
from webhook.core.rules.violation import ImageUse


def asks(use: ImageUse, policy: PolicySpec, namespace: str, now: float) -> bool:
    """Tell whether a scan of this image is to be asked for, where somebody does."""
    if not use.serves or not use.unknown or not policy.request_scans:
        return False
    foreign = (v for v in registry.judge(use, policy, "") if v.action is not Action.OFF)
    return all(v.waived_by(policy.exemptions, namespace, now) for v in foreign)


def wanted(
    uses: Iterable[ImageUse], policy: PolicySpec, namespace: str, now: float
) -> Iterator[str]:
    """Give the canonical references that scans are to be asked for."""
    for use in uses:
        if use.reference is not None and asks(use, policy, namespace, now):
            yield use.reference.canonical
