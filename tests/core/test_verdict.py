"""The index of scans: by digest and by tag, the newest wins whatever the order, and a digest counts by itself."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    DIGEST,
    IMAGE,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    Json,
    pending_document,
    scan,
    scan_document,
)
from webhook.core.reference import parse
from webhook.core.verdict import Finding, ScanIndex, build_index

JANUARY = 1767225600.0
HOUR = 3600.0
SHA512 = "sha512:" + "d" * 128


def index(*documents: Json) -> ScanIndex:
    return build_index([scan(document) for document in documents])


def find(image: str, *documents: Json) -> Finding:
    return index(*documents).find(parse(image))


def at(day: int) -> str:
    return f"2026-01-{day:02}T00:00:00Z"


def test_nothing_is_known_without_scans() -> None:
    assert find(IMAGE) == Finding()
    assert find(f"{IMAGE}@{DIGEST}") == Finding(digest=DIGEST)


def test_a_tag_leads_to_the_digest_that_it_was_resolved_to() -> None:
    found = find(IMAGE, scan_document(name="a"))
    assert found.scan is not None
    assert (found.scan.name, found.digest, found.resolved_at) == ("a", DIGEST, JANUARY)


@pytest.mark.parametrize("digest", [DIGEST, PLATFORM_DIGEST])
@pytest.mark.parametrize("name", [IMAGE, "registry.example.com/copy", f"{IMAGE}-other"])
def test_a_digest_leads_to_its_result_whatever_the_name_and_tag(digest: str, name: str) -> None:
    found = find(f"{name}@{digest}", scan_document(name="a"))
    assert found.scan is not None
    # beside its own tag, as nbgate pins it, the tag's resolution counts too
    resolved = JANUARY if name == IMAGE else None
    assert (found.scan.name, found.digest, found.resolved_at) == ("a", digest, resolved)


def test_a_digest_is_judged_by_itself_even_beside_a_tag_that_is_known() -> None:
    assert find(f"{IMAGE}@{OTHER_DIGEST}", scan_document()).scan is None


@pytest.mark.parametrize(
    "image",
    ["ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10", "jupyter-scipy:v1.10.0"],
)
def test_another_tag_or_name_is_not_known(image: str) -> None:
    assert find(image, scan_document()) == Finding()


def test_spellings_of_one_image_are_one() -> None:
    for image in ("nginx", "docker.io/nginx:latest", "registry-1.docker.io/library/nginx"):
        assert find(image, scan_document("index.docker.io/nginx")).digest == DIGEST


def test_a_scan_by_digest_makes_no_tag_known() -> None:
    document = scan_document(f"x:1@{DIGEST}")
    assert find("x:1", document).scan is None
    assert find("x:latest", document).scan is None
    assert find(f"x@{DIGEST}", document).scan is not None


def test_algorithms_are_kept_apart() -> None:
    found = find(f"x@{SHA512}", scan_document(digest=SHA512))
    assert found.digest == SHA512
    assert find("x@sha256:" + "d" * 64, scan_document(digest=SHA512)).scan is None


# The newest wins


def test_a_tag_that_moved_leads_to_where_it_was_last_seen() -> None:
    old = scan_document(name="old", digest=DIGEST, resolvedAt=at(1), platforms=())
    new = scan_document(name="new", digest=OTHER_DIGEST, resolvedAt=at(2), platforms=())
    for order in itertools.permutations([old, new]):
        known = index(*order)
        assert known.find(parse(IMAGE)).digest == OTHER_DIGEST
        by_digest = known.find(parse(f"{IMAGE}@{DIGEST}")).scan
        assert by_digest is not None
        assert by_digest.name == "old"


def test_the_newest_result_of_a_digest_counts_for_every_name() -> None:
    old = scan_document("a:1", name="old", scannedAt=at(1), resolvedAt=at(9))
    new = scan_document("b:1", name="new", scannedAt=at(2), resolvedAt=at(3))
    for order in itertools.permutations([old, new]):
        found = index(*order).find(parse("a:1"))
        assert found.scan is not None
        assert found.scan.name == "new"
        assert found.resolved_at == JANUARY + 8 * 24 * HOUR


DOCUMENTS = st.lists(
    st.builds(
        lambda image, digest, scanned, resolved: {
            "image": image,
            "digest": digest,
            "scannedAt": at(scanned),
            "resolvedAt": at(resolved),
        },
        st.sampled_from(["a:1", "a:2", "b:1"]),
        st.sampled_from([DIGEST, OTHER_DIGEST]),
        st.integers(1, 4),
        st.integers(1, 4),
    ),
    min_size=1,
    max_size=6,
)
ASKED = ["a:1", "a:2", "b:1", f"x@{DIGEST}", f"x@{OTHER_DIGEST}", f"x@{PLATFORM_DIGEST}"]


@given(fields=DOCUMENTS, data=st.data())
def test_the_order_of_documents_never_matters(
    fields: list[dict[str, Any]], data: st.DataObject
) -> None:
    documents = [scan_document(name=f"scan-{number}", **each) for number, each in enumerate(fields)]
    shuffled = data.draw(st.permutations(documents))
    first, second = index(*documents), index(*shuffled)
    assert first == second
    for image in ASKED:
        assert first.find(parse(image)) == second.find(parse(image))


@given(fields=DOCUMENTS)
def test_a_tags_digest_is_that_of_its_newest_resolution(fields: list[dict[str, Any]]) -> None:
    known = index(*(scan_document(name=f"s{n}", **each) for n, each in enumerate(fields)))
    for image in ("a:1", "a:2", "b:1"):
        own = [each for each in fields if each["image"] == image]
        found = known.find(parse(image))
        if not own:
            assert found.digest is None
            continue
        newest = max(each["resolvedAt"] for each in own)
        assert found.digest in {e["digest"] for e in own if e["resolvedAt"] == newest}
        assert found.scan is not None
        assert found.digest in (found.scan.digest, *found.scan.manifests)


TIES: dict[str, list[Json]] = {
    "one name": [scan_document(unknown={"uid-1000": "?"}), scan_document(digest=OTHER_DIGEST)],
    "all but the words": [
        scan_document(unknown={"uid-1000": "a"}),
        scan_document(unknown={"uid-1000": "b"}),
    ],
    "waiting": [
        pending_document(name="a", phase="Failed", why="401"),
        pending_document(name="b", phase="Scanning"),
        pending_document(name="a", phase="Failed", why="402"),
    ],
}


@pytest.mark.parametrize("case", TIES)
def test_the_order_never_matters_in_a_tie(case: str) -> None:
    """Nothing keeps two files of a folder from the same metadata.name."""
    found = {index(*order).find(parse(IMAGE)) for order in itertools.permutations(TIES[case])}
    assert len(found) == 1


def test_half_a_second_makes_no_tie() -> None:
    older = scan_document(name="z", digest=OTHER_DIGEST, resolvedAt="2026-01-01T00:00:00Z")
    newer = scan_document(name="a", resolvedAt="2026-01-01T00:00:00.5Z")
    for order in itertools.permutations([older, newer]):
        assert index(*order).find(parse(IMAGE)).digest == DIGEST


def test_a_tie_goes_to_the_one_that_violates() -> None:
    bad = scan_document(name="a", fails={"uid-1000": "root"}, digest=OTHER_DIGEST)
    for order in itertools.permutations([bad, scan_document(name="b")]):
        assert index(*order).find(parse(IMAGE)).digest == OTHER_DIGEST


@pytest.mark.parametrize("words", ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"])
def test_a_tie_of_two_by_one_name_goes_to_the_greater_words(words: str) -> None:
    documents = [scan_document(fails={"uid-1000": word}) for word in words]
    for order in itertools.permutations(documents):
        found = index(*order).find(parse(IMAGE)).scan
        assert found is not None
        assert found.outcome("uid-1000").message == words[1]


def test_a_tie_goes_to_the_greater_name() -> None:
    for order in itertools.permutations(
        [scan_document(name="a", digest=OTHER_DIGEST), scan_document(name="b")]
    ):
        assert index(*order).find(parse(IMAGE)).digest == DIGEST


# What has no result yet


@pytest.mark.parametrize("image", [IMAGE, f"x@{DIGEST}", f"x:1@{DIGEST}"])
def test_what_waits_for_its_scan_is_known_to_wait(image: str) -> None:
    found = find(image, pending_document(image, phase="Scanning"))
    assert found.scan is None
    assert found.pending is not None
    assert found.pending.phase == "Scanning"


def test_a_result_is_not_hidden_by_a_document_that_waits() -> None:
    half = scan_document(name="half", digest=None, phase="Scanning", resolvedAt=at(9))
    for order in itertools.permutations([scan_document(), pending_document(name="other"), half]):
        found = index(*order).find(parse(IMAGE))
        assert found.scan is not None
        assert found.pending is None


def test_images_without_a_result_are_counted_once_however_many_documents_wait() -> None:
    assert index().waiting == 0
    waiting = [pending_document("x", name=name) for name in ("a", "b")]
    assert index(*waiting, pending_document("y", name="c"), scan_document()).waiting == 2


# Tags beside digests


@pytest.mark.parametrize(
    ("image", "vouched"),
    [
        (f"{IMAGE}@{DIGEST}", True),
        (f"{IMAGE}@{PLATFORM_DIGEST}", True),
        (f"other:v1.10.0@{DIGEST}", False),
        (f"{IMAGE}-rc@{DIGEST}", False),
        (f"{IMAGE.partition(':')[0]}@{DIGEST}", False),
        (IMAGE, False),
    ],
)
def test_a_tag_is_vouched_for_when_our_own_scan_resolved_it_to_that_digest(
    image: str, *, vouched: bool
) -> None:
    assert find(image, scan_document()).tag_vouched is vouched


def test_a_tag_that_moved_on_is_no_longer_vouched_for() -> None:
    old = scan_document(name="old", resolvedAt=at(1))
    new = scan_document(name="new", digest=OTHER_DIGEST, resolvedAt=at(2), platforms=())
    assert not find(f"{IMAGE}@{DIGEST}", old, new).tag_vouched
    assert find(f"{IMAGE}@{OTHER_DIGEST}", old, new).tag_vouched


# Age


@pytest.mark.parametrize(
    ("scanned", "resolved", "age", "stale"),
    [
        (at(1), at(1), 24 * HOUR, False),
        (at(1), at(1), 24 * HOUR + 1, True),
        # the older of the two counts: a result says nothing of where its tag leads today, nor a tag of its result
        (at(1), at(9), 9 * 24 * HOUR, True),
        (at(9), at(1), 9 * 24 * HOUR, True),
        (at(9), at(9), 9 * 24 * HOUR, False),
    ],
)
def test_a_tags_result_is_as_old_as_its_older_half(
    scanned: str, resolved: str, age: float, *, stale: bool
) -> None:
    found = find(IMAGE, scan_document(scannedAt=scanned, resolvedAt=resolved))
    assert found.stale(JANUARY + age, 24 * HOUR) is stale


def test_a_digest_is_as_old_as_its_scan_alone() -> None:
    found = find(f"x@{DIGEST}", scan_document(scannedAt=at(9), resolvedAt=at(1)))
    assert not found.stale(JANUARY + 9 * 24 * HOUR, 24 * HOUR)


def test_what_is_not_known_is_not_stale() -> None:
    assert not Finding().stale(1e12, 1.0)
    assert not find(IMAGE, pending_document()).stale(1e12, 1.0)


def test_documents_are_counted_by_verdict() -> None:
    known = index(
        scan_document(name="a"),
        scan_document("x", name="b", fails={"uid-1000": "no"}),
        scan_document("y", name="c", unknown={"uid-1000": "no"}),
        pending_document("z", name="d"),
        # a verdict without its digest is no result
        scan_document("half", name="e", phase="Scanning", digest=None),
    )
    assert known.counts == {"Conforms": 1, "Violates": 1, "Unknown": 3}
    assert index().counts == {"Conforms": 0, "Violates": 0, "Unknown": 0}
