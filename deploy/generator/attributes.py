"""The descriptions of a model's fields: the section `Attributes:` of its docstring, which is where people read them."""

import re
from typing import Any

_ATTRIBUTE = re.compile(r"    (\w+(?:, \w+)*): (.*)")


class Undescribed(ValueError):
    """A docstring leaves a field out, or describes one that is not there."""


def described(schema: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return the summary of a model's JSON schema, and its fields' descriptions by their names in documents.

    Raises Undescribed.
    """
    summary, _, section = schema.get("description", "").partition("\n\nAttributes:\n")
    texts = {_key(name): text for name, text in _entries(section)}
    fields = {_key(name): name for name in schema["properties"]}
    if texts.keys() != fields.keys():
        wrong = sorted(texts.keys() ^ fields.keys())
        raise Undescribed(f"{schema['title']}: the docstring and the fields differ in {wrong}")
    return _sentence(summary), {name: _sentence(texts[key]) for key, name in fields.items()}


def _entries(section: str) -> list[tuple[str, str]]:
    """Read the lines `name: text`, each with the deeper lines that continue it."""
    entries: list[tuple[str, str]] = []
    for line in section.splitlines():
        found = _ATTRIBUTE.fullmatch(line)
        if found:
            entries += [(name, found[2]) for name in found[1].split(", ")]
        elif entries:
            entries[-1] = (entries[-1][0], f"{entries[-1][1]} {line.strip()}")
    return entries


def _key(name: str) -> str:
    # help_url in the code is helpURL in documents
    return name.replace("_", "").lower()


def _sentence(text: str) -> str:
    """Write as `kubectl explain` shows it: a sentence, without the code's own quotes."""
    text = " ".join(text.split()).replace("`", "")
    return f"{text[:1].upper()}{text[1:]}".rstrip(".") + "."
