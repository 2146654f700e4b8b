"""A kind is listed and followed; whatever breaks leads to a list again; only what proves freshness counts as such."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.cluster.waiting import wait_for
from tests.stores.kubedouble import AWAY, KubeDouble
from webhook.kube import IMAGE_SCANS, Document, Event
from webhook.kubeerrors import Expired, Forbidden, KubeError
from webhook.stores.listwatch import ListWatch


class Told:
    """A sink that remembers by name, and what it was told."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.lists = 0
        self.broken = False

    def replaced(self, documents: Iterator[Document]) -> None:
        held = {one["metadata"]["name"]: one["value"] for one in documents}
        if self.broken:
            raise ZeroDivisionError
        self.held = held
        self.lists += 1

    def changed(self, event: Event) -> None:
        assert event.type != "BOOKMARK"
        name = event.object["metadata"]["name"]
        if event.type == "DELETED":
            del self.held[name]
        else:
            self.held[name] = event.object["value"]


class House:
    """A cluster, who follows it, and their clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.kube, self.sink = KubeDouble(), Told()
        self.reports: list[str] = []
        self.following = ListWatch(
            self.kube,
            IMAGE_SCANS,
            self.sink,
            clock=lambda: self.now,
            report=self.reports.append,
        )

    def watches(self, times: int = 1) -> None:
        self.eventually(lambda: self.kube.count("watch") >= times, f"{times} watches")

    def heard_at(self) -> float | None:
        return self.following.heard_at

    @staticmethod
    def eventually(look: Callable[[], bool], what: str) -> None:
        wait_for(look, 10, what)


def thing(name: str, value: int = 0) -> Document:
    return {"metadata": {"name": name}, "value": value}


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.following.stop()
    house.kube.end_watch()


@pytest.fixture
def followed(house: House) -> House:
    """Two objects, listed, and the watch is open."""
    house.kube.put(thing("a", 1), thing("b", 2))
    house.following.start()
    house.eventually(lambda: house.heard_at() == 100, "the watch to be accepted")
    return house


def test_what_there_is_and_what_changes_reach_the_sink(followed: House) -> None:
    assert followed.sink.held == {"a": 1, "b": 2}
    followed.kube.put(thing("a", 3), thing("c", 4))
    followed.kube.remove("b")
    followed.eventually(lambda: followed.sink.held == {"a": 3, "c": 4}, "the changes")
    assert followed.sink.lists == 1


def test_after_a_good_end_the_watch_goes_on_where_it_was(followed: House) -> None:
    followed.kube.put(thing("c"))
    followed.kube.bookmark()
    followed.now += 30
    followed.kube.end_watch()
    followed.watches(2)
    followed.kube.put(thing("d"))
    followed.eventually(lambda: "d" in followed.sink.held, "what came after")
    assert [asked for asked in followed.kube.asked if asked[0] != "read through"] == [
        ("cached", "0"),
        ("watch", "2"),
        ("watch", "4"),
    ]


@pytest.mark.parametrize("error", [AWAY, Expired("too old; list again")])
def test_whatever_breaks_a_watch_everything_is_listed_again(
    followed: House, error: KubeError
) -> None:
    followed.now += 30
    followed.kube.end_watch(error)
    followed.watches(2)
    assert followed.sink.lists == 2
    # by no cache that is behind what is held
    assert ("cached", "2") in followed.kube.asked


def test_a_version_that_is_forgotten_meanwhile_leads_to_a_list(followed: House) -> None:
    followed.kube.bookmark()
    followed.eventually(lambda: followed.following._version == "3", "the bookmark")
    followed.kube.send(Event("BOOKMARK", {"metadata": {"resourceVersion": "1"}}))
    followed.kube.compact()
    followed.now += 30
    followed.kube.end_watch()
    followed.eventually(lambda: followed.sink.lists == 2, "another list")


def test_a_list_that_breaks_off_changes_nothing(followed: House) -> None:
    followed.kube.breaks_after = 1
    followed.kube.end_watch(AWAY)
    followed.kube.put(thing("c"))
    followed.eventually(lambda: followed.kube.count("pages") >= 1, "two lists that broke off")
    assert followed.sink.held.keys() >= {"a", "b"}
    followed.kube.breaks_after = None
    followed.eventually(lambda: followed.sink.held.keys() == {"a", "b", "c"}, "a whole list")


def test_after_a_list_that_failed_the_next_is_read_from_etcd_and_then_from_the_cache_again(
    house: House,
) -> None:
    house.kube.failing = {"cached": AWAY}
    house.following.start()
    house.watches()
    house.kube.failing = {}
    house.kube.end_watch(AWAY)
    house.watches(2)
    verbs = [verb for verb, _ in house.kube.asked if verb != "read through"]
    assert verbs == ["cached", "pages", "watch", "cached", "watch"]


# -- What proves that the sink is current ---------------------------------------------------------


def test_nothing_is_proven_before_the_watch_is_accepted(house: House) -> None:
    house.kube.put(thing("a"))
    house.kube.failing = {"watch": Forbidden("cannot watch")}
    house.following.start()
    house.eventually(lambda: house.sink.lists >= 2, "lists")
    assert house.heard_at() is None
    assert house.sink.held == {"a": 0}


def test_a_cache_alone_proves_nothing(house: House) -> None:
    """An API server that is cut off from etcd lists and watches, out of its cache, for as long as one likes."""
    house.kube.failing = {"read through": AWAY}
    house.following.start()
    house.eventually(lambda: house.kube.count("read through") >= 2, "two reads")
    assert house.heard_at() is None
    # nor does it make what was listed any worse
    assert house.sink.lists == 1


def test_bookmarks_and_good_ends_prove_nothing_but_the_read_after_them_does(
    followed: House,
) -> None:
    followed.now = 120
    followed.kube.bookmark()
    followed.eventually(lambda: followed.following._version == "3", "the bookmark")
    assert followed.heard_at() == 100
    followed.kube.failing = {"read through": AWAY}
    followed.kube.end_watch()
    followed.eventually(lambda: bool(followed.following.problem), "the read to fail")
    assert followed.heard_at() == 100
    followed.now, followed.kube.failing = 130, {}
    followed.eventually(lambda: followed.heard_at() == 130, "the read")


def test_an_event_proves_it(followed: House) -> None:
    followed.now = 120
    followed.kube.put(thing("c"))
    followed.eventually(lambda: followed.heard_at() == 120, "the event")


# -- What goes wrong is told, and ends --------------------------------------------------------------


def test_a_problem_is_told_once_and_its_end_too(house: House) -> None:
    house.kube.failing = dict.fromkeys(("cached", "pages"), AWAY)
    house.following.start()
    house.eventually(lambda: house.kube.count("pages") >= 2, "four tries")
    assert (house.following.problem, house.reports) == (str(AWAY), [str(AWAY)])
    house.kube.failing = {}
    house.watches()
    house.eventually(lambda: len(house.reports) == 2, "the end to be told")
    assert (house.following.problem, house.reports[1:]) == ("", ["imagescans are followed again"])


def test_a_watch_that_ends_at_once_is_tried_again_after_a_pause(house: House) -> None:
    house.following.start()
    house.watches()
    house.kube.end_watch()
    house.eventually(lambda: "ends at once" in house.following.problem, "the problem")
    house.watches(2)
    assert house.sink.lists == 2


def test_a_sink_that_fails_is_told_and_gets_another_list(house: House) -> None:
    house.sink.broken = True
    house.following.start()
    house.eventually(lambda: "ZeroDivisionError" in house.following.problem, "the problem")
    house.sink.broken = False
    house.watches()
    assert house.heard_at() is not None


def test_an_event_that_makes_no_sense_leads_to_a_list(followed: House) -> None:
    followed.kube.send(Event("ADDED", {}))
    followed.eventually(lambda: followed.sink.lists == 2, "another list")


def test_it_ends_when_it_is_stopped(house: House) -> None:
    house.kube.failing = dict.fromkeys(("cached", "pages"), AWAY)
    house.following.start()
    house.eventually(lambda: bool(house.following.problem), "a pause")
    house.following.stop()
    thread = house.following._thread
    assert thread is not None
    thread.join(5)
    assert not thread.is_alive()


def test_it_is_started_once(followed: House) -> None:
    with pytest.raises(RuntimeError):
        followed.following.start()
