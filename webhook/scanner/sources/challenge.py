"""The WWW-Authenticate header -> challenges (RFC 9110, sections 11.3, 11.4 and 11.6.1). Pure.

    header     = challenge { "," challenge }
    challenge  = scheme [ SP { SP } ( token68 / parameter { "," parameter } ) ]
    parameter  = token "=" ( token / quoted-string )

A comma stands between challenges and between parameters alike: what follows one is a parameter of the last scheme if
it has the form of one, else the next scheme. Empty elements are passed over (section 5.6.1.2).

Every repetition is possessive, so no expression tries anything twice, and each word is looked at by at most three of
them: reading is linear in the length, which is bounded before.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# A realm, a service and a scope have some 200 characters together; a registry's list of schemes has two.
LENGTH_LIMIT = 8 * 1024

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"  # noqa: S105  # section 5.6.2, no password
_END = r"[ \t]*+(?=,|\Z)"
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]++|(?=,)|\Z)")
_PARAMETER = re.compile(
    rf'({_TOKEN})[ \t]*+=[ \t]*+(?:({_TOKEN})|"((?:[^"\\]|\\.)*+)"){_END}', re.DOTALL
)
_TOKEN68 = re.compile(rf"[A-Za-z0-9._~+/-]++=*+{_END}")
_BETWEEN = re.compile(r"[ \t,]*+")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


class InvalidChallenge(ValueError):
    """A header is no list of challenges; the message says why, as a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """How a server wants to be shown who asks.

    Attributes:
        scheme: lower-case: `basic`, `bearer`.
        parameters: by lower-case name; the first of equal names holds.
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Sequence[str]) -> tuple[Challenge, ...]:
    """Read all WWW-Authenticate headers of a response, in their order. Raises InvalidChallenge."""
    text = ",".join(headers)
    if len(text) > LENGTH_LIMIT:
        raise InvalidChallenge(f"it has more than {LENGTH_LIMIT} characters")
    found: list[tuple[str, dict[str, str]]] = []
    place = _skip(text, 0)
    while place < len(text):
        place = _skip(text, _take(text, place, found))
    return tuple(Challenge(scheme=scheme, parameters=values) for scheme, values in found)


def _skip(text: str, place: int) -> int:
    between = _BETWEEN.match(text, place)
    return between.end() if between else place


def _take(text: str, place: int, found: list[tuple[str, dict[str, str]]]) -> int:
    """Read one element: a parameter, or a scheme with what stands beside it; give where it ends."""
    parameter = _PARAMETER.match(text, place)
    if parameter:
        return _add(parameter, found)
    scheme = _SCHEME.match(text, place)
    if scheme is None:
        raise InvalidChallenge(f"it cannot be read from character {place + 1} on")
    found.append((scheme[1].lower(), {}))
    place = scheme.end()
    if place == len(text) or text[place] == ",":
        return place
    parameter = _PARAMETER.match(text, place)
    if parameter:
        return _add(parameter, found)
    other = _TOKEN68.match(text, place)
    if other is None:
        raise InvalidChallenge(f"it cannot be read from character {place + 1} on")
    return other.end()


def _add(parameter: re.Match[str], found: list[tuple[str, dict[str, str]]]) -> int:
    if not found:
        raise InvalidChallenge("it begins with a parameter, not with a scheme")
    name, token, quoted = parameter.groups()
    value = token if quoted is None else _ESCAPE.sub(r"\1", quoted)
    found[-1][1].setdefault(name.lower(), value)
    return parameter.end()
