"""The objects of one kind as values: a sink of a ListWatch, read in its thread and taken by another."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from webhook.core.document import Fault, InvalidDocument
from webhook.kube import Document, Event
from webhook.stores.problem import Problem, problem_of

Value = TypeVar("Value")

# Somebody who mends objects by hand reads no more; how many there are is counted.
PROBLEM_LIMIT = 100
_FAULT_LIMIT = 10  # of one object


@dataclass(frozen=True, slots=True)
class Change(Generic[Value]):
    """What an object was when changes were last taken, and what it is now; None where it was not or is not there."""

    before: Value | None
    after: Value | None


class Mirror(Generic[Value]):
    """Keeps of each object the value that it was last readable as.

    The values of an object that cannot be read now stay, and its faults are told. One that is deleted is gone.

    Args:
        kind: the plural name; problems say `imagescans/NAME`.
        read: makes a value of a document; raises InvalidDocument.

    Attributes:
        listed: whether a whole list has been taken.
    """

    def __init__(self, kind: str, read: Callable[[Document], Value]) -> None:
        self.listed = False
        self._kind = kind
        self._read = read
        self._held: dict[str, Value] = {}
        self._faults: dict[str, tuple[Problem, ...]] = {}
        self._lock = threading.Lock()
        self._waiting: dict[str, Change[Value]] = {}

    def restore(self, held: Mapping[str, Value]) -> None:
        """Begin with what was known before; not to be called once a ListWatch tells of anything."""
        self._held = dict(held)

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list; see Sink."""
        held: dict[str, Value] = {}
        faults: dict[str, tuple[Problem, ...]] = {}
        for document in documents:
            name = _name_of(document)
            known = self._held.get(name)
            try:
                value = self._read(document)
            except InvalidDocument as error:
                faults[name] = self._problems_of(name, error.faults)
                if known is not None:
                    held[name] = known
            else:
                held[name] = _same(known, value)
        with self._lock:
            for name in self._held.keys() | held.keys():
                self._note(name, held.get(name))
            self._held, self._faults, self.listed = held, faults, True

    def changed(self, event: Event) -> None:
        """Take one change; see Sink."""
        name = _name_of(event.object)
        if event.type == "DELETED":
            self._put(name, None, ())
            return
        try:
            value = self._read(event.object)
        except InvalidDocument as error:
            self._put(name, self._held.get(name), self._problems_of(name, error.faults))
        else:
            self._put(name, _same(self._held.get(name), value), ())

    def _put(self, name: str, value: Value | None, problems: tuple[Problem, ...]) -> None:
        with self._lock:
            self._note(name, value)
            if value is None:
                self._held.pop(name, None)
            else:
                self._held[name] = value
            if problems:
                self._faults[name] = problems
            else:
                self._faults.pop(name, None)

    def _note(self, name: str, value: Value | None) -> None:
        """Let the next `take` tell of it, unless it is as it was."""
        held = self._held.get(name)
        if value is not held:
            first = self._waiting.get(name)
            self._waiting[name] = Change(first.before if first else held, value)

    def take(self) -> dict[str, Change[Value]]:
        """Give what has changed since the last call, by name; of several changes to one object, the sum."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
        return {name: one for name, one in taken.items() if one.before is not one.after}

    def held(self, name: str) -> Value | None:
        """Give what is held of an object; None where it is not there, or never could be read."""
        return self._held.get(name)

    def broken(self, name: str) -> bool:
        """Tell whether an object cannot be read now."""
        return name in self._faults

    @property
    def unreadable(self) -> int:
        """How many objects cannot be read now."""
        return len(self._faults)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with them, ordered by name."""
        with self._lock:
            faults = dict(self._faults)
        every = (problem for name in sorted(faults) for problem in faults[name])
        return bounded(every, self._kind, len(faults))

    def _problems_of(self, name: str, faults: Iterable[Fault]) -> tuple[Problem, ...]:
        return tuple(problem_of(f"{self._kind}/{name}", 0, f) for f in islice(faults, _FAULT_LIMIT))


def _same(known: Value | None, value: Value) -> Value:
    """Keep the object where the value is the same: most changes are to what is not read, such as who scans it now."""
    return known if known is not None and known == value else value


def bounded(problems: Iterable[Problem], kind: str, objects: int) -> tuple[Problem, ...]:
    """Give the first problems, and where there are more, say so and of how many objects they are."""
    found = list(islice(problems, PROBLEM_LIMIT + 1))
    if len(found) > PROBLEM_LIMIT:
        more = f"{objects} of them have faults; mend the first to see more"
        found[PROBLEM_LIMIT:] = [problem_of(kind, 0, Fault("", more))]
    return tuple(found)


def _name_of(document: Mapping[str, Any]) -> str:
    """Give the name; the API server lets none be without."""
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else "?"
