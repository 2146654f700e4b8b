"""What becomes of a claim while the API server is away, refuses, or others write: it is told of, and never doubled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.controllers import Worker
from tests.cluster.waiting import wait_for
from tests.controller.shelf import Shelf
from webhook.controller.claim import Claiming, Gone, Held
from webhook.controller.job import Abandoned, Found
from webhook.controller.keeper import Keeper
from webhook.core.scan import scan_name
from webhook.kubeerrors import Conflict, Refused, Unreachable

Json = dict[str, Any]
IMAGE = "registry.example.com/team/notebook:v1"
NAME = scan_name(IMAGE)
AWAY = Unreachable("no answer from the API server")
CREATED = "2026-01-01T00:00:00Z"


def scan(image: str = IMAGE, **status: Any) -> Json:
    meta = {"name": NAME, "creationTimestamp": CREATED}
    names = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "ImageScan"}
    return {**names, "metadata": meta, "spec": {"image": image}, "status": status}


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(scan())


def claimed(shelf: Shelf, length: float = 60.0) -> Held:
    claiming = Claiming(kube=shelf, identity="us", length=length, now=time.time)  # type: ignore[arg-type]  # what it asks of one
    return claiming.claim(claiming.read(NAME), scans=True)


# -- one claim ------------------------------------------------------------------------------------------


def test_who_is_overtaken_at_each_try_gives_up_with_a_word_and_still_holds_it(shelf: Shelf) -> None:
    held = claimed(shelf)
    shelf.meddling = lambda: shelf.put(shelf.held(NAME))
    with pytest.raises(Conflict, match="others write it all the time"):
        held.renew()
    assert not held.gone
    shelf.meddling = lambda: None
    held.renew()


def test_who_is_overtaken_once_writes_over_what_the_other_wrote(shelf: Shelf) -> None:
    def once() -> None:
        shelf.meddling = lambda: None
        shelf.put({**shelf.held(NAME), "theirs": True})

    held = claimed(shelf)
    shelf.meddling = once
    held.renew()
    assert shelf.held(NAME)["theirs"]
    assert shelf.held(NAME)["status"]["claim"] == held.document["status"]["claim"]


def renamed(shelf: Shelf) -> None:
    shelf.put({**shelf.held(NAME), "spec": {"image": "registry.example.com/other:v1"}})


def test_an_image_that_is_another_by_now_is_given_back_where_the_claim_would_be_renewed(
    shelf: Shelf,
) -> None:
    held = claimed(shelf)
    renamed(shelf)
    with pytest.raises(Gone):
        held.renew()
    assert held.gone
    assert "claim" not in shelf.held(NAME)["status"]


def test_an_image_that_is_deleted_while_it_is_scanned_is_nobodys(shelf: Shelf) -> None:
    held = claimed(shelf)
    shelf.remove(NAME)
    with pytest.raises(Gone):
        held.renew()
    assert held.gone
    with pytest.raises(Gone):
        held.end(lambda document: document["status"])


# -- the keeper -----------------------------------------------------------------------------------------


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def keeper(told: list[str]) -> Iterator[Keeper]:
    made = Keeper(0.6, told.append)
    made.start()
    assert made.alive
    yield made
    made.stopping.set()


def test_a_claim_that_is_not_renewed_is_told_of_and_tried_again_sooner(
    shelf: Shelf, keeper: Keeper, told: list[str]
) -> None:
    held = claimed(shelf)
    before = held.document["status"]["claim"]
    shelf.refuses = AWAY
    keeper.keep(held)
    wait_for(lambda: len(told) > 1, 10, "two tries")
    assert set(told) == {f"the claim of {NAME} is not renewed: {AWAY}"}
    shelf.refuses = None
    wait_for(lambda: held.document["status"]["claim"] != before, 10, "a renewal")


def test_a_claim_that_cannot_be_given_back_is_told_of_and_holds_no_other_up(
    keeper: Keeper, told: list[str]
) -> None:
    """At the end of a replica: the API server takes one and refuses the other."""
    refusing, taking = Shelf(scan()), Shelf(scan())
    lost, given = claimed(refusing), claimed(taking)
    refusing.refuses = AWAY
    for held in (lost, given):
        keeper.keep(held)
    keeper.stop(5)
    assert told == [f"{NAME} is not given back, its claim runs out: {AWAY}"]
    assert "claim" not in taking.held(NAME)["status"]


def test_a_claim_that_is_gone_already_needs_no_word(
    shelf: Shelf, keeper: Keeper, told: list[str]
) -> None:
    held = claimed(shelf)
    keeper.keep(held)
    shelf.remove(NAME)
    wait_for(lambda: held.gone, 10, "it to be seen")
    keeper.stop(5)
    assert told == []


# -- one turn of a worker -------------------------------------------------------------------------------


class Doing:
    """Finds at once that an image conforms; `meanwhile` is what happens while it looks."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile

    def do(self, held: Held, *, scans: bool, check: Callable[[], bool]) -> Found:
        assert scans
        self.meanwhile()
        if not check():
            raise Abandoned
        return Found(edit=lambda _: {"phase": "Complete", "image": held.image}, verdict="Conforms")


