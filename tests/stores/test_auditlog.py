"""Reading a log gives every record in it, and says where what is none stands, whatever that is."""

import gzip
import io
import json
import os
import random
import zlib
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.auditentries import a_record, an_entry, read, violating, write_log
from webhook.core.requirements import RULES
from webhook.server.auditline import LINE_LIMIT as WRITTEN_LIMIT
from webhook.stores.auditlog import (
    LINE_LIMIT,
    BrokenLog,
    Entry,
    NoLog,
    Unreadable,
    read_line,
    read_log,
    read_stream,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def problem(line: bytes) -> str:
    found = read_line(line, "log:7")
    assert isinstance(found, Unreadable)
    assert found.place == "log:7"
    return found.problem


def test_an_entry_holds_the_whole_record_and_what_queries_ask_of_it() -> None:
    record = a_record(violations=violating("uid-1000", "nb-prefix"), suppressed=4, dryRun=True)
    entry = an_entry(**record)
    assert entry.record == record
    assert (entry.namespace, entry.notebook, entry.user) == ("team-a", "my-nb", "ada@example.com")
    assert [reason.requirement for reason in entry.reasons] == ["uid-1000", "nb-prefix"]
    assert entry.time == 1_795_000_000
    assert entry.dry_run
    assert entry.count == 5


def test_an_entry_never_changes() -> None:
    with pytest.raises(FrozenInstanceError):
        an_entry().user = "eve"  # type: ignore[misc]  # what must fail


def test_a_record_needs_a_time_and_a_decision_and_nothing_else() -> None:
    line = b'{"time":"2026-01-01T00:00:00Z","decision":"denied"}'
    found = read_line(line, "log:1")
    assert isinstance(found, Entry)
    assert (found.user, found.canonical, found.reasons, found.count) == ("", "", (), 1)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"time": None}, "time must be a time like"),
        ({"time": 5}, "time must be text, not a number"),
        ({"time": "yesterday"}, "time must be a time like"),
        ({"decision": "maybe"}, "decision must be one of allowed, warned, denied"),
        ({"decision": None}, "decision must be one of"),
        ({"user": ["ada"]}, "user must be text, not a list"),
        ({"dryRun": "no"}, "dryRun must be true or false"),
        ({"violations": "many"}, "violations must be a list, not text"),
        ({"violations": ["uid-1000"]}, "violations[0] must be an object"),
        ({"violations": [{"requirement": 1}]}, "requirement must be text"),
        ({"exemptions": [1]}, "exemptions must be a list of text"),
        ({"suppressed": "2"}, "suppressed must be a whole number"),
        ({"suppressed": -1}, "suppressed must not be negative"),
        ({"suppressed": True}, "suppressed must be a whole number"),
        ({"suppressed": 1e300}, "suppressed must be a whole number"),
    ],
)
def test_a_field_of_a_wrong_type_is_named(changes: dict[str, Any], told: str) -> None:
    found = problem(orjson.dumps(a_record(**changes)))
    assert found.startswith(f"is not an audit record: {told}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"Listening on 0.0.0.0:8443\n", "is not JSON"),
        (b'{"time":"2026-\n', "is not JSON"),
        (b'{"time":"2026-', "is not JSON: it is cut off, or being written now"),
        (b"\0\0\0\0\n", "is not JSON"),
        (b"\xff\xfe\n", "is not JSON"),
        (b"5\n", "is a number, not an audit record"),
        (b"[]\n", "is a list, not an audit record"),
        (b"null\n", "is null, not an audit record"),
        (b"{}\n", "is not an audit record: time must be a time"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":' * 200 + b"1" + b"}" * 200, "it is nested more than 32 deep"),
    ],
)
def test_a_foreign_line_is_told_apart(line: bytes, told: str) -> None:
    assert told in problem(line)


def test_unreadable_lines_are_placed_and_end_nothing(path: Path) -> None:
    write_log(path, a_record(uid="1"), b"torn{\n", b"\n", a_record(uid="2"), b"{}\n", b'{"time')
    entries, told = read(path)
    assert entries == ["1", "2"]
    assert [line.split(" ")[0] for line in told] == [f"{path}:{n}:" for n in (2, 5, 6)]


def test_empty_lines_are_passed_over(path: Path) -> None:
    write_log(path, b"\n", a_record(uid="1"), b"\n \r\n", a_record(uid="2"))
    assert read(path) == (["1", "2"], [])


def test_a_last_record_without_its_newline_counts(path: Path) -> None:
    write_log(path, a_record(uid="1"), orjson.dumps(a_record(uid="2")))
    assert read(path) == (["1", "2"], [])


def test_too_long_a_line_is_skipped_whole_and_in_bounded_memory(path: Path) -> None:
    write_log(path, a_record(uid="1"), b"x" * (3 * LINE_LIMIT) + b"\n", a_record(uid="2"))
    assert read(path) == (["1", "2"], [f"{path}:2: is longer than {LINE_LIMIT} bytes"])
    assert WRITTEN_LIMIT < LINE_LIMIT


@pytest.mark.parametrize("more", [0, 1])
def test_the_bound_on_a_line_is_exact(path: Path, more: int) -> None:
    empty = len(orjson.dumps(a_record(user=""))) + 1
    write_log(path, a_record(user="x" * (LINE_LIMIT - empty + more)), a_record(uid="next"))
    entries, told = read(path)
    assert entries == (["next"] if more else ["u-1", "next"])
    assert len(told) == more


def test_a_long_last_line_without_end_ends_the_reading(path: Path) -> None:
    write_log(path, a_record(uid="1"), b"x" * (2 * LINE_LIMIT + 1))
    assert read(path) == (["1"], [f"{path}:2: is longer than {LINE_LIMIT} bytes"])


