from hypothesis import given
from hypothesis import strategies as st

from webhook.scanner.layers.listing import Listing

PATHS = st.lists(st.sampled_from(["a", "b", "a.b", "a0", "!", "é"]), min_size=1, max_size=3).map(
    "/".join
)


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["put", "remove", "remove_below"]), PATHS), max_size=30
    )
)
def test_a_listing_is_a_sorted_dictionary_that_loses_whole_folders(
    steps: list[tuple[str, str]],
) -> None:
    listing: Listing[int] = Listing()
    expected: dict[str, int] = {}
    for number, (step, path) in enumerate(steps):
        if step == "put":
            listing.put(path, number)
            expected[path] = number
        elif step == "remove":
            assert listing.remove(path) == (expected.pop(path, None) is not None)
        else:
            listing.remove_below(path)
            expected = {p: v for p, v in expected.items() if not p.startswith(f"{path}/")}
        assert list(listing.items()) == sorted(expected.items())
        assert len(listing) == len(expected)
        assert (path in listing) == (path in expected)
        assert listing.get(path) == expected.get(path)
