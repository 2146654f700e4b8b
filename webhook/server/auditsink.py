"""What every sink of audit records is, and how it fails."""

from typing import Protocol

from webhook.core.audit import Record
from webhook.server.health import Condition


class AuditError(Exception):
    """A record was not written; the message names the place, why, and the cure, on one line."""


class Sink(Protocol):
    """A place that records go to."""

    def append(self, record: Record, *, durable: bool) -> None:
        """Write one record; with `durable`, return only when it outlives a power failure. Raises AuditError."""

    @property
    def condition(self) -> Condition:
        """Tell whether records reach this place, as far as is known, and why not."""
