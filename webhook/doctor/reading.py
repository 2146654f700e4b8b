"""Fields of objects that an API server sent: missing ones, and those of another type, read as empty."""

from collections.abc import Mapping, Sequence
from typing import Any

from webhook.core.document import parse_time


def mapping(source: object, *path: str) -> Mapping[str, Any]:
    """Give the object at a path."""
    found = _at(source, path)
    return found if isinstance(found, dict) else {}


def sequence(source: object, *path: str) -> Sequence[Any]:
    """Give the list at a path."""
    found = _at(source, path)
    return found if isinstance(found, list) else []


def objects(source: object, *path: str) -> Sequence[Mapping[str, Any]]:
    """Give the objects in the list at a path."""
    return [item for item in sequence(source, *path) if isinstance(item, dict)]


def text(source: object, *path: str) -> str:
    """Give the text at a path."""
    found = _at(source, path)
    return found if isinstance(found, str) else ""


def number(source: object, *path: str) -> int:
    """Give the whole number at a path, 0 where there is none."""
    found = _at(source, path)
    return found if isinstance(found, int) else 0


def time(source: object, *path: str) -> float:
    """Give the time at a path in seconds since the epoch, 0 where there is none."""
    try:
        return parse_time(text(source, *path))
    except ValueError:
        return 0.0


def name_of(document: object) -> str:
    """Give an object's name."""
    return text(document, "metadata", "name")


def _at(source: object, path: Sequence[str]) -> object:
    for step in path:
        if not isinstance(source, dict):
            return None
        source = source.get(step)
    return source
