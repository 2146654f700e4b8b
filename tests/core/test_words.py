"""Words of anybody's made fit for one line."""

import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.words import clean, cut, cut_front


@given(st.text())
def test_a_clean_text_breaks_no_line_and_no_terminal(text: str) -> None:
    result = clean(text)
    assert len(result) == len(text)
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Cs") for c in result)
    assert result.isprintable()
    assert clean(result) == result


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "ab..."),
        ("a\nb", 9, "a?b"),
        ("\x1b[31mred", 9, "?[31mred"),
        ("\u202eevil", 9, "?evil"),
        ("", 0, ""),
    ],
)
def test_a_cut_text_says_that_something_is_missing(text: str, limit: int, expected: str) -> None:
    assert cut(text, limit) == expected


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 5, "...ef"),
        ("abcdef", 3, "..."),
        ("a\nb", 9, "a?b"),
        ("", 0, ""),
    ],
)
def test_a_name_is_cut_from_its_front(text: str, limit: int, expected: str) -> None:
    assert cut_front(text, limit) == expected


@given(st.text(), st.integers(3, 50))
def test_a_cut_text_keeps_its_limit_and_is_clean(text: str, limit: int) -> None:
    for result in (cut(text, limit), cut_front(text, limit)):
        assert len(result) <= limit
        assert result.isprintable()


@pytest.mark.parametrize("shorten", [cut, cut_front])
def test_a_long_text_is_cut_before_it_is_cleaned(shorten: Callable[[str, int], str]) -> None:
    """Cleaning a megabyte of control characters takes 60 ms, and a decision cuts an image several times."""
    text = "\x9b" * 1_500_000
    assert min(_seconds(shorten, text) for _ in range(3)) < 0.010


def _seconds(shorten: Callable[[str, int], str], text: str) -> float:
    start = time.process_time()
    shorten(text, 120)
    return time.process_time() - start
