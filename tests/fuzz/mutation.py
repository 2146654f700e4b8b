"""Inputs near those of the corpus, for Hypothesis: bytes changed, cut, doubled and spliced, and odd tokens put in."""

import re
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

from tests.fuzz.target import LONGEST

# What parsers of JSON and text stumble over; of what is large there is enough to pass a limit, not a machine's memory.
ODD = (
    *(
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-0",
        b"1.5",
        b"true",
        b"null",
        b'""',
        b"[]",
        b"{}",
        b"0x10",
    ),
    *(
        b'"\\ud800"',
        b'"\\udc00\\ud800"',
        b'"\\u0000"',
        b'"\\u202e"',
        b'"\\u000a"',
        b'"\xed\xa0\x80"',
    ),
    *(
        b"18446744073709551616",
        b"-9223372036854775809",
        b"9" * 400,
        b"9" * 5000,
        b'"' + b"x" * 5000 + b'"',
    ),
    *(b"[" * 300 + b"]" * 300, b'{"a":' * 300 + b"1" + b"}" * 300, b"[" * 9000, b'[{"":' * 2000),
    *(
        b"\xef\xbb\xbf",
        b"\x00",
        b"\xff",
        b"\xc0\x80",
        b"\r",
        b"\n",
        b"\x1b[31m",
        b"\xe2\x80\xa8",
        b"\n" * 60,
    ),
)
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.){0,200}"|-?[0-9][0-9.eE+-]*|true|false|null')
_KEY = re.compile(rb'"[A-Za-z]{1,40}" ?:')

Draw = Callable[[st.SearchStrategy[int]], int]
Change = Callable[[Draw, bytes, Sequence[bytes]], bytes]


def _below(draw: Draw, end: int) -> int:
    return draw(st.integers(0, max(end - 1, 0)))


def _span(draw: Draw, data: bytes) -> tuple[int, int]:
    """Choose a span, mostly a short one."""
    start = _below(draw, len(data) + 1)
    return start, min(start + draw(st.sampled_from((1, 2, 4, 16, 64, 512, 4096))), len(data))


def _chosen(draw: Draw, words: Sequence[bytes]) -> bytes:
    return words[_below(draw, len(words))]


def _flipped(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\x80"
    place = _below(draw, len(data))
    return data[:place] + bytes((data[place] ^ 1 << _below(draw, 8),)) + data[place + 1 :]


def _inserted(draw: Draw, data: bytes, words: Sequence[bytes]) -> bytes:
    place = _below(draw, len(data) + 1)
    return data[:place] + _chosen(draw, words) + data[place:]


def _overwritten(draw: Draw, data: bytes, words: Sequence[bytes]) -> bytes:
    place, word = _below(draw, len(data) + 1), _chosen(draw, words)
    return data[:place] + word + data[place + len(word) :]


def _token(draw: Draw, data: bytes, words: Sequence[bytes]) -> bytes:
    """Put something odd where a value of JSON or a key stands."""
    found = list(_TOKEN.finditer(data))
    if not found:
        return _inserted(draw, data, words)
    one = found[_below(draw, len(found))]
    return data[: one.start()] + _chosen(draw, ODD) + data[one.end() :]


def _doubled_key(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    found = list(_KEY.finditer(data))
    if not found:
        return data + data
    one = found[_below(draw, len(found))]
    return data[: one.start()] + one[0] + _chosen(draw, ODD) + b"," + data[one.start() :]


def _removed(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(draw, data)
    return data[:start] + data[end:]


def _repeated(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = _span(draw, data)
    times = draw(st.sampled_from((2, 3, 40)))
    return data[:start] + data[start:end] * times + data[end:]


def _truncated(draw: Draw, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: _below(draw, len(data) + 1)]


_CHANGES: tuple[Change, ...] = (
    *(_flipped, _inserted, _overwritten, _token, _token, _token),
    *(_doubled_key, _removed, _repeated, _truncated),
)


@st.composite
def near(draw: st.DrawFn, inputs: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    """Draw an input that differs from one of these in a few places, or is spliced of two."""
    data = draw(st.sampled_from(inputs))
    if draw(st.integers(0, 7)) == 7:
        other = draw(st.sampled_from(inputs))
        data = data[: _below(draw, len(data) + 1)] + other[_below(draw, len(other) + 1) :]
    for change in draw(st.lists(st.sampled_from(_CHANGES), min_size=1, max_size=4)):
        data = change(draw, data, words)
    return data[:LONGEST]
