"""The scans that admission asked for and that have no result yet, by the namespace that they were asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from webhook.kube import Document, Event
from webhook.stores.listwatch import Sink

# An annotation: a label's value would be as good, but nobody is to select by it.
REQUESTED_FOR = "nbgate.dev/requested-for"


class Outstanding:
    """Counts them on the way to another Sink. One thread tells it; any may ask.

    What it holds is a name and a namespace of each; of those that have a result, nothing.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._askers: dict[str, str] = {}
        self._counts: Counter[str] = Counter()

    def of(self, namespace: str) -> int:
        """Count those that a namespace asked for."""
        return self._counts[namespace]

    def replaced(self, documents: Iterator[Document]) -> None:
        """Take a whole list; see Sink."""
        askers: dict[str, str] = {}

        def noted() -> Iterator[Document]:
            for document in documents:
                if asker := asker_of(document):
                    askers[str(document["metadata"]["name"])] = asker
                yield document

        self._sink.replaced(noted())
        self._askers, self._counts = askers, Counter(askers.values())

    def changed(self, event: Event) -> None:
        """Take one change; see Sink."""
        name = str(event.object["metadata"]["name"])
        if before := self._askers.pop(name, ""):
            self._counts[before] -= 1
            if not self._counts[before]:
                # namespaces come and go, and whoever reaches our port may name as many as he likes
                del self._counts[before]
        asker = "" if event.type == "DELETED" else asker_of(event.object)
        if asker:
            self._askers[name] = asker
            self._counts[asker] += 1
        self._sink.changed(event)


def asker_of(document: Mapping[str, Any]) -> str:
    """Name the namespace that an ImageScan without a result was asked for; empty where there is none."""
    if _mapping(document.get("status")).get("digest") is not None:
        return ""
    return requested_for(document)


def requested_for(document: Mapping[str, Any]) -> str:
    """Name the namespace that an ImageScan was asked for, whatever has come of it; empty where there is none."""
    named = _mapping(_mapping(document.get("metadata")).get("annotations")).get(REQUESTED_FOR)
    return named if isinstance(named, str) else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
