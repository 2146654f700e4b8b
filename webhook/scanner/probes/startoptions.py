"""How Kubeflow starts a notebook, as options of `podman run`.

Of the Pod (notebook-controller, and the kubelet with containerd): user 1000 without runAsGroup, so with the primary
group of the image's passwd; fsGroup 100 as a further group, and as the group of the volume; NB_PREFIX and nothing else;
working folder /home/jovyan; no entry added to the image's passwd. Its address is there before it starts, and its name
resolves to it.
"""

from dataclasses import dataclass
from pathlib import Path

from webhook.scanner.probes.claim import LABEL
from webhook.scanner.probes.network import Network

HOME = "/home/jovyan"
_HOSTNAME = "nbgate-probe-0"

_PROCESSES = "1024"
_CPUS = "2"  # as the cluster's probe has it
# A flood of output is no more than this on disk; the last lines are all that is wanted of it.
_LOG_SIZE = "1mb"

_ALWAYS = (
    "--detach",
    "--pull=never",
    "--user=1000",
    "--group-add=100",
    "--passwd=false",
    f"--hostname={_HOSTNAME}",
    f"--pids-limit={_PROCESSES}",
    "--log-driver=k8s-file",
    f"--log-opt=max-size={_LOG_SIZE}",
    # What podman does for people and Kubernetes does not do.
    "--http-proxy=false",
    "--systemd=false",
    "--sdnotify=ignore",
    "--no-healthcheck",
)
_CONFINED = ("--cap-drop=ALL", "--security-opt=no-new-privileges")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far strangers' code may go.

    Attributes:
        memory: bytes, with no swap beside them.
        cpus: whether its CPUs are bounded, to two.
        seconds: its life, even where we and our warden are gone: podman's monitor ends it.
    """

    memory: int
    cpus: bool
    seconds: int


def start_options(
    name: str, claim: Path, network: Network, prefix: str, bounds: Bounds, *, confined: bool
) -> list[str]:
    """Give the options for a container of that name, of the probe with that folder."""
    return [
        *_ALWAYS,
        *(_CONFINED if confined else ()),
        f"--name={name}",
        f"--label={LABEL}={claim}",
        f"--env=NB_PREFIX={prefix}",
        f"--network={network.option}",
        f"--add-host={_HOSTNAME}:{network.address}",
        f"--memory={bounds.memory}",
        f"--memory-swap={bounds.memory}",
        f"--timeout={bounds.seconds}",
        *([f"--cpus={_CPUS}"] if bounds.cpus else []),
    ]


def volume_options(volume: Path) -> list[str]:
    """Give the options that mount an empty volume; Z: where SELinux is, the container may use it, and only that."""
    return [f"--volume={volume}:{HOME}:Z"]


def workdir_options() -> list[str]:
    """Give the options for the folder to start in."""
    return [f"--workdir={HOME}"]
