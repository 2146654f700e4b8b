"""Where a command finds scans and policy: the flags, their defaults, and the first look at what they name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.home import home
from webhook.core.decision import Snapshot
from webhook.core.policy import PolicyDocument
from webhook.core.verdict import build_index
from webhook.stores.policyfile import UnreadablePolicy, load_policy
from webhook.stores.scandir import ScanSet, load_scans

F = TypeVar("F", bound=Callable[..., Any])
# What the flags say for custom resources; a folder of this name is written out, as in $PWD/cluster.
CLUSTER = Path("cluster")


def policy_option(command: F) -> F:
    """Add `--policy FILE|cluster`."""
    return click.option(
        "--policy",
        type=click.Path(path_type=Path),
        metavar="FILE|cluster",
        help="The NotebookPolicy; cluster is the one with the name default there, or the embedded default.  "
        "[default: $NBGATE_HOME/policy.yaml, or the embedded default where there is none]",
    )(command)


def scans_option(command: F) -> F:
    """Add `--scans DIR`."""
    return click.option(
        "--scans",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The folder of ImageScan documents.  [default: $NBGATE_HOME/scans]",
    )(command)


def all_scans_option(command: F) -> F:
    """Add `--scans DIR|cluster`."""
    return click.option(
        "--scans",
        type=click.Path(path_type=Path),
        metavar="DIR|cluster",
        help="The folder of ImageScan documents; cluster is all that are custom resources there.  "
        "[default: $NBGATE_HOME/scans]",
    )(command)


def read_policy_file(named: Path | None) -> PolicyDocument:
    """Read the policy that holds: the named one, else the one in $NBGATE_HOME, else the default. Raises BadInput."""
    try:
        return load_policy(named or home().policy, required=named is not None)
    except UnreadablePolicy as error:
        raise BadInput(str(error)) from error


def scan_folder(named: Path | None) -> Path:
    """Find the folder of scans; the default one is made, a named one must be there. Raises BadInput or CouldNot."""
    if named == CLUSTER and not named.is_dir():
        raise BadInput(
            "--scans: this command works on a folder: name one, or see `kubectl get imagescans`"
        )
    if named is not None:
        if not named.is_dir():
            raise BadInput(f"--scans: {named} is no folder: create it, or name another")
        return named
    folder = home().scans
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        cure = "set NBGATE_HOME to a folder that can be written"
        raise CouldNot(f"{folder} cannot be made: {error.strerror}; {cure}") from error
    return folder


def read_policy_of(named: Path | None) -> PolicyDocument:
    """Read the policy that holds, of a file or of the cluster. Raises BadInput or CouldNot."""
    if named != CLUSTER:
        return read_policy_file(named)
    # Here, so that commands without a cluster do not pay for what speaks to one.
    from webhook.cli.clusterstate import cluster, list_policy  # noqa: PLC0415 - see above

    with cluster("--policy cluster") as kube:
        return list_policy(kube)


def read_state(policy: Path | None, scans: Path | None) -> tuple[Snapshot, ScanSet]:
    """Read policy and scans once, for a command that decides; what cannot be read of the scans is in the second.

    Of a cluster the modes of its namespaces are read too.
    """
    held = _read_scans(scans)
    return Snapshot(
        scans=build_index(held.scans),
        policy=read_policy_of(policy),
        modes=_read_modes() if CLUSTER in {policy, scans} else {},
        requests=scans == CLUSTER,
    ), held


def _read_scans(named: Path | None) -> ScanSet:
    if named != CLUSTER:
        return load_scans(scan_folder(named))
    from webhook.cli.clusterstate import cluster, list_scans  # noqa: PLC0415 - as above

    with cluster("--scans cluster") as kube:
        return list_scans(kube)


def _read_modes() -> dict[str, str]:
    from webhook.cli.clusterstate import cluster, list_modes  # noqa: PLC0415 - as above

    with cluster("the modes of namespaces") as kube:
        return list_modes(kube)
