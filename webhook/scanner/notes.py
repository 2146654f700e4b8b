"""What a person should know of a scan besides its checks."""

from collections.abc import Iterator, Mapping, Sequence

from webhook.core.scan import ScanStatus
from webhook.scanner.checks.seen import Seen

_SHOWN = 5  # platforms


def notes_of(
    status: ScanStatus, seen: Mapping[str, Seen], platforms: Sequence[str]
) -> tuple[str, ...]:
    """Gather the advice, one line each; none of it changes the verdict. `platforms` are all of the image's."""
    unjudged = [platform for platform in platforms if platform not in seen]
    runs = (note for one in seen.values() for note in _of_run(one))
    return (*_serving(status), *runs, *_of_others(unjudged))


def _of_others(platforms: Sequence[str]) -> Iterator[str]:
    if platforms:
        more = " and others" if len(platforms) > _SHOWN else ""
        yield (
            f"it is also there for {', '.join(platforms[:_SHOWN])}{more}, which was not judged: "
            "scan it with --platform where nodes run that"
        )


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
            "it answered only where privilege escalation and capabilities were allowed: Kubeflow allows them, "
            "a namespace with restricted pod security does not"
        )
