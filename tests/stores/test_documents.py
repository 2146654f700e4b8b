"""Bytes become documents, each by itself; nothing that a file can hold raises."""

import json

import orjson
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.stores.samples import Json, as_json, as_yaml, scan_document
from webhook.stores.documents import Broken, Parsed, parse_documents
from webhook.stores.tree import DEPTH_LIMIT, FLAW_LIMIT

# What both formats can say; libyaml reads no other characters unless they are escaped, which the dumper sees to.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)


def contents(data: bytes) -> list[Json]:
    """Give the documents of a file that is all readable."""
    found = parse_documents(data)
    assert not [piece for piece in found if isinstance(piece, Broken)]
    return [piece.content for piece in found if isinstance(piece, Parsed)]


def only_fault(data: bytes) -> str:
    """Give the one fault of a file that holds nothing else."""
    (broken,) = parse_documents(data)
    assert isinstance(broken, Broken)
    (fault,) = broken.faults
    return str(fault)


@given(st.binary(max_size=300))
@example(b"")
@example(b"\xef\xbb\xbf")
@example(b"{")
@example(b"? [a]\n: b")
@example(b"*a : b")
@example(b"- - - -\n ?")
@example(b"- !<tag:x> *y")
@example(b'{"a": ' + b"9" * 5000 + b"}")
@example(b"a: " + b"9" * 5000)
@example(b"a: 0x" + b"f" * 5000)
def test_no_bytes_make_reading_raise(data: bytes) -> None:
    for piece in parse_documents(data):
        assert isinstance(piece, Parsed) or piece.faults


@given(st.text("{}[]:,\"'-#&*!|>%@?abc01~. \n\t\r\\<", max_size=60))
def test_no_punctuation_makes_reading_raise(text: str) -> None:
    for piece in parse_documents(text.encode()):
        assert isinstance(piece, Parsed) or piece.faults


@given(st.lists(OBJECTS, min_size=1, max_size=3))
def test_json_is_read_as_it_was_written(documents: list[Json]) -> None:
    assert contents(json.dumps(documents).encode()) == [
        d for document in documents for d in unlisted(document)
    ]
    assert contents(orjson.dumps(documents[0])) == unlisted(documents[0])


@given(st.lists(OBJECTS, min_size=1, max_size=3), st.booleans())
def test_yaml_is_read_as_it_was_written(documents: list[Json], plain: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    text = yaml.safe_dump_all(documents, allow_unicode=plain, explicit_start=True)
    dumped = [document for document in documents if not has_numbers_only_in_11(document)]
    if dumped == documents and "&id" not in text and "\n..." not in text:
        found = parse_documents(text.encode())
        assert [p.content for p in found if isinstance(p, Parsed)] == [
            d for document in documents for d in unlisted(document)
        ]


def has_numbers_only_in_11(value: object) -> bool:
    """Tell whether the dumper writes something that means another thing in YAML 1.1, as `<<` or `=`."""
    if isinstance(value, dict):
        return any(has_numbers_only_in_11(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(has_numbers_only_in_11(item) for item in value)
    return isinstance(value, str) and value[:2] in ("0o",)


def unlisted(document: Json) -> list[Json]:
    return [document]
