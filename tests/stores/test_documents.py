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
MEND = "; mend it there, or write the file anew"
FINITE = "; quote it or remove it (line 1)"
TAGGED = "; remove it, or quote the value (line 1)"
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
    assert contents(json.dumps(documents).encode()) == documents
    assert contents(json.dumps(documents, ensure_ascii=False, indent=2).encode()) == documents
    assert contents(orjson.dumps(documents[0])) == documents[:1]


class Quoting(yaml.SafeDumper):
    """Writes text quoted, for what is bare text in YAML 1.1 may be a number in 1.2, and repeats what is equal."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - the dumper's signature
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


Quoting.add_representer(str, _quoted)


@given(st.lists(OBJECTS, min_size=1, max_size=3), st.sampled_from([True, False, None]))
def test_yaml_is_read_as_it_was_written(documents: list[Json], flow: bool | None) -> None:  # noqa: FBT001 - from hypothesis
    text = yaml.dump_all(
        documents, Dumper=Quoting, explicit_start=True, default_flow_style=flow, sort_keys=False
    )
    assert contents(text.encode()) == documents


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("blank", [b"", b"\n", b" \r\n"])
@pytest.mark.parametrize(
    "text", [b'{"a": 1}', b'[{"a": 1}]', b"a: 1", b"---\na: 1\n---\n", b"- a: 1"]
)
def test_one_document_is_found_in_every_form_whatever_stands_before_it(
    mark: bytes, blank: bytes, text: bytes
) -> None:
    (parsed,) = parse_documents(mark + blank + text + b"\n")
    assert isinstance(parsed, Parsed)
    assert (parsed.number, parsed.content) == (0, {"a": 1})


def test_the_items_of_lists_count_one_by_one_in_either_format() -> None:
    one, two, three = ({"kind": "A", "n": n} for n in (1, 2, 3))
    listed = {"kind": "ImageScanList", "apiVersion": "v1", "items": [one, two]}
    for data in (as_json(listed, three), as_yaml(listed, three)):
        found = parse_documents(data)
        assert [(piece.number, getattr(piece, "content", None)) for piece in found] == [
            (1, one),
            (2, two),
            (3, three),
        ]


@pytest.mark.parametrize(
    "data", [b"[]", b'{"kind": "List", "items": []}', b"kind: List\nitems: []"]
)
def test_a_list_without_items_holds_no_document_and_is_no_fault(data: bytes) -> None:
    assert parse_documents(data) == ()


def test_documents_say_at_which_line_they_begin() -> None:
    found = parse_documents(b"# first\na: 1\n---\n\nb: [\n---\n---\n\n\nc: 1\n")
    assert [(piece.number, piece.line) for piece in found] == [(1, 2), (2, 5), (3, 10)]


@pytest.mark.parametrize("text", ["Off", "No", "On", "yes", "n", "2027-03-31", "2027-03-31T00:00:00Z", "1_000",
                                  "0b1", "1:30", "=", "Infinity", "NaN", "+", ".", "0x", "0o8", "+0x1F"])  # fmt: skip
def test_what_yaml_1_1_took_for_something_else_is_text(text: str) -> None:
    assert contents(f"a: {text}".encode()) == [{"a": text}]
    assert contents(f"{text}: a".encode()) == [{text: "a"}]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("NULL", None), ("true", True), ("False", False),
        ("0", 0), ("-7", -7), ("+7", 7), ("010", 10), ("0o17", 15), ("0xfF", 255),
        ("1.5", 1.5), (".5", 0.5), ("-1.", -1.0), ("1e3", 1000.0), ("+1.5E-3", 0.0015),
        ("9" * 30, 1e30), ("'1'", "1"), ('"~"', "~"), ("'true'", "true"),
    ],
)  # fmt: skip
def test_bare_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    ((found,),) = (document.values() for document in contents(f"a: {text}".encode()))
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b'{"spec": {"image": "a", "image": "b"}}', "spec.image: stands twice; remove one"),
        (b'{"a": 1, "\\u0061": 2}', "a: stands twice; remove one"),
        (b'{"kind": "List", "items": [{"a": 1}], "items": []}', "items: stands twice; remove one"),
        (b'{"kind": "List", "kind": "List", "items": []}', "kind: stands twice; remove one"),
        (b'{"a": [0, {"b c": 1, "b c": 1}]}', "a[1].'b c': stands twice; remove one"),
        (
            b"a:\n  b: 1\n  c: 2\n  b: 3\n",
            "a.b: stands twice, first at line 2; remove one (line 4)",
        ),
        (b"a: {b: 1, 'b': 1}", "a.b: stands twice, first at line 1; remove one (line 1)"),
        (b"---\na: [{b: 1, b: 1}]", "a[0].b: stands twice, first at line 2; remove one (line 2)"),
    ],
)
def test_a_key_that_stands_twice_is_told_with_its_place(data: bytes, fault: str) -> None:
    assert only_fault(data) == fault


@given(OBJECTS.filter(bool), st.booleans(), st.data())
def test_a_repeated_key_is_found_at_any_depth_however_colons_are_written(
    document: Json,
    escaped: bool,  # noqa: FBT001 - hypothesis gives it
    data: st.DataObject,
) -> None:
    text = json.dumps(document, ensure_ascii=escaped)
    key = data.draw(st.sampled_from(sorted(document)))
    again = json.dumps({key: document[key]}, ensure_ascii=not escaped)
    twice = f'{{"outer": [{text[:-1]}, {again[1:]}]}}'
    if escaped:
        twice = twice.replace("::", r":\u003a")
    (broken,) = parse_documents(twice.encode())
    assert isinstance(broken, Broken)
    assert any("stands twice" in fault.problem for fault in broken.faults)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"a: &x 1", "a: has an anchor, &x; remove it (line 1)"),
        (b"a: *x", "a: is an alias, *x; write out what it stands for (line 1)"),
        (b"*x : a", "has a key at line 1 that is an alias, *x; write out what it stands for"),
        (b"a: !!python/object:os.system x", "a: has a tag, tag:yaml.org,2002:python/object:os.system" + TAGGED),
        (b"a: !!str 1", "a: has a tag, tag:yaml.org,2002:str" + TAGGED),
        (b"<<: {a: 1}", "'<<': is a merge key; write out what it would merge (line 1)"),
        (b"8888: a", "8888: is a key that is no text; quote it (line 1)"),
        (b"a:\n  null: b", "a.null: is a key that is no text; quote it (line 2)"),
        (b"? {a: 1}\n: b", "has a key at line 1 that is no text; write it as text"),
        (b"a: .inf", "a: is inf, which is no number that JSON can write" + FINITE),
        (b"a: -.INF", "a: is -INF, which is no number that JSON can write" + FINITE),
        (b"a: .nan", "a: is nan, which is no number that JSON can write" + FINITE),
        (b"a: 1e999", "a: is 1e999, which is no number that JSON can write" + FINITE),
        (b"%YAML 1.1", "begins with a directive at line 1; remove the lines that start with %"),
        (b'{"a": NaN}', "is not JSON at line 1, column 7: unexpected character, expected a JSON value" + MEND),
        (b'{"a": 1e999}', "is not JSON at line 1, column 7: number is infinity when parsed as double" + MEND),
        (b'{"a": [1,\n2', "ends in the middle, at line 2; write the file anew, whole"),
        (b"a: [1,\n2", "is not YAML at line 3, column 1: did not find expected ',' or ']'" + MEND),
        (b'{"a": "\\u0000"}', "a: holds a NUL character; remove it"),
        (b'a: "\\0"', "a: holds a NUL character; remove it (line 1)"),
        (b"a: 1\n\0", "holds a NUL byte at line 2; write the file anew, as UTF-8 text"),
        (b"\xff\xfea\x00", "holds a NUL byte at line 1; write the file anew, as UTF-8 text"),
        (b"a: 1\nb: \xe9", "is not UTF-8 at line 2; save the file as UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "is not UTF-8 at line 1; save the file as UTF-8"),
        (b"", "holds no document; write one, or remove it"),
        (b"# nothing\n---\n", "holds no document; write one, or remove it"),
        (b"text", "must be an object, not text"),
        (b"- 1", "must be an object, not a number"),
        (b"a: \x7f", "is not YAML at line 1: control characters are not allowed" + MEND),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_its_place_and_the_cure(data: bytes, fault: str) -> None:
    assert only_fault(data) == fault


def test_a_bomb_of_aliases_is_refused_before_it_unfolds() -> None:
    lines = ["a0: &a0 [x]"] + [
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)
    ]
    (broken,) = parse_documents("\n".join(lines).encode())
    assert isinstance(broken, Broken)
    assert "has an anchor" in broken.faults[0].problem


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("before", ["", "--- "])
def test_nesting_is_read_to_its_limit_and_refused_beyond(
    before: str, opening: str, closing: str
) -> None:
    def nested(levels: int) -> bytes:
        inner = opening.replace(":", ": ") * (levels - 1) + "1" + closing * (levels - 1)
        return f'{before}{{"a": {inner}}}'.encode()

    assert isinstance(parse_documents(nested(DEPTH_LIMIT))[0], Parsed)
    for levels in (DEPTH_LIMIT + 1, 1000, 1100, 100_000):
        assert "254" in only_fault(nested(levels)) or "depth" in only_fault(nested(levels))


def test_a_broken_document_leaves_its_neighbours_readable() -> None:
    good = scan_document()
    text = as_json(good).decode()
    broken = ['{"a": [', "a: *b", "a: 'x", "%", "x: {y: 1, y: 2}", "- {"]
    stream = "\n---\n".join([text, *(f"{bad}\n---\n{text}" for bad in broken)])
    found = parse_documents(f"---\n{stream}\n".encode())
    assert [isinstance(piece, Parsed) for piece in found] == [True] + [False, True] * len(broken)
    assert all(piece.content == good for piece in found if isinstance(piece, Parsed))


def test_a_broken_item_leaves_the_other_items_of_a_list_readable() -> None:
    good, bad = '{"a": 1}', '{"b": {"c": 1, "c": 2}}'
    for text in (
        f"[{good}, {bad}, {good}, 7]",
        f'{{"kind": "List", "items": [{good}, {bad}, {good}, 7]}}',
        f"- {good}\n- {bad}\n- {good}\n- 7",
        f"kind: List\nitems:\n- {good}\n- {bad}\n- {good}\n- 7",
    ):
        found = parse_documents(text.encode())
        assert [isinstance(piece, Parsed) for piece in found] == [True, False, True, False]
        assert isinstance(found[1], Broken)
        assert found[1].faults[0].path == "b.c"


@pytest.mark.parametrize("separator", [",", ",\n- "])
def test_more_flaws_than_are_listed_make_the_whole_unreadable(separator: str) -> None:
    """Past the limit nobody looks, so nothing there may count as sound."""
    items = separator.join(['{"a": 1, "a": 2}'] * (FLAW_LIMIT + 1) + ['{"a": 1}'])
    text = f"[{items}]" if separator == "," else f"- {items}".replace(",\n", "\n")
    (broken,) = parse_documents(text.encode())
    assert isinstance(broken, Broken)
    assert len(broken.faults) == FLAW_LIMIT + 1


def test_numbers_too_long_for_python_are_no_trouble() -> None:
    assert "infinity" in only_fault(b'{"a": ' + b"9" * 5000 + b"}")
    assert "no number" in only_fault(b"a: " + b"9" * 5000)
    assert "too large" in only_fault(b"a: 0x" + b"f" * 5000)
    assert contents(b'{"a": 1, "b": "\\u00e9' + b'", "c": 0.' + b"9" * 5000 + b"}")
