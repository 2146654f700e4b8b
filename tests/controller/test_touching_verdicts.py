"""What the leader knows of scans: what admission knows, and news only where a notebook may start."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import DIGEST, IMAGE, OTHER_DIGEST, pending_document, scan_document
from webhook.controller.verdicts import Results
from webhook.core.reference import parse
from webhook.kube import Event

Json = dict[str, Any]


def knowing(*documents: Json) -> Results:
    results = Results()
    results.replaced(iter(documents))
    return results


def scanned(**status: Any) -> Json:
    document = scan_document()
    document["status"].update(status)
    return document


def changed(results: Results, document: Json, kind: Any = "MODIFIED") -> bool:
    results.changed(Event(kind, document))
    return results.news()


def test_a_first_list_is_news_once() -> None:
    results = knowing(scan_document())

    assert results.news()
    assert not results.news()
    assert Results().news() is False


def test_results_are_found_as_admission_finds_them() -> None:
    results = knowing(scan_document())

    by_tag, by_digest = results.find(parse(IMAGE)), results.find(parse(f"other@{DIGEST}"))
    assert by_tag is not None
    assert by_tag == by_digest
    assert by_tag.verdict == "Conforms"
    assert results.find(parse("other:v1")) is None


def test_the_end_of_a_scan_is_news() -> None:
    results = knowing(pending_document())
    assert results.find(parse(IMAGE)) is None

    assert changed(results, scan_document())
    assert results.find(parse(IMAGE)) is not None


def test_another_digest_or_verdict_is_news() -> None:
    results = knowing(scan_document())
    results.news()

    assert changed(results, scanned(digest=OTHER_DIGEST, manifests=[]))
    assert changed(results, scanned(digest=OTHER_DIGEST, manifests=[], verdict="Unknown"))


def test_claims_uses_and_a_tag_that_means_the_same_are_none() -> None:
    results = knowing(scan_document())
    results.news()
    until = {"holder": "a", "until": "2027-01-01T00:00:00Z"}

    assert not changed(results, scanned(phase="Scanning", claim=until))
    assert not changed(results, scanned(lastUsedAt="2026-02-02T00:00:00Z"))
    assert not changed(results, scanned(resolvedAt="2026-02-02T00:00:00Z"))
    assert not changed(results, scan_document(), "DELETED")
    assert results.find(parse(IMAGE)) is None
    assert not changed(results, pending_document(), "DELETED")


def test_what_cannot_be_read_is_no_result_and_no_error() -> None:
    results = knowing(scan_document())
    results.news()

    assert not changed(results, {**scan_document(), "spec": {}})
    assert results.find(parse(IMAGE)) is None


def test_a_list_that_breaks_off_changes_nothing() -> None:
    results = knowing(scan_document())

    def broken() -> Any:
        yield pending_document()
        raise OSError("the line broke")

    with pytest.raises(OSError, match="broke"):
        results.replaced(broken())
    assert results.find(parse(IMAGE)) is not None