def test_a_compressed_log_is_read_whatever_its_name(path: Path) -> None:
    line = orjson.dumps(a_record(uid="1")) + b"\n"
    path.write_bytes(gzip.compress(line) + gzip.compress(line.replace(b'"1"', b'"2"')))
    assert read(path) == (["1", "2"], [])


@pytest.mark.parametrize("name", ["audit.jsonl.gz", "audit.jsonl"])
def test_the_name_does_not_make_a_log_compressed(tmp_path: Path, name: str) -> None:
    assert read(write_log(tmp_path / name, a_record(uid="1"))) == (["1"], [])


@pytest.mark.parametrize("harm", ["cut", "broken", "invalid", "not gzip after all"])
def test_compressed_data_that_breaks_off_is_placed(path: Path, harm: str) -> None:
    rolling = random.Random(0)
    uids = [rolling.randbytes(400).hex() for _ in range(200)]
    packed = gzip.compress(b"".join(orjson.dumps(a_record(uid=uid)) + b"\n" for uid in uids))
    middle = len(packed) // 2
    harmed = {
        "cut": packed[:middle],
        "broken": packed[:middle] + b"\0" * 64 + packed[middle + 64 :],
        "invalid": packed[:10] + b"\xff" * 8 + packed[18:],  # a kind of block that there is not
        "not gzip after all": packed[:2] + b"{}" + packed[4:],
    }
    path.write_bytes(harmed[harm])
    entries, told = read(path)
    assert len(entries) < 200
    assert (
        told[-1]
        == f"{path}:{len(entries) + len(told)}: the compressed data is cut off or broken here"
    )


def test_a_log_that_is_packed_to_nothing_is_read_in_bounded_memory(path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [packer.compress(b"x" * 1_000_000) for _ in range(50)]
    path.write_bytes(b"".join(packed) + packer.flush())
    assert path.stat().st_size < 100_000
    assert read(path) == ([], [f"{path}:1: is longer than {LINE_LIMIT} bytes"])


def test_a_missing_log_is_named_with_a_cure(path: Path) -> None:
    with pytest.raises(NoLog, match=r"audit\.jsonl: No such file or directory: name an audit log"):
        list(read_log(path))


def test_a_folder_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(NoLog, match="Is a directory"):
        list(read_log(tmp_path))


class FailingDisk(io.BytesIO):
    """Gives some lines, then fails."""

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if not line:
            raise OSError(5, os.strerror(5))
        return line


def test_a_disk_that_fails_while_it_is_read_is_told_with_the_place() -> None:
    source = FailingDisk(orjson.dumps(a_record()) + b"\n")
    with pytest.raises(BrokenLog, match="log:2: Input/output error: check its disk"):
        list(read_stream(source, "log"))


@pytest.mark.parametrize("character", ["\n", "\x1b", "\x7f", "\x9b", "\u202e", "\u2066", "\u2028"])
def test_no_text_of_an_entry_can_move_a_terminal(character: str) -> None:
    text = f"a{character}b"
    found = read_line(
        json.dumps(a_record(user=text, patch=[{"value": {text: [text]}}])).encode(), "log:1"
    )
    assert isinstance(found, Entry)
    assert found.user == "a?b"
    assert found.record["patch"] == [{"value": {"a?b": ["a?b"]}}]


def test_what_stands_in_a_line_unescaped_is_cleaned_too() -> None:
    found = read_line(orjson.dumps(a_record(user="a\u202e\x7f")), "log:1")
    assert isinstance(found, Entry)
    assert found.user == "a??"


LINES = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=50).map(str.encode),
    st.fixed_dictionaries(
        {"time": st.sampled_from(["2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "x"])},
        optional={
            "decision": st.sampled_from(["denied", "allowed", "?", None, 1]),
            "user": st.text(st.characters(codec="utf-8"), max_size=9) | st.integers(),
            "violations": st.lists(
                st.fixed_dictionaries({"requirement": st.sampled_from([*RULES, "", None])})
            )
            | st.none()
            | st.text(max_size=3),
            "suppressed": st.integers() | st.floats(),
            "deep": st.recursive(st.none(), lambda d: st.lists(d, max_size=2), max_leaves=9),
        },
    ).map(lambda record: json.dumps(record).encode()),
)


@given(st.lists(LINES, max_size=20), st.booleans())
def test_any_bytes_give_entries_and_places_and_nothing_else(
    lines: list[bytes],
    ended: bool,  # noqa: FBT001 - hypothesis draws it
) -> None:
    log = b"\n".join(lines) + (b"\n" if ended else b"")
    items = list(read_stream(io.BytesIO(log), "log"))
    present = [n for n, line in enumerate(log.split(b"\n"), 1) if line and not line.isspace()]
    assert len(items) == len(present)
    for number, item in zip(present, items, strict=True):
        if isinstance(item, Unreadable):
            assert item.place == f"log:{number}"
            assert item.problem.isprintable()
        else:
            assert item.count >= 1
            assert item.user.isprintable()
            orjson.dumps(item.record)


@given(st.lists(st.sampled_from([b'{"time":"20', b"junk", b"\0"]), max_size=5), st.integers(0, 9))
def test_every_whole_record_is_found_whatever_stands_between(junk: list[bytes], count: int) -> None:
    good = [orjson.dumps(a_record(uid=str(n))) for n in range(count)]
    mixed = [line for pair in zip(good, [*junk, *[b""] * 9], strict=False) for line in pair]
    items = read_stream(io.BytesIO(b"\n".join(mixed)), "log")
    assert [i.record["uid"] for i in items if isinstance(i, Entry)] == [
        str(n) for n in range(count)
    ]
