"""How long a server is waited for, by the account that waiting spends and bytes fill."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.scanner.sources.patience import Allowance, Deadline, OutOfPatience


def test_bytes_that_came_fast_buy_no_pause_longer_than_the_whole_account() -> None:
    allowance = Allowance(10, rate=100)
    allowance.arrived(1_000_000, waited=0.0)
    assert allowance.left() == 10
    allowance.arrived(0, waited=10)
    with pytest.raises(OutOfPatience):
        allowance.left()


@given(st.lists(st.tuples(st.integers(0, 1000), st.floats(0, 5)), max_size=200))
def test_waiting_is_never_longer_than_the_account_and_what_the_bytes_earn(
    pieces: list[tuple[int, float]],
) -> None:
    allowance = Allowance(10, rate=100)
    waited, size = 0.0, 0
    for arrived, wanted in pieces:
        try:
            seconds = min(wanted, allowance.left())
        except OutOfPatience:
            break
        allowance.arrived(arrived, seconds)
        waited, size = waited + seconds, size + arrived
    assert waited <= 10 + size / 100 + 1e-6


def test_a_deadline_is_moved_by_nothing() -> None:
    deadline = Deadline(0)
    deadline.arrived(10**9, 0.0)
    with pytest.raises(OutOfPatience, match="within 0 s"):
        deadline.left()
    later = Deadline(100)
    assert later.sooner(deadline) is deadline
    assert 99 < later.left() <= 100
