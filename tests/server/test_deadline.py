"""The API server's `?timeout=`: read as it writes it, refused otherwise, and never overrun by what is kept back."""

import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.server.deadline import KEPT_BACK_SECONDS, is_late, parse_timeout

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}
SECONDS = st.floats(0, 1e6, allow_nan=False)


@given(st.integers(0, 99999), st.sampled_from(sorted(UNITS)))
def test_a_duration_is_read_in_seconds(amount: int, unit: str) -> None:
    assert parse_timeout(f"timeout={amount}{unit}") == pytest.approx(amount * UNITS[unit])


@pytest.mark.parametrize(
    "query", ["timeout=10s&dryRun=All", "a=b&timeout=10s", "timeout=10s&timeout=99s"]
)
def test_it_is_found_anywhere_and_the_first_one_counts(query: str) -> None:
    assert parse_timeout(query) == 10.0


@pytest.mark.parametrize(
    "query", ["", "a=b", "xtimeout=3s", "Timeout=3s", "timeout", "a=timeout=3s"]
)
def test_without_one_there_is_none(query: str) -> None:
    assert parse_timeout(query) is None


@pytest.mark.parametrize(
    "value",
    [
        "",
        "10",
        "-1s",
        "+1s",
        "1e3s",
        "1d",
        "infs",
        "nan",
        "1.s",
        ".5s",
        "10s ",
        "999999s",
        "1s1",
        "s",
    ],
)
def test_what_is_no_duration_is_refused_with_the_cure(value: str) -> None:
    with pytest.raises(ValueError, match='like "10s"'):
        parse_timeout(f"timeout={value}")


@given(st.text(max_size=30) | st.text("0123456789.smh-&=", max_size=12).map("timeout={}".format))
@example("timeout=3000h")
def test_any_query_gives_a_timeout_or_none_or_a_value_error(query: str) -> None:
    """At most four parts, each below 100,000 hours."""
    with contextlib.suppress(ValueError):
        found = parse_timeout(query)
        assert found is None or 0 <= found < 4 * 100_000 * 3600


@given(SECONDS)
def test_without_a_timeout_nothing_is_late(waited: float) -> None:
    assert not is_late(None, waited)


@given(SECONDS, SECONDS)
def test_a_part_of_the_timeout_is_kept_for_the_answer(timeout: float, waited: float) -> None:
    assert is_late(timeout, waited) == (waited > 0 and waited > timeout - KEPT_BACK_SECONDS)


@given(SECONDS, SECONDS, SECONDS)
def test_what_is_late_stays_late(timeout: float, waited: float, longer: float) -> None:
    assert is_late(timeout, waited + longer) or not is_late(timeout, waited)
