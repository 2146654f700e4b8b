"""A list is read as it comes, whatever parts it comes in; one that is none, or that breaks off, is an error."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import pairwise, repeat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kube.test_connecting import answering, kube_at
from webhook import kube as limits
from webhook.kube import IMAGE_SCANS, Event
from webhook.kubeerrors import Expired, Forbidden, KubeError, Unreachable
from webhook.kubelist import OBJECT_LIMIT, BrokenList, ListReader

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False)),
    lambda deeper: st.one_of(st.lists(deeper), st.dictionaries(st.text(), deeper)),
    max_leaves=4,
)
OBJECTS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), max_size=4)
OTHERS = st.dictionaries(
    st.sampled_from(["apiVersion", "kind", "code", "extra", "b"]), VALUES, max_size=3
)
LAYOUTS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {"indent": 2},
    {"ensure_ascii": False},
]


def in_parts(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    ends = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(ends):
        yield data[start:end]


def whole(data: bytes, cuts: list[int]) -> tuple[list[dict[str, Any]], ListReader]:
    reader = ListReader()
    return fed(reader, in_parts(data, cuts)), reader


def fed(reader: ListReader, parts: Iterable[bytes]) -> list[dict[str, Any]]:
    return [one for part in parts for one in reader.feed(part)]


@given(
    objects=OBJECTS,
    before=OTHERS,
    after=OTHERS,
    layout=st.sampled_from(LAYOUTS),
    cuts=st.lists(st.integers(0, 10_000), max_size=12),
)
def test_a_list_in_any_parts_is_what_it_is_in_one(
    objects: list[dict[str, Any]],
    before: dict[str, Any],
    after: dict[str, Any],
    layout: dict[str, Any],
    cuts: list[int],
) -> None:
    told = {**before, "items": objects, "metadata": {"resourceVersion": "17"}}
    text = json.dumps(told | {k: v for k, v in after.items() if k not in told}, **layout)
    found, reader = whole(text.encode(), cuts)
    assert found == objects
    assert (reader.version, reader.done) == ("17", True)


TRICKY: list[dict[str, Any]] = [
    {"a": -1.5e-3, "b": 10, "c": [0.5, 1e9], "é": '\u00e9\\ " }', "t": True, "n": None},
    {"items": [{"items": []}], "metadata": {"resourceVersion": "1"}},
    {},
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_wherever_a_list_is_cut_it_is_the_same(layout: dict[str, Any]) -> None:
    told = {"code": 2.5, "items": TRICKY, "metadata": {"resourceVersion": "17", "x": 1.25}, "z": 7}
    text = json.dumps(told, **layout).encode()
    for cut in range(len(text)):
        found, reader = whole(text, [cut])
        assert (found, reader.version, reader.done) == (TRICKY, "17", True)


@given(objects=OBJECTS, data=st.data())
def test_a_list_that_breaks_off_is_not_done(
    objects: list[dict[str, Any]], data: st.DataObject
) -> None:
    text = json.dumps({"items": objects, "metadata": {"resourceVersion": "17"}}).encode()
    end = data.draw(st.integers(0, len(text) - 1))
    assert not whole(text[:end], [7])[1].done


def test_a_list_of_nothing_may_say_so_with_null() -> None:
    found, reader = whole(b'{"items":null,"metadata":{"resourceVersion":"1"}}', [3, 12])
    assert (found, reader.done) == ([], True)


@pytest.mark.parametrize(
    "data",
    [
        b"[]",
        b"x",
        b'{"items":[1 ,',
        b'{"items":["a",',
        b'{"a" 1',
        b"\xff\xff",
        b'{"items":[{"a"}' * 2,
    ],
)
def test_what_is_no_list_is_told(data: bytes) -> None:
    many = repeat(data * 10_000, OBJECT_LIMIT // len(data) // 10_000 + 2)
    with pytest.raises(BrokenList):
        fed(ListReader(), many)


def test_an_object_that_never_ends_is_told_before_it_fills_the_memory() -> None:
    with pytest.raises(BrokenList):
        fed(ListReader(), [b'{"items":[{"a":"', *repeat(b"x" * (1 << 20), 20)])


def test_an_object_that_nests_without_end_is_told() -> None:
    with pytest.raises(BrokenList):
        ListReader().feed(b'{"items":[{"a":' + b"[" * 100_000)


# -- From a server -----------------------------------------------------------------------------------


def scans(count: int) -> bytes:
    items = [{"metadata": {"name": f"scan-{number}"}} for number in range(count)]
    return json.dumps({"items": items, "metadata": {"resourceVersion": "17"}}).encode()


def listed(folder: Path, url: str) -> tuple[int, str]:
    with kube_at(folder, url) as kube:
        parts = list(kube.cached(IMAGE_SCANS, version="3"))
    return sum(len(part.items) for part in parts), parts[-1].version


def test_a_list_out_of_the_cache_comes_in_parts_and_the_last_has_its_version(
    tmp_path: Path,
) -> None:
    with answering(200, scans(5000)) as url:
        assert listed(tmp_path, url) == (5000, "17")


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (200, scans(5000)[:-9], {}, Unreachable),
        (200, scans(50), {"Content-Length": "100000"}, Unreachable),
        (200, b"<html>", {}, Unreachable),
        (200, b'{"items":[]}', {}, Unreachable),
        (504, b"", {}, Unreachable),
        (410, b'{"kind":"Status","message":"too old"}', {}, Expired),
        (403, b'{"kind":"Status","message":"User \\"a\\" cannot list"}', {}, Forbidden),
    ],
)
def test_a_list_that_is_not_whole_is_an_error(
    tmp_path: Path, status: int, body: bytes, headers: dict[str, str], error: type[KubeError]
) -> None:
    with answering(status, body, headers) as url, pytest.raises(error):
        listed(tmp_path, url)


def test_a_list_longer_than_is_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LIST_LIMIT", 1000)
    with answering(200, scans(5000)) as url, pytest.raises(Unreachable, match="more than 1000"):
        listed(tmp_path, url)


def lines(*events: object) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def watched(folder: Path, url: str) -> list[Event]:
    with kube_at(folder, url) as kube, kube.watch(IMAGE_SCANS, version="3", seconds=5) as events:
        return list(events)


ADDED = {"type": "ADDED", "object": {"metadata": {"name": "a"}}}
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "4"}}}


def test_a_watch_gives_events_until_it_ends_in_good_order(tmp_path: Path) -> None:
    with answering(200, lines(ADDED, BOOKMARK)) as url:
        assert [event.type for event in watched(tmp_path, url)] == ["ADDED", "BOOKMARK"]


TOO_OLD = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}


@pytest.mark.parametrize(
    ("status", "body", "headers", "error"),
    [
        (200, lines(ADDED, TOO_OLD), {}, Expired),
        (410, b'{"kind":"Status","message":"too old"}', {}, Expired),
        (200, lines(ADDED), {"Content-Length": "100000"}, Unreachable),
        (200, lines(ADDED) + b"nonsense\n", {}, Unreachable),
        (200, lines({"type": "ODD", "object": {}}), {}, Unreachable),
        (200, lines({"type": "ADDED", "object": 1}), {}, Unreachable),
        (200, lines([]), {}, Unreachable),
        (500, b"", {}, Unreachable),
    ],
)
def test_a_watch_that_breaks_is_an_error(
    tmp_path: Path, status: int, body: bytes, headers: dict[str, str], error: type[KubeError]
) -> None:
    with answering(status, body, headers) as url, pytest.raises(error):
        watched(tmp_path, url)


def test_an_event_that_never_ends_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_EVENT_LIMIT", 1000)
    with answering(200, b"x" * 200_000) as url, pytest.raises(Unreachable, match="more than 1000"):
        watched(tmp_path, url)
