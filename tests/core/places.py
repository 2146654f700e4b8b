"""Places in a JSON document: to list them, and to put another value there."""

from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


def replaced(document: Any, path: Path, value: object) -> Any:
    """Give a copy of the document with one value replaced or added; an empty path replaces all of it."""
    if not path:
        return value
    step, *rest = path
    if isinstance(document, dict):
        return {**document, step: replaced(document.get(step), tuple(rest), value)}
    return [
        replaced(item, tuple(rest), value) if i == step else item for i, item in enumerate(document)
    ]


def paths(document: object, here: Path = ()) -> Iterator[Path]:
    """List the paths of every value in a document, its own, which is empty, first."""
    yield here
    if isinstance(document, dict):
        for key, value in document.items():
            yield from paths(value, (*here, key))
    if isinstance(document, list):
        for index, value in enumerate(document):
            yield from paths(value, (*here, index))
