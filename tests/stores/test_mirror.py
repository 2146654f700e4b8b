"""What is held of each object is what it was last readable as; what is gone is gone; changes are told once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.core.document import Fault, InvalidDocument
from webhook.kube import Document, Event
from webhook.stores.mirror import PROBLEM_LIMIT, Mirror

NAMES = st.sampled_from("abcd")
# a value, or None for a document that cannot be read
CONTENTS = st.one_of(st.none(), st.integers(0, 2))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), NAMES, CONTENTS),
        st.tuples(st.just("delete"), NAMES, st.none()),
        st.tuples(st.just("list"), st.dictionaries(NAMES, CONTENTS), st.none()),
        st.tuples(st.just("take"), st.none(), st.none()),
    ),
    max_size=20,
)


def read(document: Document) -> tuple[int]:
    if document["value"] is None:
        raise InvalidDocument(Fault("value", "is missing"))
    return (document["value"],)


def thing(name: str, value: int | None) -> Document:
    return {"metadata": {"name": name}, "value": value}


def after(held: dict[str, tuple[int]], name: str, value: int | None) -> tuple[int] | None:
    return held.get(name) if value is None else (value,)


@given(steps=STEPS)
def test_whatever_comes_what_was_taken_adds_up_to_what_is_there(steps: list[Any]) -> None:
    mirror = Mirror("things", read)
    held: dict[str, tuple[int]] = {}
    faulty: set[str] = set()
    taken: dict[str, tuple[int]] = {}
    for verb, what, value in [*steps, ("take", None, None)]:
        if verb == "put":
            mirror.changed(Event("MODIFIED", thing(what, value)))
            found = after(held, what, value)
            held |= {what: found} if found else {}
            (faulty.add if value is None else faulty.discard)(what)
        elif verb == "delete":
            mirror.changed(Event("DELETED", thing(what, value)))
            held.pop(what, None)
            faulty.discard(what)
        elif verb == "list":
            mirror.replaced(thing(name, one) for name, one in what.items())
            found_all = {name: after(held, name, one) for name, one in what.items()}
            held = {name: one for name, one in found_all.items() if one}
            faulty = {name for name, one in what.items() if one is None}
        else:
            for name, change in mirror.take().items():
                assert taken.get(name) == change.before
                assert change.before is not change.after
                taken.pop(name, None)
                taken |= {name: change.after} if change.after else {}
            assert taken == held
        assert {problem.path for problem in mirror.problems} == {f"things/{one}" for one in faulty}
        assert mirror.unreadable == len(faulty)


def test_a_fault_names_the_object_the_field_and_what_is_wrong() -> None:
    mirror = Mirror("things", read)
    mirror.replaced(iter([thing("a", None), thing("b", 1)]))
    assert [str(problem) for problem in mirror.problems] == ["things/a: value: is missing"]
    assert mirror.broken("a")
    assert not mirror.broken("b")


def test_what_is_the_same_stays_the_same_object_and_is_no_change() -> None:
    mirror = Mirror("things", read)
    value = (1,)
    mirror.restore({"a": value})
    mirror.replaced(iter([thing("a", 1)]))
    mirror.changed(Event("MODIFIED", thing("a", 1)))
    assert mirror.take() == {}


def test_what_came_and_went_between_two_looks_is_no_change() -> None:
    mirror = Mirror("things", read)
    mirror.changed(Event("ADDED", thing("a", 1)))
    mirror.changed(Event("DELETED", thing("a", 1)))
    assert mirror.take() == {}


def test_an_error_in_the_middle_of_a_list_leaves_everything_as_it_was() -> None:
    def breaking() -> Any:
        yield thing("b", 1)
        raise ConnectionError

    mirror = Mirror("things", read)
    mirror.replaced(iter([thing("a", 1)]))
    with pytest.raises(ConnectionError):
        mirror.replaced(breaking())
    assert mirror.take()["a"].after == (1,)


def test_ten_thousand_broken_objects_are_counted_and_the_first_are_told() -> None:
    mirror = Mirror("things", read)
    mirror.replaced(thing(f"{number:05}", None) for number in range(10_000))
    assert mirror.unreadable == 10_000
    assert len(mirror.problems) == PROBLEM_LIMIT + 1
    assert (
        str(mirror.problems[-1]) == "things: 10000 of them have faults; mend the first to see more"
    )


def test_an_object_without_a_name_is_told_of_too() -> None:
    mirror = Mirror("things", read)
    mirror.replaced(iter([{"value": None}]))
    assert [problem.path for problem in mirror.problems] == ["things/?"]
