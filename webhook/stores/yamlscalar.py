"""What an unquoted YAML scalar means: the core schema (yaml.org/spec/1.2.2, chapter 10.3.2), as far as JSON goes."""

import math
import re

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")

# Longer ones do not fit 64 bits, or are one of these with zeros in front; JSON's reader makes them floating point too.
_DIGITS = 18


def resolve(text: str) -> Scalar:
    """Give the value of an unquoted scalar.

    Raises:
        ValueError: it is a number that JSON cannot write; the message says so and the cure.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _DIGITS else _finite(text)
    if _FLOAT.fullmatch(text):
        return _finite(text)
    if _NOT_FINITE.fullmatch(text):
        return _finite(text.replace(".", ""))
    return _based(text)


def _based(text: str) -> int | str:
    for form, base in ((_OCTAL, 8), (_HEX, 16)):
        if form.fullmatch(text):
            if len(text) > _DIGITS:
                raise ValueError("is too large a number; write fewer digits, or quote it")
            return int(text, base)
    return text


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(
            f"is {text[:20]}, which is no number that JSON can write; quote it or remove it"
        )
    return value
