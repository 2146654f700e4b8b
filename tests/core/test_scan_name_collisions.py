"""Two images under one ImageScan name: ten hex of a hash can be made to collide, and no verdict passes over by it.

2^40 tries find a second image for a name, which is minutes of a graphics card. The name is where an object lies, and
never what it is about.
"""

import itertools
from typing import Any

import pytest

from tests.core.builders import DIGEST, OTHER_DIGEST, Json, pending_document, scan_document
from tests.core.builders import scan as compacted
from webhook.core.reference import parse
from webhook.core.scan import scan_name
from webhook.core.verdict import build_index

GOOD = "registry.example.com/good/nb:v1"
EVIL = "evil.example.com/nb:v1"
NAME = scan_name(GOOD)


def known(*documents: Json) -> list[Any]:
    """Index documents in every order; give what is found of each image, the same each time."""
    scans = [compacted(document) for document in documents]
    indexes = [build_index(each) for each in itertools.permutations(scans)]
    found = [[index.find(parse(image)) for image in (GOOD, EVIL)] for index in indexes]
    assert all(each == found[0] for each in found)
    return found[0]


def test_a_result_under_a_name_is_of_the_image_that_it_names() -> None:
    good, evil = known(scan_document(GOOD, name=NAME))
    assert good.digest == DIGEST
    assert evil.scan is evil.pending is evil.digest is None


def test_two_results_of_one_name_are_told_apart() -> None:
    evil_scan = scan_document(
        EVIL, name=NAME, digest=OTHER_DIGEST, platforms=(), fails={"uid-1000": "UID 0"}
    )
    good, evil = known(scan_document(GOOD, name=NAME), evil_scan)
    assert (good.scan.verdict, evil.scan.verdict) == ("Conforms", "Violates")


def test_a_wish_for_one_image_hides_no_result_of_another() -> None:
    good, evil = known(scan_document(GOOD, name=NAME), pending_document(EVIL, name=NAME))
    assert good.scan is not None
    assert evil.scan is None
    assert evil.pending is not None


@pytest.mark.parametrize("image", [EVIL, f"{EVIL}@{DIGEST}"])
def test_a_result_stays_with_its_image_when_the_object_names_another_by_then(image: str) -> None:
    """Somebody changed the spec below a result: the status still says what it is about."""
    taken_over = scan_document(image, name=NAME)
    taken_over["status"]["image"] = parse(GOOD).canonical
    good, evil = known(taken_over)
    assert good.scan is evil.scan is None