def worker(shelf: Shelf, meanwhile: Callable[[], object] = lambda: None) -> Worker:
    made = Worker(shelf)  # type: ignore[arg-type]  # what it asks of one
    made.work = replace(made.work, job=Doing(meanwhile))  # type: ignore[arg-type]  # what it asks of one
    return made


def phase(shelf: Shelf) -> str:
    return str(shelf.held(NAME)["status"].get("phase"))


def test_a_result_is_written_once(shelf: Shelf) -> None:
    assert worker(shelf).turn(NAME) == 0.0
    assert (phase(shelf), shelf.writes) == ("Complete", 2)


def test_who_is_beaten_to_a_claim_leaves_it_for_a_moment_and_says_nothing(shelf: Shelf) -> None:
    ours = worker(shelf)
    shelf.meddling = lambda: shelf.put(shelf.held(NAME))
    assert 0 < ours.turn(NAME) < 1
    assert (ours.complaints, shelf.writes) == ([], 0)


def test_what_the_api_server_does_not_let_us_claim_is_told_of_and_left_for_long(
    shelf: Shelf,
) -> None:
    ours = worker(shelf)
    shelf.refuses = Refused("cannot update imagescans: denied by an admission webhook")
    assert ours.turn(NAME) >= 600
    assert ours.complaints == [str(shelf.refuses)]


def test_a_result_of_an_image_that_was_deleted_meanwhile_is_dropped_without_a_complaint(
    shelf: Shelf,
) -> None:
    ours = worker(shelf, lambda: shelf.remove(NAME))
    assert ours.turn(NAME) == 0.0
    assert ours.complaints == []


def test_a_result_of_another_image_than_is_named_by_now_is_never_written(shelf: Shelf) -> None:
    ours = worker(shelf, lambda: renamed(shelf))
    assert ours.turn(NAME) == 0.0
    assert phase(shelf) != "Complete"
    assert "claim" not in shelf.held(NAME)["status"]


def test_a_result_that_the_api_server_refuses_is_told_of_and_not_tried_for_ever(
    shelf: Shelf,
) -> None:
    def closing() -> None:
        shelf.refuses = Refused("cannot update imagescans/status: over the quota")

    ours = worker(shelf, closing)
    assert ours.turn(NAME) == 0.0
    assert ours.complaints == ["cannot update imagescans/status: over the quota"]


def test_a_scan_that_nobody_would_take_is_given_back_as_if_it_had_not_begun(shelf: Shelf) -> None:
    def ending() -> None:
        ours.keeper.stopping.set()

    ours = worker(shelf, ending)
    assert ours.turn(NAME) == 0.0
    status = shelf.held(NAME)["status"]
    assert ("claim" in status, status.get("attempts")) == (False, None)
