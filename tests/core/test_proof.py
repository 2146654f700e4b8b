"""A patch is applied as jsonpatch applies it, to any object, and what it is applied to never changes."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import jsonpatch
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.core.builders import Json, pod, request
from tests.core.deciding import KNOWN
from webhook.core.decision import mutate
from webhook.core.patch import PatchError, apply_patch, prove
from webhook.core.reading import Malformed
from webhook.core.target import escape

Path = tuple[str, ...]

# keys that look like places in a list, and those that a pointer escapes, among them
_KEYS = st.sampled_from(["a", "b", "0", "1", "01", "-", "", "a/b", "m~n"])
_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=12,
)
_OBJECTS = st.dictionaries(_KEYS, _VALUES, min_size=1, max_size=3)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for step, held in value.items() if isinstance(value, dict) else ():
        yield from places(held, (*path, str(step)))


@st.composite
def patches(draw: st.DrawFn) -> tuple[Json, list[Json]]:
    """Draw an object and operations on it, many of which lead somewhere."""
    source = draw(_OBJECTS)
    known = st.sampled_from([path for path in places(source) if path])
    beside = st.builds(lambda path, key: (*path, key), known, _KEYS)
    beyond = st.builds(lambda path, key: (*path[:-1], key), known, _KEYS)
    operations = st.builds(
        lambda op, path, value: {
            "op": op,
            "path": "".join(f"/{escape(step)}" for step in path),
            "value": value,
        },
        st.sampled_from(["add", "replace", "remove"]),
        known | beside | beyond,
        _VALUES,
    )
    return source, draw(st.lists(operations, max_size=4))


def by_the_library(source: Json, operations: Sequence[Json]) -> Json | str:
    """Give the result, or what the library says is wrong."""
    try:
        result: Json = jsonpatch.apply_patch(source, copy.deepcopy(operations))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException) as error:
        return str(error)
    return result


def spoil(value: Any) -> None:
    """Change everything that can be changed in place."""
    for held in value.values() if isinstance(value, dict) else value:
        if isinstance(held, (dict, list)):
            spoil(held)
    value.clear()


WHOLE = [{"op": "replace", "path": "", "value": {"b": 2}}]
NOTHING = [{"op": "remove", "path": ""}]
TWICE = [{"op": "add", "path": "/a/-", "value": {"b": 1}}, {"op": "remove", "path": "/a/1/b"}]
OUTSIDE = [{"op": "add", "path": "/a/b", "value": 1}, {"op": "remove", "path": "/b/0/-/a"}]


@given(patches())
@example(({"a": 1}, WHOLE))
@example(({"a": 1}, NOTHING))
@example(({"a": [{}], "b": {}}, TWICE))
@example(({"a": {}, "b": ["x"]}, OUTSIDE))
@example(({"a": [[0]]}, [{"op": "replace", "path": f"/a/{'9' * 5000}/0", "value": 1}]))
def test_a_patch_has_the_effect_that_jsonpatch_gives_it_or_fails_with_the_same_words(
    case: tuple[Json, list[Json]],
) -> None:
    source, operations = case
    expected = by_the_library(source, operations)
    before = copy.deepcopy((source, operations))
    if isinstance(expected, str):
        for apply in (apply_patch, prove):
            with pytest.raises(PatchError) as caught:
                apply(source, operations)
            assert str(caught.value) == f"the patch does not apply: {expected}"
    else:
        prove(source, operations)
        assert apply_patch(source, operations) == expected
    assert (source, operations) == before


@given(patches())
def test_what_came_of_a_patch_shares_nothing_with_the_object_or_the_patch(
    case: tuple[Json, list[Json]],
) -> None:
    source, operations = case
    before = copy.deepcopy((source, operations))
    with suppress(PatchError):
        spoil(apply_patch(source, operations))
    assert (source, operations) == before


@pytest.mark.parametrize("levels", [253, 254, 300])
def test_a_pod_is_refused_for_its_depth_where_it_could_not_be_written(levels: int) -> None:
    nested: Json = {}
    for _ in range(levels):
        nested = {"a": nested}
    operations = [{"op": "add", "path": "/b", "value": 1}]
    if levels < 254:
        prove(nested, operations)
        apply_patch(nested, operations)
        return
    for apply in (apply_patch, prove):
        with pytest.raises(Malformed, match=r"^nests deeper than 254 levels$"):
            apply(nested, operations)


def test_the_pod_of_a_request_is_as_it_was_after_its_patch_was_proven() -> None:
    asked = request(pod())
    before = copy.deepcopy(asked.object)
    assert len(mutate(asked, KNOWN).patch) > 2
    assert asked.object == before
