"""Why a try failed, and how long to wait before the next: pure.

    the image cannot be had, or is broken    lasting       5 min, doubling to 6 h: somebody must change something
    no answer, a line that broke             temporary     1 min, doubling to 1 h
    the registry asks for patience           temporary     the same, and as long as it asks for, at most 6 h
    the probe could not be run               temporary     30 s, doubling to 15 min: the cluster's trouble, no image's

The first three are by image; `registries` says how long a whole registry is left alone.
"""

from dataclasses import dataclass

from webhook.controller.schedule import spread
from webhook.core.words import cut
from webhook.scanner.errors import (
    BadContent,
    NotFound,
    ProbeError,
    RateLimited,
    Refused,
    ScanError,
    SourceError,
    Unauthorized,
    Unreachable,
)

LONGEST_PATIENCE = 6 * 3600.0  # seconds that a registry may ask for: its word is a stranger's
_MESSAGE_LIMIT = 500  # characters: a sentence with an address in it
# What a program may rest on; the most special class first.
_REASONS: tuple[tuple[type[ScanError], str], ...] = (
    (RateLimited, "RateLimited"),
    (Unreachable, "Unreachable"),
    (NotFound, "NotFound"),
    (Unauthorized, "Unauthorized"),
    (Refused, "Refused"),
    (BadContent, "BadContent"),
    (ProbeError, "ProbeFailed"),
    (SourceError, "Unavailable"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """A first pause, doubled by each further failure up to the longest; in seconds."""

    first: float
    longest: float

    def pause(self, attempts: int) -> float:
        """Give the pause after so many failures in a row, of which there is at least one."""
        doublings = min(attempts - 1, 40)  # past every longest, and no number overflows
        return float(min(self.first * 2**doublings, self.longest))


_LASTING = Backoff(first=300, longest=6 * 3600)
_TEMPORARY = Backoff(first=60, longest=3600)
_PROBE = Backoff(first=30, longest=900)
_SPREAD = 0.1  # of a pause, by name, so that what failed together is not tried together


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a try failed.

    Attributes:
        reason: one word in CamelCase, of a fixed set.
        message: what is wrong and the cure, in one line.
        backoff: of the image.
        asked_for: seconds of patience that its registry asks for.
        silent: the registry did not answer, or asks for patience; no image of it is worth a try now.
    """

    reason: str
    message: str
    backoff: Backoff
    asked_for: float = 0.0
    silent: bool = False

    def pause(self, name: str, attempts: int) -> float:
        """Give the seconds until the next try of the image, whose tries have failed so often in a row."""
        pause = max(self.backoff.pause(attempts), self.asked_for)
        return pause * (1 + _SPREAD * spread(name))


def fault_of(error: Exception) -> Fault:
    """Make a fault of what a try raised; what is no ScanError is a fault of ours, and of this image alone."""
    if not isinstance(error, ScanError):
        told = f"internal error, please report it: {type(error).__name__}: {error}"
        return Fault(reason="InternalError", message=cut(told, _MESSAGE_LIMIT), backoff=_LASTING)
    asked_for = error.retry_after if isinstance(error, RateLimited) else None
    return Fault(
        reason=next((name for kind, name in _REASONS if isinstance(error, kind)), "ScanFailed"),
        message=cut(str(error), _MESSAGE_LIMIT),
        backoff=_backoff(error),
        asked_for=min(max(asked_for or 0.0, 0.0), LONGEST_PATIENCE),
        silent=isinstance(error, Unreachable),
    )


def _backoff(error: ScanError) -> Backoff:
    if isinstance(error, ProbeError):
        return _PROBE
    return _TEMPORARY if error.temporary else _LASTING
