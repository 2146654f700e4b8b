"""What a check finds: a result, what it is about, and what to type."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

# `unknown` is what could not be looked at: no proof of anything.
Result = Literal["ok", "warning", "unknown", "wrong"]
# From what counts least to what counts most.
RESULTS: tuple[Result, ...] = get_args(Result)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was seen.

    Attributes:
        what: one line for people, such as "the webhook pods.nbgate.dev has failurePolicy Ignore".
        where: the object, as kubectl names it; empty where it is about no object.
        cure: a command that works when it is pasted; what needs more than a command stands behind `# `. Empty where
            nothing is to be done.
    """

    result: Result
    what: str
    where: str = ""
    cure: str = ""


def ok(what: str, where: str = "") -> Finding:
    """Say that something is as it should be."""
    return Finding(result="ok", what=what, where=where)


def warning(what: str, where: str = "", cure: str = "") -> Finding:
    """Say that something works, and may not be what people want."""
    return Finding(result="warning", what=what, where=where, cure=cure)


def wrong(what: str, where: str = "", cure: str = "") -> Finding:
    """Say that something does not work, or does not guard."""
    return Finding(result="wrong", what=what, where=where, cure=cure)


def unknown(what: str, where: str = "", cure: str = "") -> Finding:
    """Say that something could not be looked at."""
    return Finding(result="unknown", what=what, where=where, cure=cure)


def worst(results: Iterable[Result]) -> Result:
    """Give the one that counts; of none, `ok`."""
    return max(results, key=RESULTS.index, default="ok")
