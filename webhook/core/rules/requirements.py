"""[port-8888] … [empty-home] The notebook's image meets Kubeflow's seven requirements, as its scan found.

Why: each is one way in which a notebook ends as a spinner that never stops (docs/requirements.md has them one by one).
Looks at: the checks of the scan of the notebook's image. Actions: `requirements`, `unknown` for a check that could not
be decided, but never more than the requirement's own.
An image that serves at / only works behind Istio's rewrite: `acceptRewrite` waives nb-prefix and allow-origin for it,
unless its scan saw that it breaks there, as Jupyter does, whose redirects leave the prefix (kubeflow#7291).
On a Notebook, Kubeflow asks Istio for that rewrite only by the annotation `notebooks.kubeflow.org/http-rewrite-uri`.
"""

from collections.abc import Iterator

from webhook.core.policy import PolicySpec
from webhook.core.requirements import REQUIREMENTS, Requirement
from webhook.core.rules.violation import ImageUse, Violation
from webhook.core.scan import REWRITABLE, Outcome, Scan

REWRITE_ANNOTATION = "notebooks.kubeflow.org/http-rewrite-uri"


def judge(
    use: ImageUse, policy: PolicySpec, spec_path: str, *, rewritten: bool
) -> Iterator[Violation]:
    """Find the requirements that the image's scan does not show to hold.

    `rewritten` says whether the path is rewritten for an image that serves at / only; on a pod nobody can know, and it
    counts as so.
    """
    scan = use.finding.scan if use.finding else None
    if scan is None or _all_pass(scan):
        return
    field = f"{spec_path}{use.container.image_path}"
    at_root = scan.serving == "Root" and scan.rewritable and policy.accept_rewrite
    for requirement in REQUIREMENTS:
        outcome = _outcome(scan, requirement, at_root=at_root, rewritten=rewritten)
        if outcome.result == "Pass":
            continue
        action = policy.action_for(requirement)
        if outcome.result == "Unknown":
            action = min(action, policy.unknown)
        yield Violation(
            rule=requirement,
            action=action,
            message=outcome.message or _DEFAULTS[outcome.result],
            field=field,
            use=use,
            known=outcome.result == "Fail",
        )


_DEFAULTS = {"Fail": "its scan found that this does not hold", "Unknown": "could not be decided"}
_PASS = Outcome("Pass")
_NOT_REWRITTEN = Outcome(
    "Fail",
    f"it answers at / only: add the annotation {REWRITE_ANNOTATION}: / to the Notebook",
)
_AT_ROOT = Outcome("Fail", "it answers at / only, not under NB_PREFIX")


def _all_pass(scan: Scan) -> bool:
    """Tell of most images at once, without a look at each requirement, that every check of theirs passed."""
    if scan.serving == "Root":
        return False
    return not [c for c in scan.outcomes if c is None or c.result != "Pass"]


def _outcome(scan: Scan, requirement: Requirement, *, at_root: bool, rewritten: bool) -> Outcome:
    if at_root and requirement in REWRITABLE:
        missing = requirement == "nb-prefix" and not rewritten
        return _NOT_REWRITTEN if missing else _PASS
    outcome = scan.outcome(requirement)
    if scan.serving == "Root" and requirement == "nb-prefix" and outcome.result != "Fail":
        return _AT_ROOT
    return outcome
