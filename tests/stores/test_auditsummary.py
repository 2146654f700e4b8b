"""A summary counts requests, notebooks and images by reason."""

from hypothesis import given
from hypothesis import strategies as st

from tests.stores.auditentries import DIGEST, OTHER_DIGEST, an_entry, violating
from webhook.stores.auditlog import Entry
from webhook.stores.auditsummary import summarise


def test_a_reason_counts_its_requests_with_those_suppressed() -> None:
    [one] = summarise([an_entry(suppressed=4), an_entry(suppressed=0)])
    assert (one.requirement, one.action, one.count) == ("uid-1000", "Deny", 6)


def test_the_same_rule_counts_apart_by_what_it_led_to() -> None:
    entries = [
        an_entry(violations=violating("stale")),
        an_entry(violations=violating("stale", action="Warn")),
    ]
    assert [(s.requirement, s.action) for s in summarise(entries)] == [
        ("stale", "Deny"),
        ("stale", "Warn"),
    ]


def test_notebooks_of_one_name_in_two_namespaces_are_two() -> None:
    entries = [an_entry(namespace=n, notebook="nb") for n in ("a", "b", "b")]
    assert [s.notebooks for s in summarise(entries)] == [2]


def test_a_digest_beside_a_tag_makes_no_other_image() -> None:
    images = [
        "quay.io/x/y:1",
        f"quay.io/x/y:1@{DIGEST}",
        "quay.io/x/y:2",
        f"quay.io/x/y@{DIGEST}",
        f"quay.io/x/y@{OTHER_DIGEST}",
        "localhost:5000/y:1",
    ]
    entries = [an_entry(canonicalImage=image) for image in images]
    assert [s.images for s in summarise(entries)] == [5]


def test_images_that_are_no_references_differ_by_what_was_written() -> None:
    entries = [an_entry(canonicalImage=None, image=image) for image in ("A b", "A c", "A b")]
    assert [s.images for s in summarise(entries)] == [2]


def test_times_are_those_of_the_first_and_last_entry_in_utc() -> None:
    times = ["2026-03-02T00:00:00Z", "2026-03-01T00:30:00+01:00", "2026-03-01T12:00:00.5Z"]
    [one] = summarise([an_entry(time=time) for time in times])
    assert (one.first, one.last) == ("2026-02-28T23:30:00Z", "2026-03-02T00:00:00Z")


def test_a_rule_that_several_containers_break_counts_once() -> None:
    [one] = summarise([an_entry(violations=violating("registry", "registry"))])
    assert one.count == 1


def test_only_the_rules_asked_for_are_summed_up() -> None:
    entries = [an_entry(violations=violating("uid-1000", "nb-prefix"))]
    assert [s.requirement for s in summarise(entries, {"nb-prefix"})] == ["nb-prefix"]


def test_no_entry_and_no_reason_give_no_line() -> None:
    assert summarise([]) == []
    assert summarise([an_entry(violations=[], decision="allowed")]) == []


ENTRIES = st.builds(
    lambda rules, n: an_entry(violations=violating(*rules), suppressed=n),
    st.sets(st.sampled_from(["uid-1000", "nb-prefix", "stale"])),
    st.integers(0, 9),
)


@given(st.lists(ENTRIES))
def test_the_most_frequent_reason_comes_first_and_no_request_is_missing(
    entries: list[Entry],
) -> None:
    summaries = summarise(entries)
    counts = [summary.count for summary in summaries]
    assert counts == sorted(counts, reverse=True)
    assert sum(counts) == sum(entry.count * len(entry.reasons) for entry in entries)
