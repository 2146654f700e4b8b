"""Which images are in use, and what becomes of results."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import DIGEST, OTHER_DIGEST, PLATFORM_DIGEST, scan_document
from webhook.controller.inuse import (
    Images,
    images_of_pod,
    images_of_template,
    together,
    uses,
)
from webhook.controller.usage import DAY, fate
from webhook.core.document import format_time
from webhook.core.scan import ScanDocument, read_scan_document

Json = dict[str, Any]
NOW = 1_800_000_000.0
TAG = "registry.example.com/team/image:v1"
MONTH = 30 * DAY


def scanned(image: str = TAG, *, by: str = "admission", **status: Any) -> ScanDocument:
    document = scan_document()
    document["metadata"]["labels"] = {"nbgate.dev/requested-by": by} if by else None
    document["spec"]["image"] = image
    document["status"].update(status)
    return read_scan_document(document)


def failed(**status: Any) -> ScanDocument:
    document = {**scan_document(), "status": {"phase": "Failed", "attempts": 3, **status}}
    document["metadata"]["labels"] = {"nbgate.dev/requested-by": "admission"}
    document["spec"]["image"] = TAG
    return read_scan_document(document)


def pod(image: object, image_id: object = "") -> Json:
    return {
        "spec": {"containers": [{"name": "nb", "image": image}]},
        "status": {"containerStatuses": [{"name": "nb", "imageID": image_id}]},
    }


# -- in use ---------------------------------------------------------------------------------------


def test_a_pod_names_a_tag_and_a_digest_and_the_kubelet_another() -> None:
    found = images_of_pod(pod(f"{TAG}@{DIGEST}", f"docker-pullable://other/x@{OTHER_DIGEST}"))

    assert found == Images(frozenset({TAG}), frozenset({DIGEST, OTHER_DIGEST}))


def test_tags_are_compared_as_registries_know_them() -> None:
    assert images_of_pod(pod("nginx")).tags == {"docker.io/library/nginx:latest"}


@pytest.mark.parametrize("image_id", ["", DIGEST, f"x@{DIGEST}0", "x@", None, 5, "@sha256:a"])
def test_what_names_no_image_is_none(image_id: object) -> None:
    assert images_of_pod(pod("not an image", image_id)) == Images()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"spec": None, "status": None},
        {"spec": {"containers": None}},
        {"spec": {"containers": [None, {}, {"image": None}]}, "status": {"containerStatuses": {}}},
        {"spec": {"template": []}},
    ],
)
def test_nothing_that_stands_there_is_an_error(document: Json) -> None:
    assert images_of_pod(document) == images_of_template(document) == Images()


def test_templates_and_all_of_them_together() -> None:
    template = {"spec": {"template": pod(TAG)}}

    assert together(
        [images_of_template(template), images_of_pod(pod(f"x@{DIGEST}")), Images()]
    ) == (Images(frozenset({TAG}), frozenset({DIGEST})))


@pytest.mark.parametrize(
    ("images", "used"),
    [
        (Images(), False),
        (Images(tags=frozenset({TAG})), True),
        (Images(tags=frozenset({f"{TAG}0"})), False),
        (Images(digests=frozenset({DIGEST})), True),
        (Images(digests=frozenset({PLATFORM_DIGEST})), True),
        (Images(digests=frozenset({OTHER_DIGEST})), False),
    ],
)
def test_a_result_is_used_by_its_tag_or_by_any_of_its_digests(
    images: Images, *, used: bool
) -> None:
    assert uses(images, scanned(digest=DIGEST)) is used


def test_a_result_of_a_digest_is_not_used_by_the_tag_beside_it() -> None:
    pinned = scanned(f"{TAG}@{DIGEST}", digest=DIGEST)

    assert not uses(Images(tags=frozenset({TAG})), pinned)
    assert uses(Images(digests=frozenset({DIGEST})), pinned)


# -- what becomes of it ---------------------------------------------------------------------------

USED = Images(tags=frozenset({TAG}))
AGES = st.floats(0, 400 * DAY)


def test_what_is_in_use_is_marked_once_a_day() -> None:
    def marked(hours: float) -> str:
        return fate(scanned(lastUsedAt=format_time(NOW - hours * 3600)), 0, USED, NOW, MONTH)

    assert fate(scanned(), 0, USED, NOW, MONTH) == "mark"
    assert (marked(23), marked(24)) == ("keep", "mark")


@given(st.one_of(st.none(), AGES), AGES, st.one_of(AGES, st.just(inf)))
def test_what_is_in_use_is_never_deleted(
    last: float | None, age: float, prune_after: float
) -> None:
    used = {} if last is None else {"lastUsedAt": format_time(NOW - last)}

    for scan in (scanned(**used), failed(**used)):
        assert fate(scan, NOW - age, USED, NOW, prune_after) != "delete"


@given(st.one_of(st.none(), AGES), AGES, st.sampled_from(["", "alice", "Admission"]))
def test_what_a_person_created_is_never_deleted(last: float | None, age: float, by: str) -> None:
    used = {} if last is None else {"lastUsedAt": format_time(NOW - last)}

    assert fate(scanned(by=by, **used), NOW - age, Images(), NOW, 1.0) == "keep"


@given(AGES, AGES, AGES)
def test_what_was_in_use_for_more_than_a_day_goes_when_its_last_use_is_long_ago(
    idle: float, service: float, prune_after: float
) -> None:
    created = NOW - idle - DAY - 1 - service
    scan = scanned(lastUsedAt=format_time(NOW - idle))

    if abs(idle - prune_after) > 1:
        gone = fate(scan, created, Images(), NOW, prune_after) == "delete"
        assert gone == (idle > prune_after)


@given(AGES, st.floats(0, DAY - 2), AGES)
def test_what_was_in_use_for_less_than_a_day_goes_after_two(
    idle: float, service: float, prune_after: float
) -> None:
    scan, patience = scanned(lastUsedAt=format_time(NOW - idle)), min(2 * DAY, prune_after)

    if abs(idle - patience) > 1:
        gone = fate(scan, NOW - idle - service, Images(), NOW, prune_after) == "delete"
        assert gone == (idle > patience)


@given(AGES, AGES)
def test_what_nobody_ever_used_goes_a_day_after_its_creation(
    age: float, prune_after: float
) -> None:
    patience = min(DAY, prune_after)

    if abs(age - patience) > 1:
        for scan in (scanned(), failed(), failed(phase="Pending", attempts=0)):
            gone = fate(scan, NOW - age, Images(), NOW, prune_after) == "delete"
            assert gone == (age > patience)


def test_a_day_of_use_is_seen_as_one_and_two_days_as_two() -> None:
    """As a leader sees it that looks every ten minutes: marks come a day apart."""
    for days, expected in [(0.9, 2 * DAY), (1.5, MONTH)]:
        created, at, scan = NOW, NOW, scanned()
        while at < NOW + days * DAY:
            at += 600
            if fate(scan, created, USED, at, MONTH) == "mark":
                scan = scanned(lastUsedAt=format_time(at))
        last = at
        while fate(scan, created, Images(), at, MONTH) == "keep":
            at += 600
        assert expected - DAY <= at - last <= expected


@given(st.one_of(st.none(), AGES), AGES)
def test_nothing_with_a_result_is_deleted_where_that_is_not_wanted(
    last: float | None, age: float
) -> None:
    used = {} if last is None else {"lastUsedAt": format_time(NOW - last)}

    assert fate(scanned(**used), NOW - age, Images(), NOW, inf) == "keep"


@pytest.mark.parametrize("prune_after", [MONTH, inf])
def test_what_could_not_be_scanned_for_a_day_goes(prune_after: float) -> None:
    assert fate(failed(), NOW - DAY + 60, Images(), NOW, prune_after) == "keep"
    assert fate(failed(), NOW - DAY - 60, Images(), NOW, prune_after) == "delete"


def test_what_failed_lately_and_has_an_older_result_does_not() -> None:
    scan = scanned(phase="Failed", lastUsedAt=format_time(NOW - 2 * DAY))
    assert fate(scan, NOW - 5 * DAY, Images(), NOW, MONTH) == "keep"


@pytest.mark.parametrize(("over", "found"), [(-1, "keep"), (1, "delete")])
def test_what_is_being_scanned_is_let_be(over: float, found: str) -> None:
    claim = {"holder": "worker", "until": format_time(NOW - over * 60)}

    assert fate(scanned(claim=claim), 0, Images(), NOW, MONTH) == found
    assert fate(scanned(claim=claim), 0, USED, NOW, MONTH) == ("keep" if over < 0 else "mark")


def test_what_has_no_result_yet_is_not_marked_so_that_its_worker_can_write() -> None:
    assert fate(failed(), 0, USED, NOW, MONTH) == "keep"
