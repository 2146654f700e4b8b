"""An index that is updated is the index of what there is now, whatever it was before, and the one before stays."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import DIGEST, OTHER_DIGEST, pending_document, scan, scan_document
from webhook.core.scan import Scan
from webhook.core.verdict import ScanIndex, build_index


def at(day: int) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


# Few images, digests and days, so that many scans claim the same ones, and ties are common.
IMAGES = st.sampled_from(["a:1", "a:2", "b:1", f"c@{DIGEST}"])
FACTS: dict[str, st.SearchStrategy[Any]] = {
    "digest": st.sampled_from([DIGEST, OTHER_DIGEST]),
    "platforms": st.sampled_from([(), (DIGEST,), (OTHER_DIGEST,), (DIGEST, OTHER_DIGEST)]),
    "scannedAt": st.builds(at, st.integers(1, 3)),
    "resolvedAt": st.builds(at, st.integers(1, 3)),
    "fails": st.sampled_from([{}, {"uid-1000": "root"}]),
}
# a name, and what the document of that name becomes; None: it is deleted
CHANGES = st.lists(
    st.tuples(
        st.sampled_from("abcdef"),
        st.one_of(
            st.none(),
            st.tuples(IMAGES, st.none()),
            st.tuples(IMAGES, st.fixed_dictionaries(FACTS)),
        ),
    ),
    max_size=12,
)
Change = tuple[str, tuple[str, dict[str, Any] | None] | None]


def made(name: str, image: str, fields: dict[str, Any] | None) -> Scan:
    if fields is None:
        return scan(pending_document(image, name=name))
    if "@" in image:
        fields = {**fields, "digest": DIGEST}
    return scan(scan_document(image, name=name, **fields))


def after(before: dict[str, Scan], changes: list[Change]) -> dict[str, Scan]:
    now = dict(before)
    for name, content in changes:
        if content is None:
            now.pop(name, None)
        else:
            now[name] = made(name, *content)
    return now


def updated(index: ScanIndex, before: dict[str, Scan], now: dict[str, Scan]) -> ScanIndex:
    names = [name for name in before.keys() | now.keys() if before.get(name) != now.get(name)]
    return index.updated(
        [before[name] for name in names if name in before],
        [now[name] for name in names if name in now],
    )


@given(first=CHANGES, second=CHANGES, third=CHANGES)
def test_an_updated_index_is_the_index_of_everything(
    first: list[Change], second: list[Change], third: list[Change]
) -> None:
    held: dict[str, Scan] = {}
    index = ScanIndex()
    for changes in (first, second, third):
        now = after(held, changes)
        before = build_index(held.values())
        assert index == before or not held
        index = updated(index, held, now)
        assert index == build_index(now.values())
        assert before == build_index(held.values())
        held = now


@given(changes=CHANGES)
def test_an_index_gives_every_scan_once(changes: list[Change]) -> None:
    held = after({}, changes)
    found = sorted(build_index(held.values()).scans(), key=lambda one: one.name)
    assert found == [held[name] for name in sorted(held)]


def test_a_change_leaves_the_index_before_as_it_was_and_shares_what_did_not_change() -> None:
    a, b = made("a", "a:1", {"platforms": ()}), made("b", "b:1", {"digest": OTHER_DIGEST})
    before = build_index([a, b])
    now = before.updated([b], [])
    assert sorted(one.name for one in before.scans()) == ["a", "b"]
    assert [one is a for one in now.scans()] == [True]


def test_a_scan_that_goes_and_comes_in_one_change_is_there() -> None:
    first, second = (made(name, "a:1", {"platforms": ()}) for name in "ab")
    held = first, second, made("c", "b:1", None)
    assert build_index(held).updated(held, held) == build_index(held)
    for gone in held:
        assert build_index(held).updated([gone], [gone]) == build_index(held)


def test_who_was_beaten_comes_back_when_the_winner_goes() -> None:
    old = made("old", "a:1", {"scannedAt": at(1), "resolvedAt": at(1)})
    new = made("new", "a:1", {"scannedAt": at(2), "resolvedAt": at(2)})
    both = build_index([old, new])
    assert both.updated([new], []) == build_index([old])
    assert both.updated([old], []) == build_index([new])
    assert both.updated([old, new], []).counts == {"Conforms": 0, "Violates": 0, "Unknown": 0}
