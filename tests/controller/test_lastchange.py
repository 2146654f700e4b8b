"""The time of the last change is that of the last value that was another than the one before."""

from __future__ import annotations

from itertools import pairwise
from math import inf

from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.lastchange import LastChange


@given(st.lists(st.integers(0, 2)))
def test_it_is_the_time_of_the_last_that_differed(values: list[int]) -> None:
    change: LastChange[int] = LastChange()
    for at, value in enumerate(values):
        change.note(value, at)
    differed = [at for at, (one, other) in enumerate(pairwise(values), 1) if one != other]
    assert change.at == max(differed, default=-inf)
