"""What the controller writes: never a result that was not there, never one lost that was, and others' words kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.controller.imagescans import (
    DAY,
    DIGEST,
    DOCUMENTS,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    Json,
    document,
    result,
    seen,
)
from webhook.controller import status as statuses
from webhook.controller.fault import fault_of
from webhook.controller.record import read_record
from webhook.controller.schedule import Terms, due
from webhook.core.document import format_time, parse_time
from webhook.core.scan import ScanStatus, compact, read_scan_document
from webhook.scanner.errors import NotFound

FAULT = fault_of(NotFound("registry.example.com has no tag v1; push it"))


def claimed(scan: Json, *, scans: bool = True) -> Json:
    status = statuses.claimed(scan, "us", NOW + 60, retry_at=NOW + 60, scans=scans)
    return {**scan, "status": status}


def renewed(scan: Json) -> Json:
    return {**scan, "status": statuses.renewed(scan, "us", NOW + 80, scans=True)}


def released(scan: Json) -> Json:
    return {**scan, "status": statuses.released(scan)}


def failed(scan: Json) -> Json:
    return {**scan, "status": statuses.failed(scan, FAULT, NOW + 300, NOW)}


def resolved(scan: Json) -> Json:
    return {**scan, "status": statuses.resolved(scan, NOW)}


@given(scan=DOCUMENTS, scans=st.booleans())
def test_admission_sees_what_it_saw_whatever_is_done_without_a_new_result(
    scan: Json, *, scans: bool
) -> None:
    ours = claimed(scan, scans=scans)
    for after in (ours, renewed(ours), released(ours), failed(ours), failed(renewed(ours))):
        read_scan_document(after)
        assert seen(after) == seen(scan)


@given(DOCUMENTS)
def test_what_is_written_can_be_read_again(scan: Json) -> None:
    for after in (resolved(claimed(scan)), released(scan), failed(scan)):
        read_scan_document(after)


@given(DOCUMENTS)
def test_what_is_given_back_is_as_urgent_as_it_was(scan: Json) -> None:
    before = due(read_record(scan, NOW - DAY), Terms())
    after = due(read_record(released(claimed(scan)), NOW), Terms())
    assert after.at <= max(before.at, NOW)
    assert statuses.attempts_of(released(claimed(scan))) == statuses.attempts_of(scan)


@given(DOCUMENTS)
def test_a_failure_counts_once_and_says_why_and_when_next(scan: Json) -> None:
    after = failed(claimed(scan))
    status = read_scan_document(after).status
    assert status.attempts == statuses.attempts_of(scan) + 1
    assert status.retry_at == format_time(NOW + 300)
    assert (status.conditions[0].type, status.conditions[0].reason) == ("Scanned", "NotFound")
    assert status.phase == ("Failed" if seen(scan) is None else "Complete")
    if seen(scan) is None:
        assert compact(read_scan_document(after)).note == FAULT.message


@given(DOCUMENTS)
def test_others_words_stay_in_what_can_be_read(scan: Json) -> None:
    record = read_record(scan, NOW)
    same = scan.get("status", {}).get("image") in {None, record.image}
    try:
        read_scan_document(scan)
    except ValueError:
        same = False
    before = scan.get("status", {}) if same else {}
    theirs = [one for one in before.get("conditions", []) if one["type"] != "Scanned"]
    for after in (failed(claimed(scan)), scanned(claimed(scan))):
        assert after["status"].get("fromTheFuture") == before.get("fromTheFuture")
        assert after["status"].get("lastUsedAt") == scan.get("status", {}).get("lastUsedAt")
        assert after["status"]["conditions"][1:] == theirs


def scanned(scan: Json) -> Json:
    found = ScanStatus.model_validate(result(digest=DIGEST, scanner="nbgate/9"))
    return {**scan, "status": statuses.scanned(scan, found, NOW)}


@given(DOCUMENTS)
def test_a_result_is_seen_and_nothing_is_left_of_the_try(scan: Json) -> None:
    after = scanned(claimed(scan))
    assert seen(after) == seen(document(status=result()))
    status = read_scan_document(after).status
    assert (status.phase, status.claim, status.attempts) == ("Complete", None, 0)
    assert status.retry_at is None
    assert (status.conditions[0].type, status.conditions[0].status) == ("Scanned", "True")


def test_a_tag_that_means_the_same_is_younger_and_nothing_else() -> None:
    scan = document(status=result(resolvedAt=format_time(NOW - DAY), attempts=2))
    after = compact(read_scan_document(resolved(claimed(scan, scans=False))))
    assert (after.resolved_at, after.phase) == (NOW, "Complete")
    assert seen(resolved(claimed(scan))) == seen(scan)


def test_while_an_image_is_scanned_the_phase_says_so_but_not_while_its_tag_is_looked_at() -> None:
    scan = document(status=result())
    assert claimed(scan)["status"]["phase"] == "Scanning"
    assert claimed(scan, scans=False)["status"]["phase"] == "Complete"
    assert claimed(document())["status"]["phase"] == "Scanning"
    assert released(claimed(document()))["status"]["phase"] == "Pending"


def test_a_result_without_checks_stays_in_force_while_the_image_is_scanned() -> None:
    scan = document(status=result(checks=None))
    assert seen(scan) == seen(claimed(scan)) == seen(failed(renewed(claimed(scan)))) is not None


@pytest.mark.parametrize(
    "status",
    [
        result(image="registry.example.com/other:v1"),
        result(verdict="Violates", checks=[]),  # contradicts itself
        result(digest=OTHER_DIGEST, image="registry.example.com/other:v1"),
    ],
)
def test_what_was_found_of_another_image_goes_and_when_it_was_used_stays(status: Json) -> None:
    used = format_time(NOW - DAY)
    after = claimed(document(status={**status, "lastUsedAt": used}))["status"]
    assert set(after) == {"phase", "image", "claim", "attempts", "retryAt", "lastUsedAt"}
    assert (after["image"], after["lastUsedAt"]) == (IMAGE, used)


def test_admission_takes_no_result_for_one_of_another_image() -> None:
    assert seen(document(status=result(image=IMAGE))) is not None
    assert seen(document("team/x", result(image="docker.io/team/x:latest"))) is not None
    assert seen(document(status=result(image="registry.example.com/other:v1"))) is None


def test_a_last_use_that_cannot_be_read_does_not_make_the_result_unreadable() -> None:
    scan = document(status={"lastUsedAt": "yesterday"})
    assert seen(scanned(claimed(scan))) is not None


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    first = failed(claimed(document()))
    second = {**first, "status": statuses.failed(claimed(first), FAULT, NOW + 900, NOW + 600)}
    third = {**second, "status": statuses.scanned(second, ScanStatus(scanner="x"), NOW + 900)}
    times = [_since(one) for one in (first, second, third)]
    assert times == [NOW, NOW, NOW + 900]


def _since(scan: Json) -> float:
    return parse_time(scan["status"]["conditions"][0]["lastTransitionTime"])


@pytest.mark.parametrize("broken", [{"image": "NO SUCH"}, {}, None, {"image": 5}])
def test_a_spec_that_cannot_be_read_is_told_of_in_the_object_once(broken: Any) -> None:
    scan = {**document(), "spec": broken}
    record = read_record(scan, NOW)
    assert record.fault
    assert not record.told
    after = {**scan, "status": statuses.unreadable(scan, record.fault, NOW)}
    assert after["status"]["phase"] == "Failed"
    assert after["status"]["conditions"][0]["message"] == record.fault
    assert read_record(after, NOW).told
