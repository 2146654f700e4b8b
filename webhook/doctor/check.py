"""What a check is; each has a file of its own, which ends with its CHECK."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from webhook.doctor.finding import Finding
from webhook.doctor.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question about an installation.

    Attributes:
        id: stable; names it in results.
        why: one sentence: what goes wrong where it is not as it should be.
        look: fetches, and judges what it fetched. Raises KubeError where it cannot fetch.
    """

    id: str
    why: str
    look: Callable[[Site], Iterable[Finding]]
