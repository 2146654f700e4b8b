"""One document as a text gives it, before its kind is known: a value, and the flaws that a parser would let pass."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from webhook.core.document import Fault

# What orjson writes back (its documented 254 levels), so that whatever is read can be printed. Real documents have 6.
DEPTH_LIMIT = 254
# Enough to mend a file by; a file of nothing but flaws fills no memory with them.
# Past it the whole document counts as broken, so that nothing unseen is taken for sound.
FLAW_LIMIT = 50

TOO_DEEP = f"nests deeper than {DEPTH_LIMIT} levels; no document of nbgate does"
MORE = "has more flaws than these; mend them first"
NUL = "holds a NUL character; remove it"


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong in a text that a parser would pass over: a key that stands twice, an alias.

    Attributes:
        steps: keys and indexes from the root down; empty where the fault is the whole document's.
        problem: what is wrong, with its line where that is known, and the cure.
    """

    steps: tuple[str | int, ...]
    problem: str

    def fault(self, skip: int = 0) -> Fault:
        """Say it as a fault, with the path below the first `skip` steps."""
        return Fault(path_of(self.steps[skip:]), self.problem)


@dataclass(frozen=True, slots=True)
class Tree:
    """One document of a text.

    Attributes:
        value: dicts, lists, text, numbers, booleans and None; worth nothing where a flaw has no steps.
        line: where it begins, from 1; None where the text is JSON.
        flaws: what is wrong with it.
    """

    value: Any
    line: int | None = None
    flaws: tuple[Flaw, ...] = ()


_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,60}")


def path_of(steps: Sequence[str | int]) -> str:
    """Write steps as a path: `spec.containers[0].image`."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        else:
            name = step if _PLAIN.fullmatch(step) else ascii(step[:60])
            path += f".{name}" if path else name
    return path


def shown(text: str) -> str:
    """Show a word of any origin: one line of ASCII, at most 60 characters of it."""
    return ascii(text[:60])[1:-1]
