"""How images are started: as `--probe` says, else with podman where that works, else not at all.

A probe is imported when it is chosen: together they are a sixth of what `nbgate scan` imports, and a static scan takes
little longer than that.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal

from webhook.cli.exits import CouldNot
from webhook.cli.saying import say
from webhook.core.words import cut
from webhook.scanner.errors import ScanError
from webhook.scanner.probes.probe import Probe

ProbeName = Literal["podman", "cluster", "none"]
_DEFAULT_PLATFORM = "linux/amd64"
_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeChoice:
    """What was said of starting images.

    Attributes:
        name: None to take podman where it works.
        platforms: those that are judged.
        namespace, context, pull_secrets: for the cluster.
    """

    name: ProbeName | None
    platforms: tuple[str, ...]
    namespace: str
    context: str | None
    pull_secrets: tuple[str, ...]


@contextmanager
def chosen_probe(choice: ProbeChoice) -> Iterator[Probe | None]:
    """Make the probe, and say on standard error which it is where nobody chose. Raises CouldNot."""
    with ExitStack() as stack:
        match choice.name:
            case "none":
                yield None
            case "cluster":
                yield _cluster(choice, stack)
            case "podman":
                yield _podman()
            case _:
                yield _default()


def _default() -> Probe | None:
    from webhook.scanner.probes.podman import PodmanProbe  # noqa: PLC0415 - see above

    if not PodmanProbe().available():
        _say_without("podman is not installed")
        return None
    try:
        probe = _podman()
    except CouldNot as error:
        _say_without(str(error))
        return None
    say(f"images are started with podman, {probe.platform()}; --probe none leaves that out")
    return probe


def _say_without(reason: str) -> None:
    say(f"images are not started, for {reason}; what only a start can tell stays unknown")


def _podman() -> Probe:
    """Make the podman probe, and try podman: else each image would fail for itself."""
    from webhook.scanner.probes.podman import PodmanProbe  # noqa: PLC0415 - see above

    try:
        probe = PodmanProbe()
        probe.platform()
    except ScanError as error:
        raise CouldNot(cut(str(error), _SHOWN)) from error
    return probe


def _cluster(choice: ProbeChoice, stack: ExitStack) -> Probe:
    from webhook.kube import connect  # noqa: PLC0415 - see above
    from webhook.kubeerrors import KubeError  # noqa: PLC0415 - see above
    from webhook.scanner.probes.cluster import ClusterProbe  # noqa: PLC0415 - see above

    try:
        kube = stack.enter_context(connect(context=choice.context))
    except KubeError as error:
        raise CouldNot(str(error)) from error
    return ClusterProbe(
        kube=kube,
        namespace=choice.namespace,
        starts=choice.platforms[0] if choice.platforms else _DEFAULT_PLATFORM,
        pull_secrets=choice.pull_secrets,
    )
