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
_CLUSTER = Path("cluster")


def policy_option(command: F) -> F:
    """Add `--policy FILE`."""
    return click.option(
        "--policy",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The NotebookPolicy.  [default: $NBGATE_HOME/policy.yaml, or the embedded default where there is none]",
    )(command)


def scans_option(command: F) -> F:
    """Add `--scans DIR`."""
    return click.option(
        "--scans",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The folder of ImageScan documents.  [default: $NBGATE_HOME/scans]",
    )(command)


def read_policy_of(named: Path | None) -> PolicyDocument:
    """Read the policy that holds: the named one, else the one in $NBGATE_HOME, else the default. Raises BadInput."""
    _refuse_cluster("--policy", named, "a file")
    try:
        return load_policy(named or home().policy, required=named is not None)
    except UnreadablePolicy as error:
        raise BadInput(str(error)) from error


def scan_folder(named: Path | None) -> Path:
    """Find the folder of scans; the default one is made, a named one must be there. Raises BadInput or CouldNot."""
    _refuse_cluster("--scans", named, "a folder")
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


def _refuse_cluster(flag: str, named: Path | None, instead: str) -> None:
    if named == _CLUSTER:
        raise BadInput(f"{flag} cluster: this version has no cluster mode yet; name {instead}")


def read_state(policy: Path | None, scans: Path | None) -> tuple[Snapshot, ScanSet]:
    """Read policy and scans once, for a command that decides; what cannot be read of the scans is in the second."""
    held = load_scans(scan_folder(scans))
    snapshot = Snapshot(scans=build_index(held.scans), policy=read_policy_of(policy))
    return snapshot, held
