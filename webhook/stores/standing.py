"""How far a snapshot can be relied on, said for people: pure, values in, values out."""

from collections.abc import Sequence
from dataclasses import dataclass

from webhook.stores.problem import Problem

# From here on the age is told: twice what passes between two proofs when all is well.
TOLD_FROM = 60.0


@dataclass(frozen=True, slots=True)
class Standing:
    """One part of a snapshot: whether decisions may rest on it, and what it is or why not, as a clause."""

    name: str
    ok: bool
    message: str


def standing(
    name: str,
    what: str,
    *,
    age: float | None,
    patience: float,
    trouble: str,
    faults: str,
    beside: str = "",
) -> Standing:
    """Judge a part.

    Args:
        name: of the part.
        what: what is held of it, as a clause.
        age: seconds since it was last known to be as its source is; None where it never was.
        patience: the age that it may have.
        trouble: why the source cannot be followed now; empty when all is well.
        faults: what of it cannot be read now, as a clause; empty when all is well.
        beside: what leads up to the faults where what was good before stays.
    """
    why = trouble or faults
    if age is None:
        return Standing(name, False, f"has not been read yet{_because(why)}")
    if age > patience:
        return Standing(name, False, f"not compared with its source for {age:.0f} s{_because(why)}")
    if age > TOLD_FROM:
        what += f", last compared with its source {age:.0f} s ago"
    return Standing(name, True, what + _because(trouble) + (faults and f"; {beside}{faults}"))


def _because(why: str) -> str:
    return f": {why}" if why else ""


def told(problems: Sequence[Problem]) -> str:
    """Tell of problems in a clause, the first in full."""
    if len(problems) < 2:
        return "".join(map(str, problems))
    return f"{len(problems)} problems, the first: {problems[0]}"
