"""When an image is due: properties over all records."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.controller.imagescans import (
    DAY,
    DOCUMENTS,
    IMAGE,
    NOW,
    PINNED,
    Json,
    document,
    result,
    seen,
)
from webhook.controller.record import Record, read_record
from webhook.controller.schedule import Due, Reason, Terms, due, wants_scan
from webhook.core.document import format_time
from webhook.core.reference import parse
from webhook.core.scan import compact, read_scan_document
from webhook.core.verdict import build_index

WEEK = 7 * DAY
HOUR = 3600.0
TERMS = Terms()


def of(status: Json | None = None, image: str = IMAGE, **metadata: object) -> Due:
    return due(read_record(document(image, status, **metadata), NOW), TERMS)


NAMES = st.text("abcdef0123456789-", min_size=1, max_size=20)
AGES = st.floats(0, 60 * DAY)
KNOWN: st.SearchStrategy[Record] = st.builds(
    Record,
    name=NAMES,
    image=st.just(IMAGE),
    moves=st.booleans(),
    interval=st.floats(60, 90 * DAY),
    known=st.just(True),
    resolved_at=AGES.map(lambda age: NOW - age),
    scanned_at=AGES.map(lambda age: NOW - age),
)
TRIED = st.builds(
    lambda record, attempts, retry_at: replace(record, attempts=attempts, retry_at=retry_at),
    KNOWN | st.builds(Record, name=NAMES, image=st.just(IMAGE)),
    st.integers(1, 50),
    st.floats(NOW - DAY, NOW + DAY),
)


@given(DOCUMENTS)
def test_what_has_no_result_and_was_not_tried_is_due_at_once(scan: Json) -> None:
    record = replace(read_record(scan, NOW), claim="")
    if seen(scan) is None and not record.attempts:
        assert due(record, TERMS).at <= NOW
        assert due(record, TERMS).reason is Reason.NEW


@given(KNOWN, st.floats(0, 66))
def test_no_tag_is_resolved_more_than_once_a_minute(record: Record, interval: float) -> None:
    hurried = replace(record, moves=True, interval=interval, scanned_at=NOW, resolved_at=NOW)
    assert due(hurried, TERMS).at >= NOW + 60


def test_that_a_person_waits_is_a_reason_of_its_own() -> None:
    asked = {"nbgate.dev/requested-by": "admission"}
    assert of(labels=asked).reason is Reason.REQUESTED
    assert of(labels={"nbgate.dev/requested-by": "somebody"}).reason is Reason.NEW
    assert of({"phase": "Pending"}, labels=asked) == of(labels=asked)


@given(KNOWN)
def test_no_result_grows_stale_while_somebody_looks_at_what_is_due(record: Record) -> None:
    stale_at = WEEK + (
        min(record.scanned_at, record.resolved_at) if record.moves else record.scanned_at
    )
    at = due(record, TERMS).at
    assert at <= stale_at - 0.15 * WEEK + 1
    if record.moves:
        assert at <= record.resolved_at + record.interval


@given(KNOWN)
def test_nothing_is_asked_for_too_often(record: Record) -> None:
    at = due(record, TERMS).at
    oldest = min(record.scanned_at, record.resolved_at)
    assert at >= min(oldest + 0.7 * WEEK, record.resolved_at + 0.9 * record.interval)
    if not record.moves:
        assert due(record, TERMS).reason is Reason.RESCAN
        assert at >= record.scanned_at + 0.7 * WEEK


@given(TRIED)
def test_after_a_failure_nothing_happens_before_its_time(record: Record) -> None:
    assert due(record, TERMS).at >= record.retry_at
    assert due(record, TERMS).reason is Reason.RETRY
    if not record.known:
        assert due(record, TERMS).at == record.retry_at


@given(TRIED | KNOWN, st.floats(-DAY, DAY), st.floats(1, HOUR))
def test_a_claim_holds_for_as_long_as_it_was_seen_unchanged_whatever_it_says(
    record: Record, seen_at: float, length: float
) -> None:
    terms = Terms(claim=length)
    claimed = replace(record, claim="a 9999-12-31T00:00:00Z", claim_seen=NOW + seen_at)
    assert due(claimed, terms).at == max(due(record, terms).at, NOW + seen_at + length)
    assert due(claimed, terms).reason is due(record, terms).reason


@given(KNOWN, st.floats(0, 60 * DAY))
def test_an_image_whose_result_is_not_old_is_only_resolved(record: Record, later: float) -> None:
    now = NOW + later
    if due(record, TERMS).at <= now and not wants_scan(record, TERMS, now):
        assert record.moves
        assert due(record, TERMS).reason is Reason.RESOLVE


@given(st.floats(HOUR, 30 * DAY))
def test_a_policy_that_calls_results_stale_sooner_has_them_scanned_sooner(after: float) -> None:
    record = read_record(document(PINNED, result()), NOW)
    at = due(record, Terms(stale_after=after)).at
    assert NOW + 0.7 * after <= at <= NOW + 0.85 * after


def test_ten_thousand_tags_resolved_in_one_second_are_not_asked_for_in_one() -> None:
    at = sorted(of(result(), name=f"scan-{number}").at for number in range(10_000))
    assert at[-1] - at[0] > 2 * HOUR
    most = max(sum(first <= one < first + 60 for one in at) for first in at[::500])
    assert most < 150  # of 10,000 in 144 minutes; 70 where they are spread quite evenly


@pytest.mark.parametrize("attempts", [0, 7])
def test_a_spec_that_names_another_image_is_due_at_once_whatever_was_tried(attempts: int) -> None:
    status = result(
        image="registry.example.com/other:v1",
        attempts=attempts,
        retryAt=format_time(NOW + DAY),
    )
    assert of(status).at == 0
    assert wants_scan(read_record(document(IMAGE, status), NOW), TERMS, NOW)


def test_a_digest_is_never_resolved_again() -> None:
    assert of(result(), PINNED).reason is Reason.RESCAN
    assert of(result(), PINNED).at > NOW + 4 * DAY
    assert of(result(), IMAGE).reason is Reason.RESOLVE


def test_what_cannot_be_read_is_told_once_and_never_scanned() -> None:
    record = read_record({**document(), "spec": {"image": "NO"}}, NOW)
    assert (due(record, TERMS).at, due(record, TERMS).reason) == (0.0, Reason.UNREADABLE)
    assert due(replace(record, told=True), TERMS).at == inf


@given(DOCUMENTS)
def test_a_record_knows_what_admission_knows(scan: Json) -> None:
    record = read_record(scan, NOW)
    assert record.known is (seen(scan) is not None)
    assert record.image == parse(scan["spec"]["image"]).canonical
    if record.known:
        index = build_index([compact(read_scan_document(scan))])
        finding = index.find(parse(record.image))
        stale = finding.stale(record.scanned_at + WEEK + 1, WEEK)
        assert finding.scan is not None
        assert stale
        assert due(replace(record, attempts=0, claim=""), TERMS).at < record.scanned_at + WEEK
