"""Something that is not as it should be in an installation, and what doctor says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.doctor.changes import Change
from webhook.doctor.finding import Result

INSTALL = "kubectl apply -k"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        check, result: the check that tells of it, and its result.
        says, cure: pieces of the finding and of what is to be typed.
        also: the results of other checks that cannot be well either.
    """

    name: str
    check: str
    result: Result
    says: str
    cure: str
    change: Change
    also: Mapping[str, Result] = field(default_factory=dict)
