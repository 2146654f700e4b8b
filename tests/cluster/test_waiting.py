from __future__ import annotations

import time

import pytest

from tests.cluster.waiting import wait_for


def test_first_true_value_is_returned() -> None:
    values = iter([None, 0, "", "here"])

    assert wait_for(lambda: next(values), 5, "a value") == "here"


def test_error_tells_what_was_waited_for_and_what_was_seen_last() -> None:
    with pytest.raises(TimeoutError, match=r"waited 0\.1 s in vain for two pods; seen last: \[\]"):
        wait_for(list, 0.1, "two pods")


def test_ignored_exception_means_not_yet_and_is_told_at_the_end() -> None:
    def look() -> str:
        raise KeyError("status")

    with pytest.raises(TimeoutError, match=r"seen last: KeyError\('status'\)"):
        wait_for(look, 0.1, "a status", ignoring=(KeyError,))


def test_other_exception_ends_the_wait_at_once() -> None:
    def look() -> str:
        raise ValueError("broken")

    began = time.monotonic()
    with pytest.raises(ValueError, match="broken"):
        wait_for(look, 60, "what never comes", ignoring=(KeyError,))
    assert time.monotonic() - began < 30
