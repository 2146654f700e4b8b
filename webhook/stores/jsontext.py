"""JSON text -> one Tree: orjson for the values, and for what it lets pass, a proof that the text has none of it.

orjson keeps the last of two equal keys and says nothing. Parsing anew with a hook on every object costs four times as
much, so a text is first shown to need no second look. Its colons are those that follow keys and those inside strings.
Written back, every key and string that was kept has the same ones; a key that was dropped lacks at least its own. So,
unless a colon was written as an escape, equal counts mean that nothing was dropped.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from webhook.stores.tree import FLAW_LIMIT, MORE, NUL, TOO_DEEP, Flaw, Tree

_CURE = "mend it there, or write the file anew"


def read_json(data: bytes) -> Tree:
    """Read UTF-8 JSON text without a byte order mark."""
    try:
        value = orjson.loads(data)
        written = orjson.dumps(value)
    except orjson.JSONDecodeError as error:
        return Tree(None, flaws=(_syntax(error),))
    except orjson.JSONEncodeError:
        return Tree(None, flaws=(Flaw((), TOO_DEEP),))
    # The escapes of a colon, \u003a, and of NUL, \u0000, both hold \u00.
    if b"\\u00" not in data and data.count(b":") == written.count(b":"):
        return Tree(value)
    return Tree(value, flaws=_second_look(data))


def _syntax(error: orjson.JSONDecodeError) -> Flaw:
    if error.msg.startswith("unexpected end"):
        return Flaw((), f"ends in the middle, at line {error.lineno}; write the file anew, whole")
    where = f"line {error.lineno}, column {error.colno}"
    return Flaw((), f"is not JSON at {where}: {error.msg}; {_CURE}")


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written: keys may stand twice."""


def _second_look(data: bytes) -> tuple[Flaw, ...]:
    # Numbers are not looked at here; as text they have no limit of digits.
    parsed = json.loads(data, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    found = tuple(islice(_flaws(parsed, ()), FLAW_LIMIT + 1))
    return found if len(found) <= FLAW_LIMIT else (*found[:FLAW_LIMIT], Flaw((), MORE))


def _flaws(value: object, steps: tuple[str | int, ...]) -> Iterator[Flaw]:
    """Walk a value; its depth is within DEPTH_LIMIT, for orjson has written it."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            below = (*steps, key)
            if key in seen:
                yield Flaw(below, "stands twice; remove one")
            if "\0" in key:
                yield Flaw(below, NUL)
            seen.add(key)
            yield from _flaws(item, below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _flaws(item, (*steps, index))
    elif isinstance(value, str) and "\0" in value:
        yield Flaw(steps, NUL)
