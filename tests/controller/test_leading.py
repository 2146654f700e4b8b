"""A mandate ends by itself, and the pace of writes is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.mandate import Lost, Mandate, unlimited
from webhook.controller.pace import Pace
from webhook.kubeerrors import KubeError


class Clock:
    def __init__(self) -> None:
        self.time = 100.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


def test_a_mandate_holds_from_when_it_is_given_until_its_time() -> None:
    clock = Clock()
    mandate = Mandate(clock)
    assert not mandate.holds

    mandate.extend(110.0)
    mandate.insist()
    clock.time = 110.0

    assert not mandate.holds
    with pytest.raises(Lost, match="the next leader goes on"):
        mandate.insist()


def test_it_can_be_taken_back_and_ended_for_good() -> None:
    mandate = Mandate(Clock())
    held = []
    for until in (110.0, float("-inf"), 110.0):
        mandate.extend(until)
        held.append(mandate.holds)

    mandate.end()
    mandate.extend(120.0)

    assert held == [True, False, True]
    assert not mandate.holds


def test_who_works_alone_always_may() -> None:
    unlimited().insist()


def test_to_have_lost_is_an_error_of_the_clusters() -> None:
    assert issubclass(Lost, KubeError)


@given(st.lists(st.floats(0, 0.3), max_size=50), st.floats(1, 50))
def test_no_more_writes_than_the_rate_in_any_second(works: list[float], rate: float) -> None:
    clock = Clock()
    pace = Pace(rate, clock=clock, sleep=clock.sleep)
    written = []
    for work in works:
        pace.wait()
        written.append(clock.time)
        clock.time += work

    for first, last in zip(written, written[int(rate) + 1 :], strict=False):
        assert last - first >= 1 - 1e-6


def test_a_rest_saves_nothing_up() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    clock.time += 100
    pace.wait()
    began = clock.time

    pace.wait()

    assert clock.time - began == pytest.approx(0.1)
