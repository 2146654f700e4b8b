"""What a person should know of a scan besides its checks."""

from collections.abc import Iterator, Mapping

from webhook.core.scan import ScanStatus
from webhook.scanner.checks.seen import Seen


def notes_of(status: ScanStatus, seen: Mapping[str, Seen]) -> tuple[str, ...]:
    """Gather the advice, one line each; none of it changes the verdict."""
    return (*_serving(status), *(note for one in seen.values() for note in _of_run(one)))


def _serving(status: ScanStatus) -> Iterator[str]:
    if status.serving == "Root" and status.facts.rewritable:
        yield (
            "it answers at / only: a policy with acceptRewrite, which is the default, accepts it for notebooks with "
            'the annotation notebooks.kubeflow.org/http-rewrite-uri: "/"'
        )
    if status.facts.frame_guard is not None:
        yield f"{status.facts.frame_guard} may keep Kubeflow's page from showing it in a frame"


def _of_run(seen: Seen) -> Iterator[str]:
    run = seen.answered
    if run is not None and run.home and not run.confined:
        yield (
            "it does not start without privilege escalation and capabilities: Kubeflow allows them, "
            "a namespace with restricted pod security does not"
        )
