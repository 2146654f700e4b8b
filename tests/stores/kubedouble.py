"""An API server in memory for what a real one does only when it is broken: it misbehaves on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from webhook.kube import PAGE, Document, Event, Page
from webhook.kubeerrors import Expired, KubeError, Resource, Unreachable

AWAY = Unreachable("no answer from the API server")
Verb = Literal["cached", "pages", "read through", "watch"]


class KubeDouble:
    """Objects of one kind, listed and watched as from a `Kube`.

    Attributes:
        asked: every call, in order, with the version that it named.
        failing: what calls of a verb raise until it is taken away again.
        breaks_after: how many objects a list gives before it breaks; None: it does not break.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[Verb, str]] = []
        self.failing: dict[Verb, KubeError] = {}
        self.breaks_after: int | None = None
        self._objects: dict[str, Document] = {}
        self._events: list[Event] = []
        self._oldest = 0
        self._ending: list[KubeError | None] = []
        self._news = threading.Condition()

    def put(self, *documents: Document) -> None:
        """Create objects, or replace them by name."""
        with self._news:
            for document in documents:
                name = document["metadata"]["name"]
                kind: Any = "MODIFIED" if name in self._objects else "ADDED"
                self._objects[name] = self._log(kind, document)

    def remove(self, name: str) -> None:
        """Delete an object."""
        with self._news:
            self._log("DELETED", self._objects.pop(name))

    def bookmark(self) -> None:
        """Tell watches which version it is now."""
        with self._news:
            self._log("BOOKMARK", {"metadata": {}})

    def send(self, event: Event) -> None:
        """Send watches anything."""
        with self._news:
            self._events.append(event)
            self._news.notify_all()

    def _log(self, kind: Any, document: Document) -> Document:
        version = str(len(self._events) + 1)
        told = {**document, "metadata": {**document["metadata"], "resourceVersion": version}}
        self._events.append(Event(kind, told))
        self._news.notify_all()
        return told

    def end_watch(self, error: KubeError | None = None) -> None:
        """End the watch that is open, or the next: in good order, or with an error."""
        with self._news:
            self._ending.append(error)
            self._news.notify_all()

    def compact(self) -> None:
        """Forget everything before now."""
        with self._news:
            self._oldest = len(self._events)

    def count(self, verb: Verb) -> int:
        """How many calls there were."""
        return sum(one == verb for one, _ in self.asked)

    def _ask(self, verb: Verb, version: str = "") -> None:
        self.asked.append((verb, version))
        if verb in self.failing:
            raise self.failing[verb]

    def cached(
        self,
        resource: Resource,  # noqa: ARG002 - it has but one
        namespace: str | None = None,  # noqa: ARG002 - nor any namespace
        *,
        version: str = "0",
        labels: str = "",  # noqa: ARG002 - everything fits
        fields: str = "",  # noqa: ARG002 - everything fits
    ) -> Iterator[Page]:
        """Give all objects, one in a part."""
        self._ask("cached", version)
        yield from self._list()

    def pages(
        self,
        resource: Resource,  # noqa: ARG002 - it has but one
        namespace: str | None = None,  # noqa: ARG002 - nor any namespace
        *,
        labels: str = "",  # noqa: ARG002 - everything fits
        fields: str = "",  # noqa: ARG002 - everything fits
        size: int = PAGE,
    ) -> Iterator[Page]:
        """Give all objects, one in a part."""
        self._ask("read through" if size == 1 else "pages")
        yield from self._list()

    def _list(self) -> Iterator[Page]:
        with self._news:
            objects, version = list(self._objects.values()), str(len(self._events))
        for number, document in enumerate(objects):
            if number == self.breaks_after:
                raise AWAY
            yield Page([document], "")
        yield Page([], version)

    @contextmanager
    def watch(
        self,
        resource: Resource,  # noqa: ARG002 - it has but one
        namespace: str | None = None,  # noqa: ARG002 - nor any namespace
        *,
        version: str,
        seconds: int,  # noqa: ARG002 - it ends when it is told to
        labels: str = "",  # noqa: ARG002 - everything fits
        fields: str = "",  # noqa: ARG002 - everything fits
    ) -> Iterator[Iterator[Event]]:
        """Give what changes after a version."""
        self._ask("watch", version)
        if int(version) < self._oldest:
            raise Expired("too old resource version; list again")
        yield self._follow(int(version))

    def _follow(self, at: int) -> Iterator[Event]:
        while (event := self._next(at)) is not None:
            at += 1
            yield event

    def _next(self, at: int) -> Event | None:
        """Wait for the event with that number; None where the watch is to end first."""
        with self._news:
            self._news.wait_for(lambda: len(self._events) > at or self._ending, 20)
            if len(self._events) > at:
                return self._events[at]
            error = self._ending.pop(0)
        if error is not None:
            raise error
        return None
