"""A Lease that others write, or that cannot be given up: nobody leads who may not, and what is not ours stays so."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.waiting import wait_for
from tests.controller.shelf import Shelf
from webhook.controller.leading import Leader, Timing
from webhook.kubeerrors import Unreachable

AWAY = Unreachable("no answer from the API server")
FAST = Timing(duration=1.0, deadline=0.6, retry=0.02)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf({"metadata": {"name": "lease"}, "spec": {}})


def holder(shelf: Shelf) -> str:
    return str(shelf.held("lease")["spec"].get("holderIdentity", ""))


def standing(shelf: Shelf, told: list[str]) -> Leader:
    leader = Leader(shelf, "lease", "ns", "us", [], timing=FAST, report=told.append)  # type: ignore[arg-type]  # what it asks of one
    leader.start()
    return leader


def leading(shelf: Shelf, told: list[str]) -> Leader:
    leader = standing(shelf, told)
    wait_for(lambda: leader.leading, 10, "it to lead")
    return leader


def taken(shelf: Shelf) -> None:
    now: dict[str, Any] = shelf.held("lease")
    shelf.put({**now, "spec": {"holderIdentity": "them", "leaseDurationSeconds": 60}})


def test_who_gives_up_empties_the_lease(shelf: Shelf) -> None:
    leading(shelf, []).stop()
    assert holder(shelf) == ""
    assert shelf.held("lease")["spec"]["leaseDurationSeconds"] == 1


def test_a_lease_that_cannot_be_emptied_is_told_of_and_runs_out_by_itself(shelf: Shelf) -> None:
    told: list[str] = []
    leader = leading(shelf, told)
    shelf.refuses = AWAY
    leader.stop()
    assert told[-1] == str(AWAY)
    assert holder(shelf).startswith("us_")
    assert not leader.leading


def test_a_lease_that_somebody_took_meanwhile_is_left_to_them(shelf: Shelf) -> None:
    """Between our last look and our end: they were quicker."""
    leader = leading(shelf, [])
    leader._stopping.set()
    for thread in leader._threads:
        thread.join()
    taken(shelf)
    leader.stop()
    assert holder(shelf) == "them"


def test_of_two_that_take_it_at_once_the_later_one_does_not_lead_and_says_nothing(
    shelf: Shelf,
) -> None:
    told: list[str] = []
    shelf.meddling = lambda: taken(shelf)
    leader = standing(shelf, told)
    try:
        wait_for(lambda: holder(shelf) == "them", 10, "it to be taken")
        assert not leader.leading
    finally:
        leader.stop()
    assert (holder(shelf), told) == ("them", [])
