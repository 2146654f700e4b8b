"""The cache of layers in memory: what was put in comes out, and it never grows past its limit."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.layermemory import LayerMemory
from webhook.scanner.layers.cacheformat import encode
from webhook.scanner.layers.contents import LayerContents


def contents(text: str) -> LayerContents:
    return LayerContents(diff_id=text)


DIGESTS = [f"sha256:{number:064x}" for number in range(10)]
SIZE = len(encode(DIGESTS[0], contents("x" * 10)))


@given(st.lists(st.tuples(st.sampled_from(DIGESTS), st.text("ab", max_size=300)), max_size=50))
def test_what_is_held_is_true_and_within_the_limit(puts: list[tuple[str, str]]) -> None:
    memory, latest = LayerMemory(3 * SIZE), dict[str, str]()
    for digest, text in puts:
        memory.put(digest, contents(text))
        latest[digest] = text
        held = {one: memory.get(one) for one in DIGESTS}
        assert all(found == contents(latest[one]) for one, found in held.items() if found)
        sizes = [len(encode(one, found)) for one, found in held.items() if found]
        assert sum(sizes) <= 3 * SIZE


def test_the_least_recently_used_goes_first() -> None:
    memory = LayerMemory(2 * SIZE)
    first, second, third = DIGESTS[:3]
    for digest in (first, second):
        memory.put(digest, contents("x" * 10))
    memory.get(first)
    memory.put(third, contents("x" * 10))
    assert [memory.get(one) is not None for one in (first, second, third)] == [True, False, True]


def test_one_that_is_larger_than_all_is_not_held() -> None:
    memory = LayerMemory(SIZE)
    memory.put(DIGESTS[0], contents("x" * 10))
    memory.put(DIGESTS[1], contents("x" * 1000))
    assert memory.get(DIGESTS[1]) is None
