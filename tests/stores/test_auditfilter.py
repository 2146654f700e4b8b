"""A filter wants exactly what its option says."""

from collections.abc import Callable, Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.stores.auditentries import DIGEST, OTHER_DIGEST, an_entry, violating
from webhook.core.imagepattern import InvalidPattern
from webhook.core.reference import InvalidReference
from webhook.stores import auditfilter
from webhook.stores.auditfilter import Filter, all_of, any_of, newest

ENTRY = an_entry()


def test_a_span_holds_its_start_and_not_its_end() -> None:
    assert auditfilter.since(ENTRY.time)(ENTRY)
    assert not auditfilter.since(ENTRY.time + 1)(ENTRY)
    assert not auditfilter.until(ENTRY.time)(ENTRY)
    assert auditfilter.until(ENTRY.time + 1)(ENTRY)


@pytest.mark.parametrize(
    ("make", "value"),
    [
        (auditfilter.namespace, "team-a"),
        (auditfilter.notebook, "my-nb"),
        (auditfilter.user, "ada@example.com"),
        (auditfilter.decision, "denied"),
        (auditfilter.requirement, "uid-1000"),
    ],
)
def test_a_value_is_compared_whole_and_any_of_several_will_do(
    make: Callable[[Collection[str]], Filter], value: str
) -> None:
    assert make([value])(ENTRY)
    assert make(["other", value])(ENTRY)
    assert not make([value[:-1]])(ENTRY)
    assert not make([value + "x"])(ENTRY)


def test_a_user_is_found_by_the_name_that_the_api_server_knows() -> None:
    assert auditfilter.user(["ada\u00a0lovelace"])(an_entry(user="ada\u00a0lovelace"))


def test_a_requirement_is_found_whatever_it_led_to() -> None:
    entry = an_entry(violations=[*violating("nb-prefix"), *violating("stale", action="Warn")])
    assert auditfilter.requirement(["stale"])(entry)
    assert not auditfilter.requirement(["uid-1000"])(entry)


PLAIN = "quay.io/x/y:1"
PINNED = f"quay.io/x/y:1@{DIGEST}"
HUB = "docker.io/library/nginx:latest"


@pytest.mark.parametrize(
    ("wanted", "canonical", "found"),
    [
        ("quay.io/x/y:1", PLAIN, True),
        ("quay.io/x/y:1", PINNED, True),
        ("quay.io/x/y:2", PLAIN, False),
        ("quay.io/x/y", PLAIN, True),
        ("quay.io/x/y", PINNED, True),
        ("quay.io/x/y", "quay.io/x/y/z:1", False),
        ("quay.io/x", PLAIN, False),
        (PINNED, PINNED, True),
        (PINNED, PLAIN, False),
        (f"quay.io/x/y@{DIGEST}", PINNED, True),
        (f"quay.io/x/y@{OTHER_DIGEST}", PINNED, False),
        (f"quay.io/x/z@{DIGEST}", PINNED, False),
        ("nginx", HUB, True),
        ("nginx:latest", HUB, True),
        ("index.docker.io/nginx", HUB, True),
        ("docker.io/library/nginx:1.25", HUB, False),
        ("quay.io/**", PLAIN, True),
        ("quay.io/x/*", PINNED, True),
        ("quay.io/*", PLAIN, False),
        ("*/**", HUB, True),
        ("quay.io.evil.com/**", PLAIN, False),
        ("*/**", "", False),
        ("quay.io/x/y", "not a reference!", False),
    ],
)
def test_an_image_is_found_in_any_spelling(*, wanted: str, canonical: str, found: bool) -> None:
    assert auditfilter.image(wanted)(an_entry(canonicalImage=canonical)) is found


def test_an_image_is_found_by_the_digest_that_its_tag_resolved_to() -> None:
    entry = an_entry(canonicalImage=PLAIN, digest=DIGEST)
    assert auditfilter.image(f"quay.io/x/y@{DIGEST}")(entry)
    assert not auditfilter.image(f"quay.io/x/y@{OTHER_DIGEST}")(entry)


@pytest.mark.parametrize("text", ["", "not an image", "Quay.io/X/Y", "a:b:c", "x@sha256:1"])
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        auditfilter.image(text)


@pytest.mark.parametrize("text", ["*", "**", "quay.io/**/x", "quay.io/x*", "nginx/*"])
def test_what_is_no_pattern_is_refused(text: str) -> None:
    with pytest.raises(InvalidPattern):
        auditfilter.image(text)


def test_all_of_nothing_wants_everything_and_any_of_nothing_wants_none() -> None:
    assert all_of([])(ENTRY)
    assert not any_of([])(ENTRY)


@given(st.lists(st.booleans()))
def test_filters_add_up(verdicts: list[bool]) -> None:
    filters: list[Filter] = [lambda _, v=v: v for v in verdicts]  # type: ignore[misc]  # mypy cannot infer defaults
    assert all_of(filters)(ENTRY) is all(verdicts)
    assert any_of(filters)(ENTRY) is any(verdicts)


@given(st.lists(st.integers(0, 59)), st.integers(1, 20))
def test_the_newest_are_kept_in_order_and_the_last_read_of_the_same_second(
    seconds: list[int], limit: int
) -> None:
    entries = [
        an_entry(time=f"2026-11-18T11:06:{second:02}Z", uid=str(number))
        for number, second in enumerate(seconds)
    ]
    in_order = sorted(entries, key=lambda entry: entry.time)
    assert newest(iter(entries), limit) == in_order[-limit:]
