"""What admission asked for and has no result: counted by namespace as it comes, changes and goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.cluster.waiting import wait_for
from tests.stores.kubedouble import KubeDouble
from tests.stores.samples import IMAGE, scan_document
from webhook.core.document import API_VERSION
from webhook.core.scan import scan_name
from webhook.kube import Document, Event
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.outstanding import Outstanding, asker_of
from webhook.stores.scanrequests import request_document

NAMESPACES = ["team-a", "team-b", ""]
NAMES = st.sampled_from([f"scan-{number}" for number in range(4)])


def asked(name: str, namespace: str = "team-a", **status: Any) -> Document:
    metadata: Document = {"name": name}
    if namespace:
        metadata["annotations"] = {"nbgate.dev/requested-for": namespace}
    return {"apiVersion": API_VERSION, "metadata": metadata, "status": status}


DOCUMENTS = st.builds(
    lambda name, namespace, known: asked(name, namespace, **({"digest": "x"} if known else {})),
    NAMES,
    st.sampled_from(NAMESPACES),
    st.booleans(),
)


class Followed:
    """A Sink that keeps all that it is told."""

    def __init__(self) -> None:
        self.objects: dict[str, Document] = {}

    def replaced(self, documents: Iterator[Document]) -> None:
        self.objects = {one["metadata"]["name"]: one for one in documents}

    def changed(self, event: Event) -> None:
        name = event.object["metadata"]["name"]
        if event.type == "DELETED":
            self.objects.pop(name, None)
        else:
            self.objects[name] = event.object


class AgainstWhatThereIs(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.followed = Followed()
        self.outstanding = Outstanding(self.followed)

    @rule(documents=st.lists(DOCUMENTS, unique_by=lambda one: str(one["metadata"]["name"])))
    def listed(self, documents: list[Document]) -> None:
        self.outstanding.replaced(iter(documents))
        assert len(self.followed.objects) == len(documents)

    @rule(document=DOCUMENTS, kind=st.sampled_from(["ADDED", "MODIFIED", "DELETED"]))
    def changed(self, document: Document, kind: Any) -> None:
        self.outstanding.changed(Event(kind, document))

    @rule(documents=st.lists(DOCUMENTS))
    def a_list_breaks_off(self, documents: list[Document]) -> None:
        def broken() -> Iterator[Document]:
            yield from documents
            raise OSError

        with pytest.raises(OSError):  # noqa: PT011 - it says nothing
            self.outstanding.replaced(broken())

    @invariant()
    def it_counts_what_there_is(self) -> None:
        for namespace in NAMESPACES[:2]:
            there = [asker_of(one) for one in self.followed.objects.values()].count(namespace)
            assert self.outstanding.of(namespace) == there

    @invariant()
    def it_remembers_no_namespace_of_which_nothing_is_there(self) -> None:
        there = {asker_of(one) for one in self.followed.objects.values()} - {""}
        assert set(self.outstanding._counts) == there


AgainstWhatThereIs.TestCase.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None
)
TestOutstanding = AgainstWhatThereIs.TestCase


@pytest.mark.parametrize(
    "document",
    [
        {"metadata": {"name": "x"}},
        {"metadata": {"name": "x", "annotations": None}, "status": None},
        {"metadata": {"name": "x", "annotations": {"nbgate.dev/requested-for": 5}}},
        {"metadata": {"name": "x", "annotations": []}, "status": []},
    ],
)
def test_what_nobody_asked_for_is_nobodys(document: Document) -> None:
    assert asker_of(document) == ""


def test_a_replica_counts_what_others_asked_for_and_knows_who_has_a_name() -> None:
    kube = KubeDouble()
    scans = ClusterScans(kube, report=lambda _: None)
    name = scan_name(IMAGE)
    unreadable = {**scan_document(), "metadata": {"name": "unreadable"}, "spec": {"image": "?"}}
    kube.put(request_document(IMAGE, "team-a", name), unreadable)
    scans.start()
    try:
        wait_for(lambda: scans.refresh() or scans.heard_at, 10, "the scans to be known")
        assert (scans.waiting, scans.asked_for("team-a"), scans.asked_for("team-b")) == (1, 1, 0)
        assert scans.image_of(name) == IMAGE
        assert scans.image_of("unreadable") == ""
        assert scans.image_of("another") is None
        kube.put({**scan_document(), "metadata": {"name": name}})
        wait_for(lambda: scans.refresh() and not scans.waiting, 10, "the result to be known")
        assert scans.asked_for("team-a") == 0
        assert scans.image_of(name) is not None
    finally:
        scans.stop()
        kube.end_watch()
