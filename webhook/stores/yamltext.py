"""YAML text -> Trees, one for each document that holds anything.

Only what JSON can say is read, by YAML 1.2's core schema (yaml.org/spec/1.2.2, chapter 10.3): a bare Off, No or On is
text, a bare day too. Refused, each with its line: aliases and anchors (a few lines of them unfold to gigabytes), tags,
merge keys and directives, keys that stand twice or are no text, and numbers that JSON has no way to write.

The values are built from libyaml's events, one by one and without recursion: its own composer would unfold aliases,
keep the last of equal keys and follow any depth.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import yaml

from webhook.stores.tree import DEPTH_LIMIT, FLAW_LIMIT, MORE, NUL, TOO_DEEP, Flaw, Tree, shown
from webhook.stores.yamlscalar import Scalar, resolve

# CSafeLoader is there where PyYAML was built with libyaml; without it the same events come some ten times slower.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# "---" at the start of a line begins a document wherever it stands (chapter 9.1.2), so a text is cut there before it is
# parsed: what is wrong with one document then ends at the next.
_BEGIN = re.compile(r"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
# Blank lines and comments, each line matched in one way only: with \s* there would be 2**n ways for n blank lines.
_DIRECTIVE = re.compile(r"(?:[^\S\n]*(?:#.*)?\n)*+%")

_CURE = "mend it there, or write the file anew"


def read_yaml(text: str) -> Iterator[Tree]:
    """Read the documents of a text without NUL characters; empty ones are passed over."""
    cuts = [0, *(found.start() for found in _BEGIN.finditer(text)), len(text)]
    line = 0
    for start, end in pairwise(cuts):
        chunk = text[start:end]
        yield from _read_chunk(chunk, line)
        line += chunk.count("\n")


def _read_chunk(chunk: str, line: int) -> Iterator[Tree]:
    if _DIRECTIVE.match(chunk):
        problem = f"begins with a directive at line {line + 1}; remove the lines that start with %"
        yield Tree(None, line + 1, (Flaw((), problem),))
        return
    builder = _Builder(line)
    try:
        for event in yaml.parse(chunk, Loader=_LOADER):
            tree = builder.take(event)
            if tree is not None:
                yield tree
    except _Stop as stop:
        yield builder.tree(Flaw((), stop.problem))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = f" at line {line + mark.line + 1}, column {mark.column + 1}" if mark else ""
        yield builder.tree(Flaw((), f"is not YAML{at}: {error.problem}; {_CURE}"))
    except yaml.reader.ReaderError as error:
        before = chunk.encode()[: error.position].count(b"\n")
        at = f"line {line + before + 1}"
        yield builder.tree(Flaw((), f"is not YAML at {at}: {error.reason}; {_CURE}"))


class _Stop(Exception):
    """The rest of the document cannot be made sense of."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


@dataclass(slots=True)
class _Open:
    """A mapping or a list that is being filled.

    Attributes:
        key: of a mapping, the key whose value comes next; None where the next is a key.
        lines: of a mapping, where each key stands.
    """

    value: dict[str, Any] | list[Any]
    key: str | None = None
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def awaits_key(self) -> bool:
        return self.key is None and isinstance(self.value, dict)

    @property
    def step(self) -> str | int | None:
        return len(self.value) if isinstance(self.value, list) else self.key


class _Builder:
    """Builds values from events; a flaw that leaves the rest readable is noted, another raises _Stop."""

    def __init__(self, offset: int) -> None:
        self._offset = offset
        self._begin = offset + 1
        self._open: list[_Open] = []
        self._root: Any = None
        self._flaws: list[Flaw] = []

    def tree(self, *more: Flaw) -> Tree:
        """Give what has been read as one document."""
        return Tree(self._root, self._begin, (*self._flaws, *more))

    def take(self, event: yaml.Event) -> Tree | None:
        """Take one event; give the document that it ends, unless it is empty."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._start(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._put(self._open.pop().value)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentEndEvent):
            return self._end()
        return None

    def _end(self) -> Tree | None:
        found = None if self._root is None and not self._flaws else self.tree()
        self._root, self._flaws = None, []
        return found

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._check_node(event, event.tag)
        if len(self._open) >= DEPTH_LIMIT:
            raise _Stop(f"{TOO_DEEP} (line {self._line(event)})")
        if self._open and self._open[-1].awaits_key:
            raise _Stop(f"has a key at line {self._line(event)} that is no text; write it as text")
        self._open.append(_Open({} if isinstance(event, yaml.MappingStartEvent) else []))

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._check_node(event, event.tag)
        bare = event.implicit[0]
        if self._open and self._open[-1].awaits_key:
            self._take_key(self._open[-1], event, bare=bare)
            return
        value: Scalar = event.value
        if bare:
            try:
                value = resolve(event.value)
            except ValueError as error:
                self._flaw(event, str(error))
        elif "\0" in event.value:
            self._flaw(event, NUL)
        self._put(value)

    def _take_key(self, top: _Open, event: yaml.ScalarEvent, *, bare: bool) -> None:
        key = top.key = event.value
        if bare and key == "<<":
            self._flaw(event, "is a merge key; write out what it would merge")
        elif bare and not _is_text(key):
            self._flaw(event, "is a key that is no text; quote it")
        elif "\0" in key:
            self._flaw(event, NUL)
        if key in top.lines:
            self._flaw(event, f"stands twice, first at line {top.lines[key]}; remove one")
        top.lines[key] = self._line(event)

    def _alias(self, event: yaml.AliasEvent) -> None:
        problem = f"is an alias, *{shown(str(event.anchor))}; write out what it stands for"
        if self._open and self._open[-1].awaits_key:
            raise _Stop(f"has a key at line {self._line(event)} that {problem}")
        self._flaw(event, problem)
        self._put(None)

    def _put(self, value: object) -> None:
        if not self._open:
            self._root = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        elif top.key is not None:
            top.value[top.key] = value
            top.key = None

    def _check_node(self, event: yaml.NodeEvent, tag: str | None) -> None:
        if not self._open:
            self._begin = self._line(event)
        if event.anchor is not None:
            self._flaw(event, f"has an anchor, &{shown(event.anchor)}; remove it")
        if tag is not None:
            self._flaw(event, f"has a tag, {shown(tag)}; remove it, or quote the value")

    def _flaw(self, event: yaml.Event, problem: str) -> None:
        if len(self._flaws) >= FLAW_LIMIT:
            raise _Stop(MORE)
        steps = (opened.step for opened in self._open)
        at = f"{problem} (line {self._line(event)})"
        self._flaws.append(Flaw(tuple(step for step in steps if step is not None), at))

    def _line(self, event: yaml.Event) -> int:
        mark = event.start_mark
        return self._offset + (mark.line if mark else 0) + 1


def _is_text(key: str) -> bool:
    try:
        return isinstance(resolve(key), str)
    except ValueError:
        return False
