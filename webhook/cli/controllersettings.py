"""What `nbgate controller` was told, once it is checked: the one value that the parts are built from."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from webhook.scanner.sources.registry import RegistryOptions

LEASE = "nbgate-controller"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """The controller's settings; durations are in seconds where they have no type of their own.

    Attributes:
        identity: what people know this replica by: its pod's name.
        namespace: of the Lease and of the certificates.
        at_once: scans at a time.
        claim: how long an image stays a dead replica's.
        longest: how long one image may take.
        registry: what may be asked of registries, and how.
        probes: how images are started; None to leave open what only a start can tell.
        prune_after: without use; None for never.
        certificates: `self` where we look after them.
    """

    host: str
    port: int
    identity: str
    namespace: str
    at_once: int
    claim: float
    longest: float
    platforms: tuple[str, ...]
    registry: RegistryOptions
    probes: "ProbeSettings | None"
    prune_after: float | None
    certificates: Literal["self", "none"]
    leaf_lifetime: timedelta
    ca_lifetime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """How images are started.

    Attributes:
        pull_secrets: names of Secrets in the namespace.
        timeout: seconds to wait for a server, for each start.
    """

    namespace: str
    pull_secrets: tuple[str, ...]
    timeout: float
