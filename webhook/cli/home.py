"""Where state lives without a cluster: `$NBGATE_HOME`, by default ~/.local/share/nbgate."""

import os
from dataclasses import dataclass
from pathlib import Path

from webhook.cli.exits import BadInput


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of all state, and the places in it."""

    root: Path

    @property
    def policy(self) -> Path:
        """The policy; the embedded default holds while it is not there."""
        return self.root / "policy.yaml"

    @property
    def scans(self) -> Path:
        """The folder of ImageScan documents."""
        return self.root / "scans"

    @property
    def layers(self) -> Path:
        """The cache of what scans read of layers; may be removed at any time."""
        return self.root / "cache" / "layers"

    @property
    def certs(self) -> Path:
        """The folder of the webhook's own certificates."""
        return self.root / "certs"

    @property
    def snapshot(self) -> Path:
        """The folder of what was last known of the cluster; may be removed at any time."""
        return self.root / "snapshot"

    @property
    def audit_log(self) -> Path:
        """The audit log."""
        return self.root / "audit.jsonl"


def home() -> Home:
    """Find the folder: NBGATE_HOME, else ~/.local/share/nbgate."""
    named = os.environ.get("NBGATE_HOME") or "~/.local/share/nbgate"
    try:
        return Home(Path(named).expanduser().absolute())
    except RuntimeError as error:
        cure = "set NBGATE_HOME to a folder"
        raise BadInput(f"the home folder of {named} cannot be found: {cure}") from error
