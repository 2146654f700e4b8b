"""[unscanned] The notebook's image has a scan result. [stale] It is fresh enough.

Why: a refusal or an admission without knowledge is a guess; a tag may have moved since it was resolved.
Looks at: the notebook's image. Actions: `unscanned`, and `stale.action` after `stale.after`.
The message never says how old, nor how far a scan is: it must be the same at every retry, else Kubernetes cannot
aggregate its events. It speaks of a scan only where there is one, or where one is really asked for.
"""

from collections.abc import Iterator

from webhook.core.policy import PolicySpec
from webhook.core.rules.violation import ImageUse, Violation
from webhook.core.scan import Scan


def judge(
    use: ImageUse, policy: PolicySpec, now: float, spec_path: str, *, asked: bool
) -> Iterator[Violation]:
    """Find an image without a result, or with one that is too old.

    `asked` says that a scan of an image that nothing is known of is asked for.
    """
    finding = use.finding
    if finding is None:
        return
    if finding.scan is None:
        yield Violation(
            rule="unscanned",
            action=policy.unscanned,
            message=_waiting(finding.pending, asked=asked),
            field=f"{spec_path}{use.container.image_path}",
            use=use,
            known=False,
        )
    elif finding.stale(now, policy.stale.seconds):
        yield Violation(
            rule="stale",
            action=policy.stale.action,
            message=f"its scan is older than {policy.stale.after}: it must be scanned again",
            field=f"{spec_path}{use.container.image_path}",
            use=use,
            known=False,
        )


def _waiting(pending: Scan | None, *, asked: bool) -> str:
    if pending is None and asked:
        return "its scan is asked for: the notebook starts when the scan is done"
    if pending is None:
        return "it has no scan result: ask your platform team to scan it"
    if pending.phase == "Failed":
        return f"its last scan failed{f': {pending.note}' if pending.note else ''}"
    return "its scan is under way: the notebook starts when the scan is done"
