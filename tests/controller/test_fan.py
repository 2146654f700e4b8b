"""One watch for two: both know the same in the end, whatever the watch told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from webhook.controller.fan import Fan
from webhook.kube import Document, Event


class Names:
    """A sink, and a follower, that remembers names."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    def replaced(self, documents: Iterator[Document]) -> None:
        self.known = {document["metadata"]["name"] for document in documents}

    def changed(self, event: Event) -> None:
        name = event.object["metadata"]["name"]
        self.known.discard(name)
        if event.type != "DELETED":
            self.known.add(name)


def scans(*names: str) -> Iterator[Document]:
    return iter([{"metadata": {"name": name}} for name in names])


def test_both_know_what_the_lists_and_the_changes_between_them_told() -> None:
    sink, follower = Names(), Names()
    fan = Fan(sink, follower)
    fan.replaced(scans("a", "b"))
    fan.changed(Event("ADDED", next(scans("c"))))
    fan.changed(Event("DELETED", next(scans("a"))))
    assert sink.known == follower.known == {"b", "c"}
    fan.replaced(scans("d", "c"))
    assert sink.known == follower.known == {"c", "d"}


def test_a_list_that_breaks_off_leaves_nothing_untrue() -> None:
    sink, follower = Names(), Names()
    fan = Fan(sink, follower)
    fan.replaced(scans("a"))

    def broken() -> Iterator[Document]:
        yield from scans("b")
        raise OSError("broken off")

    with pytest.raises(OSError, match="broken off"):
        fan.replaced(broken())
    assert (sink.known, follower.known) == ({"a"}, {"a", "b"})
    fan.replaced(scans("b"))
    assert sink.known == follower.known == {"b"}
