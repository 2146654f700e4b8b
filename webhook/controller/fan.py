"""One watch for two that want to know: what is listed and parsed is most of what a watch costs."""

from collections.abc import Iterator
from typing import Protocol

from webhook.kube import Document, Event
from webhook.stores.listwatch import Sink


class Follower(Protocol):
    """Is told of one object at a time, never of a list."""

    def changed(self, event: Event) -> None:
        """Take one change."""
        ...


class Fan:
    """A Sink that tells two others.

    Args:
        sink: gets everything as a ListWatch tells it.
        follower: of a list, gets each object as it comes, and at the end what is not there any more. That a list breaks
            off half-way does it no harm: what it got was true.
    """

    def __init__(self, sink: Sink, follower: Follower) -> None:
        self._sink, self._follower = sink, follower
        self._names: set[str] = set()

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list."""
        names: set[str] = set()

        def told() -> Iterator[Document]:
            for document in documents:
                names.add(str(document["metadata"]["name"]))
                self._follower.changed(Event("MODIFIED", document))
                yield document

        self._sink.replaced(told())
        for name in self._names - names:
            self._follower.changed(Event("DELETED", {"metadata": {"name": name}}))
        self._names = names

    def changed(self, event: Event) -> None:
        """Take one change."""
        name = str(event.object["metadata"]["name"])
        if event.type == "DELETED":
            self._names.discard(name)
        else:
            self._names.add(name)
        self._sink.changed(event)
        self._follower.changed(event)
