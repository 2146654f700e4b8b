"""[port-8888] An HTTP server answers on 8888.

Why: Kubeflow sends everything there and knows no other port. Looks at: a probe. Without one only an image that names no
program at all is decided; a port that is only declared (EXPOSE) proves nothing.
"""

from webhook.core.scan import Check
from webhook.scanner.checks.clues import clues
from webhook.scanner.checks.failure import how, last_words
from webhook.scanner.checks.seen import Seen, found


def check(seen: Seen) -> Check:
    """Decide it; Unknown where the image was not started."""
    if not (seen.config.entrypoint or seen.config.command):
        message = "the image names no program to start: add a CMD that serves HTTP on 8888"
        return found("port-8888", "Fail", "Config", message)
    if seen.observation is None:
        return found("port-8888", "Unknown", None, f"{seen.unprobed}{clues(seen, '8888')}")
    run = seen.answered
    if run is None:
        first = seen.observation.runs[0]
        message = "; ".join(filter(None, (how(first), last_words(first))))
        return found("port-8888", "Fail", "Probe", message)
    return found(
        "port-8888", "Pass", "Probe", f"answered on 8888 {run.seconds:.1f} s after its start"
    )
