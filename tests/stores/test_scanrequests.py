"""Scans that admission asks for: each once, none lost, and never more than the bounds."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from webhook.core.document import ObjectMeta
from webhook.core.scan import read_scan_document, scan_name
from webhook.kube import IMAGE_SCANS, Document
from webhook.kubeerrors import Conflict, Forbidden, KubeError, Refused, Resource, Unreachable
from webhook.stores.allowance import CROWDED_SECONDS, Allowance
from webhook.stores.scanrequests import (
    AGAIN_SECONDS,
    OWN_WAITING,
    QUEUE,
    SHARE,
    TAKEN_SECONDS,
    WAITING,
    ScanRequests,
)

IMAGE = "registry.example.com/team/nb:1"


class Cluster:
    """Takes ImageScans as an API server does, and misbehaves when it is told to."""

    def __init__(self) -> None:
        self.made: dict[str, Document] = {}
        self.tries: Counter[str] = Counter()
        self.refuses: Callable[[str], KubeError | None] = lambda _: None
        self.hold = threading.Event()
        self.hold.set()

    def create(self, resource: Resource, document: Document) -> Document:
        assert resource == IMAGE_SCANS
        self.hold.wait(10)
        image, name = document["spec"]["image"], document["metadata"]["name"]
        self.tries[image] += 1
        error = self.refuses(image)
        if error is not None:
            raise error
        if name in self.made:
            raise Conflict(f"{name} already exists")
        self.made[name] = document
        return document


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """What a watch has told of the ImageScans that there are."""

    def __init__(self) -> None:
        self.waiting = 0
        self.asked: Counter[str] = Counter()
        self.images: dict[str, str] = {}

    def asked_for(self, namespace: str) -> int:
        return self.asked[namespace]

    def image_of(self, name: str) -> str | None:
        return self.images.get(name)


class Asked:
    """Requests on a cluster, with what became of them."""

    def __init__(self) -> None:
        self.cluster, self.clock, self.results = Cluster(), Clock(), Counter[str]()
        self.known = Watched()
        self.said: list[str] = []
        self.requests = ScanRequests(
            self.cluster,
            self.known,
            report=self.said.append,
            count=lambda result: self.results.update([result]),
            clock=self.clock,
            pause=0.0002,
        )

    def ask(self, *images: str, namespace: str = "team-a") -> None:
        for image in images:
            self.requests.ask(image, namespace)

    def eventually(self, **results: int) -> None:
        deadline = time.monotonic() + 10
        while self.results != results and time.monotonic() < deadline:
            time.sleep(0.002)
        assert self.results == results


@pytest.fixture
def asked() -> Iterator[Asked]:
    made = Asked()
    made.requests.start()
    yield made
    made.cluster.hold.set()
    made.requests.stop()


@contextmanager
def held(cluster: Cluster) -> Iterator[None]:
    """The API server answers nothing for a while."""
    cluster.hold.clear()
    yield
    cluster.hold.set()


def test_what_is_made_is_an_image_scan_that_the_controller_can_read(asked: Asked) -> None:
    asked.ask(IMAGE)
    asked.eventually(asked=1)
    (made,) = asked.cluster.made.values()
    assert made["metadata"] == {
        "name": scan_name(IMAGE),
        "labels": {"nbgate.dev/requested-by": "admission"},
        "annotations": {"nbgate.dev/requested-for": "team-a"},
    }
    document = read_scan_document(made)
    assert (document.spec.image, document.status.phase) == (IMAGE, "Pending")
    assert "status" not in made


def test_an_image_is_asked_for_once_however_often_its_pod_is_tried(asked: Asked) -> None:
    asked.ask(*[IMAGE] * 50)
    asked.eventually(asked=1, known=49)
    assert asked.cluster.tries == {IMAGE: 1}


def test_it_is_asked_for_again_when_it_never_came(asked: Asked) -> None:
    asked.ask(IMAGE)
    asked.eventually(asked=1)
    asked.cluster.made.clear()
    asked.clock.now += AGAIN_SECONDS - 1
    asked.ask(IMAGE)
    asked.eventually(asked=1, known=1)
    asked.clock.now += 1
    asked.ask(IMAGE)
    asked.eventually(asked=2, known=1)


def test_one_that_is_there_already_is_no_failure(asked: Asked) -> None:
    asked.cluster.made[scan_name(IMAGE)] = {}
    asked.ask(IMAGE)
    asked.eventually(known=1)
    assert asked.requests.problem == ""


def test_whoever_asks_never_waits_for_the_api_server(asked: Asked) -> None:
    with held(asked.cluster):
        started = time.monotonic()
        asked.ask(*(f"{IMAGE}{number}" for number in range(SHARE)))
        assert time.monotonic() - started < 0.5
    asked.eventually(asked=SHARE)


def test_nothing_is_lost_while_the_api_server_is_away(asked: Asked) -> None:
    away = Unreachable("cannot create: no answer")
    asked.cluster.refuses = lambda _: away
    asked.ask(f"{IMAGE}1", f"{IMAGE}2")
    deadline = time.monotonic() + 10
    while min(asked.cluster.tries[f"{IMAGE}{n}"] for n in (1, 2)) < 20:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    assert asked.requests.problem == str(away)
    asked.cluster.refuses = lambda _: None
    asked.eventually(asked=2)
    assert asked.requests.problem == ""


def test_one_that_is_refused_for_itself_does_not_hold_up_the_others(asked: Asked) -> None:
    bad = f"{IMAGE}-bad"
    asked.cluster.refuses = lambda image: Refused("cannot create: no") if image == bad else None
    with held(asked.cluster):
        asked.ask(bad, IMAGE)
    asked.eventually(asked=1, failed=1)
    assert asked.cluster.tries == {bad: 4, IMAGE: 1}


def test_without_the_right_it_says_so_and_the_next_pod_asks_again(asked: Asked) -> None:
    asked.cluster.refuses = lambda _: Forbidden("cannot create imagescans: may not")
    asked.ask(IMAGE)
    asked.eventually(failed=1)
    assert asked.requests.problem == "cannot create imagescans: may not"
    asked.cluster.refuses = lambda _: None
    asked.ask(IMAGE)
    asked.eventually(failed=1, asked=1)
    assert asked.requests.problem == ""


def test_a_namespace_gets_its_share_and_leaves_the_others_theirs(asked: Asked) -> None:
    asked.ask(*(f"{IMAGE}{number}" for number in range(SHARE + 7)), namespace="noisy")
    asked.ask(f"{IMAGE}-other", namespace="quiet")
    asked.eventually(asked=SHARE + 1, dropped=7)
    assert asked.requests.problem == ""
    asked.clock.now += 60
    asked.ask(f"{IMAGE}{SHARE}", namespace="noisy")
    asked.eventually(asked=SHARE + 2, dropped=7)


def test_past_so_many_without_a_result_none_is_made_and_it_says_why(asked: Asked) -> None:
    asked.known.waiting = WAITING
    asked.ask(IMAGE)
    asked.eventually(dropped=1)
    assert asked.cluster.made == {}
    assert f"{WAITING} ImageScans have no result" in asked.requests.problem
    asked.known.waiting = WAITING - 1
    asked.ask(IMAGE)
    asked.eventually(dropped=1, asked=1)
    assert asked.requests.problem == ""


def test_a_namespace_with_its_share_of_those_without_a_result_gets_no_more_and_it_is_told_once(
    asked: Asked,
) -> None:
    asked.known.asked["noisy"] = OWN_WAITING
    asked.ask(IMAGE, namespace="noisy")
    asked.eventually(dropped=1)
    assert "not asked for in noisy: 200 images" in (told := asked.requests.problem)
    asked.ask(IMAGE, namespace="quiet")
    asked.known.asked["noisy"] -= 1
    asked.ask(f"{IMAGE}2", namespace="noisy")
    asked.eventually(dropped=1, asked=2)
    assert asked.requests.problem == told
    asked.clock.now += CROWDED_SECONDS
    assert asked.requests.problem == ""


def test_of_many_crowded_namespaces_a_few_are_named(asked: Asked) -> None:
    for namespace in "dbeca":
        asked.known.asked[namespace] = OWN_WAITING
        asked.ask(IMAGE, namespace=namespace)
    asked.eventually(dropped=5)
    assert "in a, b, c and others:" in asked.requests.problem


@pytest.mark.parametrize("namespace", ["", "Team", "a" * 64, "a" * (7 << 20), "a\n", "-a", "ä"])
def test_what_is_no_namespace_asks_for_nothing(asked: Asked, namespace: str) -> None:
    asked.ask(IMAGE, namespace=namespace)
    asked.ask(IMAGE)
    asked.eventually(dropped=1, asked=1)


# -- names that two images come to ------------------------------------------------------------------

OTHER = "registry.example.com/other/nb:1"


def test_an_image_whose_name_another_has_is_asked_for_under_a_longer_one(asked: Asked) -> None:
    usual, longer = scan_name(IMAGE), scan_name(IMAGE, digits=20)
    assert longer.startswith(usual)
    asked.known.images[usual] = OTHER
    asked.cluster.made[usual] = {}
    asked.ask(IMAGE)
    asked.eventually(asked=1)
    assert asked.cluster.made[longer]["spec"] == {"image": IMAGE}
    assert asked.said == [
        f"imagescans {usual} is about another image: {IMAGE} is scanned as {longer}"
    ]
    ObjectMeta(name=longer)


def test_one_that_another_image_was_quicker_to_take_is_asked_for_as_soon_as_that_is_seen(
    asked: Asked,
) -> None:
    usual = scan_name(IMAGE)
    asked.cluster.made[usual] = {}
    asked.ask(IMAGE)
    asked.eventually(known=1)
    asked.known.images[usual] = OTHER
    asked.ask(IMAGE)
    asked.eventually(known=2)
    assert len(asked.cluster.tries) == 1  # at once again would cost the namespace a share each time
    asked.clock.now += TAKEN_SECONDS
    asked.ask(IMAGE)
    asked.eventually(known=2, asked=1)
    assert scan_name(IMAGE, digits=20) in asked.cluster.made


@pytest.mark.parametrize("digits", [10, 20])
def test_one_that_has_an_image_scan_by_whatever_name_gets_no_other(
    asked: Asked, digits: int
) -> None:
    asked.known.images = {scan_name(IMAGE): OTHER, scan_name(IMAGE, digits=digits): IMAGE}
    asked.ask(IMAGE)
    asked.eventually(known=1)
    assert not asked.cluster.tries


def test_what_waits_is_bounded(asked: Asked) -> None:
    with held(asked.cluster):
        for number in range(QUEUE + 50):
            asked.clock.now += 60
            asked.ask(f"{IMAGE}{number}", namespace=f"team-{number}")
        assert asked.results["dropped"] in (49, 50)
        assert f"{QUEUE} wait to be asked for" in asked.requests.problem


def test_threads_may_ask_at_once(asked: Asked) -> None:
    images = [f"{IMAGE}{number}" for number in range(SHARE)]
    threads = [threading.Thread(target=asked.ask, args=images) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked.eventually(asked=SHARE, known=7 * SHARE)


# -- the allowance ---------------------------------------------------------------------------------


def test_an_allowance_is_what_a_minute_gives() -> None:
    allowance = Allowance(overall=60, share=60)
    given = [at / 10 for at in range(6000) if allowance.admit("a", at / 10)]
    assert len(given) == 60 + 599
    assert not allowance.admit("a", given[-1])


def test_askers_share_what_there_is_for_all() -> None:
    allowance = Allowance(overall=60, share=20)
    assert sum(allowance.admit(asker, 5.0) for asker in "abcde" for _ in range(30)) == 60
    assert Counter(a for _ in range(90) for a in "abc" if allowance.admit(a, 65.0)) == {
        "a": 20,
        "b": 20,
        "c": 20,
    }
