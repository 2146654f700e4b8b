"""[allow-origin] The final response carries `Access-Control-Allow-Origin: *`.

Why: Kubeflow's pages come from another origin than the notebook's where its gateway is set up so. Looks at: the final
answer under the prefix, or at / where the image serves there only; redirects carry no such header, not even Jupyter's.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.clues import clues
from webhook.scanner.checks.seen import Seen, found

_CURE = 'send "Access-Control-Allow-Origin: *"'


def check(seen: Seen) -> Check:
    """Decide it; Unknown where the image was not started or gave no page."""
    if seen.observation is None:
        return found(
            "allow-origin", "Unknown", None, f"{seen.unprobed}{clues(seen, 'allow_origin')}"
        )
    run = seen.answered
    pages = (
        [page for page in (run.prefix, run.root) if page is not None and page.good] if run else []
    )
    if not pages:
        return found(
            "allow-origin", "Unknown", "Probe", "it gave no page whose header could be judged"
        )
    page = pages[0]
    if page.allow_origin is not None and page.allow_origin.strip() == "*":
        return found("allow-origin", "Pass", "Probe", "the final answer allows every origin")
    if page.allow_origin is None:
        message = f"the final answer has no Access-Control-Allow-Origin: {_CURE}"
    else:
        message = f"it allows the origin {page.allow_origin or '(empty)'}, not every one: {_CURE}"
    return found("allow-origin", "Fail", "Probe", message)
