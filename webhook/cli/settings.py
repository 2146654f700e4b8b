"""What `nbgate serve` was told, once it is checked: the one value that the parts are built from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from webhook.cli.certs import LOCAL_HOSTS
from webhook.core.audit import Level
from webhook.stores.secretmirror import SECRET

NO_FILE = "none"
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The server's settings.

    Attributes:
        tls: who issues the certificate: we ourselves, whoever fills the folder, or whoever fills the Secret.
        certificates: the folder that is served from, whoever fills it.
        namespace: where the Secret is.
        policy: the policy's file, None for the cluster's; unless `policy_required`, the embedded default holds while
            the file is not there.
        scans: the folder of scans, None for the cluster's.
        kept: where the last snapshot of the cluster is kept.
        audit_log: the audit log's file; None for standard output alone.
        grace: seconds to serve on after SIGTERM.
    """

    host: str
    port: int
    tls: Literal["self", "folder", "cluster"]
    certificates: Path
    namespace: str
    policy: Path | None
    policy_required: bool
    scans: Path | None
    kept: Path
    audit_log: Path | None
    audit_level: Level
    workers: int
    threads: int
    grace: int

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names that a certificate of our own is for."""
        own = () if self.host in _EVERYWHERE else (self.host,)
        return tuple(dict.fromkeys((*LOCAL_HOSTS, *own)))

    @property
    def speaks_to_cluster(self) -> bool:
        """Whether there is a cluster at all."""
        return self.tls == "cluster" or self.follows_cluster

    @property
    def follows_cluster(self) -> bool:
        """Whether policy or scans are the cluster's; the modes of its namespaces are then followed too."""
        return self.policy is None or self.scans is None

    @property
    def asks_for_scans(self) -> bool:
        """Whether there is somebody to ask for a scan: the controller of the cluster that the scans come from."""
        return self.scans is None

    def places(self) -> dict[str, str]:
        """Name where the state is."""
        return {
            "tls": f"Secret {SECRET} in namespace {self.namespace}"
            if self.tls == "cluster"
            else str(self.certificates),
            "policy": _CLUSTER if self.policy is None else _named(self.policy),
            "scans": _CLUSTER if self.scans is None else str(self.scans),
            "audit log": str(self.audit_log) if self.audit_log else "standard output",
        }


_CLUSTER = "the cluster"


def _named(policy: Path) -> str:
    return str(policy) + ("" if policy.exists() else " (not there: the default holds)")
