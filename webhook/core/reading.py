"""Typed readers of untrusted mappings, used once at the edge of the core.

A reader that meets a wrong type raises `Malformed`; every caller that stands inside a list or a mapping adds its own
step while the exception passes, so that the path costs nothing when all is well.
`null` reads as absent, as it does in Go's decoder.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


class Malformed(ValueError):
    """A field has a type or value that it cannot have.

    Attributes:
        path: the field from the outermost object down, as `spec.containers[0].image`.
        problem: what is wrong with it, as a clause: "must be text, not a number".
    """

    def __init__(self, step: str, problem: str) -> None:
        super().__init__(step, problem)
        self.path = step
        self.problem = problem

    def under(self, step: str) -> "Malformed":
        """Put `step` in front of the path."""
        joint = "" if self.path.startswith("[") or not self.path else "."
        self.path = f"{step}{joint}{self.path}"
        return self

    def __str__(self) -> str:
        return f"{self.path} {self.problem}" if self.path else self.problem


_NAMES = {
    dict: "an object",
    list: "a list",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def kind_of(value: object) -> str:
    """Name the JSON type of `value` for an error message."""
    return _NAMES.get(type(value), "null" if value is None else type(value).__name__)


def _wrong(key: str, expected: str, value: object) -> Malformed:
    return Malformed(key, f"must be {expected}, not {kind_of(value)}")


def mapping(source: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """Read an object, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None or isinstance(value, dict):
        return value
    raise _wrong(key, "an object", value)


def text(source: Mapping[str, Any], key: str) -> str | None:
    """Read a string, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None or isinstance(value, str):
        return value
    raise _wrong(key, "text", value)


def integer(source: Mapping[str, Any], key: str) -> int | None:
    """Read a whole number, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise _wrong(key, "a whole number", value)


def boolean(source: Mapping[str, Any], key: str) -> bool | None:
    """Read true or false, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(key, "true or false", value)


def objects(source: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]] | None:
    """Read a list of objects, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None:
        return None
    if not isinstance(value, list):
        raise _wrong(key, "a list", value)
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise _wrong(f"{key}[{index}]", "an object", item)
    return value


def texts(source: Mapping[str, Any], key: str) -> Mapping[str, str]:
    """Read an object whose values are all strings; absent reads as empty. Raises Malformed."""
    value = mapping(source, key)
    if not value:
        return {}
    for name, item in value.items():
        if not isinstance(item, str):
            raise _wrong(f"{key}[{name!r:.80}]", "text", item)
    return value


def inside(source: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    """Read an object with `read`, or None where it is absent. Raises Malformed."""
    value = source.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _wrong(key, "an object", value)
    try:
        return read(value)
    except Malformed as error:
        raise error.under(key) from None


def each(
    source: Mapping[str, Any], key: str, read: Callable[[int, Mapping[str, Any]], T]
) -> tuple[T, ...] | None:
    """Read every object of a list with `read(index, object)`, or None where the list is absent. Raises Malformed."""
    if source.get(key) is None:
        return None
    items = objects(source, key) or ()
    found: list[T] = []
    try:
        for index, item in enumerate(items):
            found.append(read(index, item))
    except Malformed as error:
        raise error.under(f"{key}[{len(found)}]") from None
    return tuple(found)
