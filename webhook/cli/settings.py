"""What `nbgate serve` was told, once it is checked: the one value that the parts are built from."""

from dataclasses import dataclass
from pathlib import Path

from webhook.cli.certs import LOCAL_HOSTS
from webhook.core.audit import Level

NO_FILE = "none"
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The server's settings.

    Attributes:
        policy: the policy's file; unless `policy_required`, the embedded default holds while it is not there.
        audit_log: the audit log's file; None for standard output alone.
        grace: seconds to serve on after SIGTERM.
    """

    host: str
    port: int
    certificates: Path
    self_signed: bool
    policy: Path
    policy_required: bool
    scans: Path
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

    def places(self) -> dict[str, str]:
        """Name where the state is."""
        return {
            "tls": str(self.certificates),
            "policy": str(self.policy)
            + ("" if self.policy.exists() else " (not there: the default holds)"),
            "scans": str(self.scans),
            "audit log": str(self.audit_log) if self.audit_log else "standard output",
        }
