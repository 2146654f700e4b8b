"""[nb-prefix] It answers under the path in NB_PREFIX.

Why: all notebooks share one address, and the path tells them apart. Looks at: the final answer under a random prefix.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.clues import clues
from webhook.scanner.checks.seen import Seen, found
from webhook.scanner.probes.observation import Run

_CURE = "set its base URL to NB_PREFIX"


def check(seen: Seen) -> Check:
    """Decide it; Unknown where the image was not started or nothing answered at all."""
    if seen.observation is None:
        return found("nb-prefix", "Unknown", None, f"{seen.unprobed}{clues(seen, 'NB_PREFIX')}")
    run = seen.answered
    if run is None or run.prefix is None:
        return found(
            "nb-prefix", "Unknown", "Probe", "nothing answered on 8888 that could be asked"
        )
    page = run.prefix
    if page.good:
        return found("nb-prefix", "Pass", "Probe", f"{page.status} under NB_PREFIX")
    if page.left is not None:
        message = f"under NB_PREFIX it redirects out of it, to {page.left}: {_CURE}"
    else:
        message = f"{page.status} under NB_PREFIX{_at_root(run)}: {_CURE}"
    return found("nb-prefix", "Fail", "Probe", message)


def _at_root(run: Run) -> str:
    if run.root is None or not run.root.good:
        return ""
    if run.rewritten is not None and not run.rewritten.good:
        where = f", for it redirects to {run.rewritten.left}" if run.rewritten.left else ""
        return f"; it answers at /, but not behind a rewrite to / either{where}"
    return "; it answers at / only"
