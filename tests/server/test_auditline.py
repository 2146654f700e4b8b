"""A record is one bounded, printable line of JSON, whatever users wrote."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.refusals import a_record
from webhook.server.auditline import LINE_LIMIT, encode
from webhook.server.auditsink import AuditError

TEXTS = st.text(st.characters(codec="utf-8"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def violations(count: int, message: str) -> list[dict[str, str]]:
    return [
        {"requirement": "uid-1000", "action": "Deny", "message": f"{n} {message}"}
        for n in range(count)
    ]


def decoded(line: bytes) -> dict[str, Any]:
    assert line.endswith(b"\n")
    assert len(line) <= LINE_LIMIT
    assert line[:-1].decode().isprintable()
    read: dict[str, Any] = json.loads(line)
    return read


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_a_line_is_printable_and_reads_back_as_the_record(record: dict[str, Any]) -> None:
    assert decoded(encode(record)) == record


@pytest.mark.parametrize(
    "character",
    ["\n", "\r", "\x1b", "\x7f", "\x9b", "\u2028", "\u202e", "\u2066", "\u200f", "\U000e0001"],
)
def test_what_moves_a_terminal_stands_in_a_line_only_as_an_escape(character: str) -> None:
    line = encode({"user": f"a{character}b"})
    assert character not in line[:-1].decode()
    assert decoded(line)["user"] == f"a{character}b"


def test_a_record_as_the_core_builds_it_is_written_whole() -> None:
    record = a_record()
    assert decoded(encode(record)) == record


def test_a_record_of_exactly_the_limit_is_written_whole() -> None:
    rest = len(encode({"user": ""}))
    record = {"user": "x" * (LINE_LIMIT - rest)}
    assert len(encode(record)) == LINE_LIMIT
    assert decoded(encode(record)) == record


def test_too_long_a_record_loses_its_last_violations_and_says_how_many() -> None:
    record = a_record(violations=violations(100, "\u202e" * 512))
    read = decoded(encode(record))
    kept = read["violations"]
    assert 1 < len(kept) < 100
    assert kept == list(record["violations"])[: len(kept)]
    assert read.pop("omitted") == {"violations": 100 - len(kept)}
    assert {**read, "violations": record["violations"]} == record


def test_no_more_is_lost_than_must_be() -> None:
    read = decoded(encode(a_record(violations=violations(500, "m" * 500))))
    one_more = len(json.dumps(read["violations"][-1]))
    assert len(encode(read)) > LINE_LIMIT - one_more - 100


@pytest.mark.parametrize("name", ["groups", "warnings", "exemptions", "patch"])
def test_other_lists_are_cut_when_the_violations_are_not_what_is_long(name: str) -> None:
    record = a_record(**{name: ["\u00e9" * 500] * 200})
    read = decoded(encode(record))
    assert len(read["violations"]) >= 1
    assert 0 < len(read[name]) < 200
    assert read["omitted"][name] == 200 - len(read[name])


@settings(deadline=None)  # the longest take 50 ms, and a busy machine is slower
@given(st.integers(0, 300), st.integers(0, 2000), st.sampled_from(["x", "\u00e9", "\u202e", '"']))
def test_whatever_its_lists_hold_a_record_keeps_its_first_violation_and_its_fields(
    count: int, length: int, character: str
) -> None:
    text = character * length
    record = a_record(violations=violations(count, text), warnings=[text] * 30, groups=[text] * 32)
    read = decoded(encode(record))
    assert record.keys() <= read.keys()
    assert read["violations"][:1] == list(record["violations"])[:1]


def test_a_record_that_is_long_without_its_lists_is_refused_in_words() -> None:
    with pytest.raises(AuditError, match="65536 bytes even without its lists"):
        encode(a_record(user="x" * LINE_LIMIT))


@pytest.mark.parametrize("value", [object(), "\ud800", 2**80])
def test_what_json_cannot_hold_is_refused_in_words(value: object) -> None:
    with pytest.raises(AuditError, match="is no JSON"):
        encode({"user": value})
