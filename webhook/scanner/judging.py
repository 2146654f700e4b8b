"""What the checks of one image say together: the worst over its platforms."""

from collections.abc import Mapping, Sequence

from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import Check, Result, Serving, Verdict
from webhook.scanner.checks import (
    allow_origin,
    empty_home,
    home_jovyan,
    nb_prefix,
    port_8888,
    uid_1000,
    user_jovyan,
)
from webhook.scanner.checks.seen import Decide, Seen, found

CHECKS: tuple[Decide, ...] = (
    port_8888.check,
    nb_prefix.check,
    allow_origin.check,
    user_jovyan.check,
    uid_1000.check,
    home_jovyan.check,
    empty_home.check,
)

_WORST: tuple[Result, ...] = ("Fail", "Unknown", "Pass")
_WORST_SERVING: tuple[Serving, ...] = ("None", "Root", "Prefix")


def judge(seen: Mapping[str, Seen]) -> tuple[Check, ...]:
    """Decide the seven requirements of an image from what was seen of each platform, by its name."""
    checks = {platform: [decide(one) for decide in CHECKS] for platform, one in seen.items()}
    return tuple(
        _worst({platform: of[number] for platform, of in checks.items()})
        for number in range(len(REQUIREMENTS))
    )


def _worst(checks: Mapping[str, Check]) -> Check:
    results = {check.result for check in checks.values()}
    worst = next(result for result in _WORST if result in results)
    platform, check = next((p, c) for p, c in checks.items() if c.result == worst)
    if len(results) == 1:
        return check
    return found(check.requirement, check.result, check.evidence, f"{platform}: {check.message}")


def verdict_of(checks: Sequence[Check]) -> Verdict:
    """Sum the checks up; a requirement that fails is never outweighed by one that is not known."""
    results = {check.result for check in checks}
    if "Fail" in results:
        return "Violates"
    return "Unknown" if "Unknown" in results else "Conforms"


def serving_of(seen: Sequence[Seen]) -> Serving:
    """Tell where the image answers, by the platforms that were started; Unknown where none was."""
    served = {_serving(one) for one in seen if one.observation is not None}
    return next((serving for serving in _WORST_SERVING if serving in served), "Unknown")


def _serving(seen: Seen) -> Serving:
    run = seen.answered
    if run is None:
        return "None"
    if run.prefix is not None and run.prefix.good:
        return "Prefix"
    at_root = any(page is not None and page.good for page in (run.root, run.rewritten))
    return "Root" if at_root else "None"
