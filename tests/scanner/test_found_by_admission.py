"""What was scanned is what admission finds: by tag, by index digest, by manifest digest; a moved tag is seen."""

from __future__ import annotations

import json

from tests.images.building import push
from tests.scanner.shelf import Shelf, scan
from webhook.core.reference import parse
from webhook.core.scan import compact, read_scan_document
from webhook.core.verdict import Finding, ScanIndex, build_index
from webhook.scanner.scanning import Scanned, ScanSettings


def written(scanned: Scanned) -> dict[str, object]:
    """Return the document as it is saved and read again."""
    document = scanned.document.model_dump(mode="json", by_alias=True, exclude_none=True)
    content: dict[str, object] = json.loads(json.dumps(document))
    assert read_scan_document(content) == scanned.document
    return content


def index_of(*every: Scanned) -> ScanIndex:
    return build_index(compact(read_scan_document(written(scanned))) for scanned in every)


def found(index: ScanIndex, image: str) -> Finding:
    return index.find(parse(image))


def test_an_index_is_found_by_tag_by_its_digest_and_by_each_manifest(shelf: Shelf) -> None:
    scanned = shelf.scan("two-platforms")
    status = scanned.document.status
    assert [m.platform for m in status.manifests] == ["linux/amd64", "linux/arm64"]
    assert status.digest == shelf.digest("two-platforms")
    index = index_of(scanned)
    repository = shelf.reference("two-platforms").removesuffix(":v1")
    names = [f"{repository}:v1", f"{repository}@{status.digest}"]
    names += [f"{repository}@{m.digest}" for m in status.manifests]
    names += [f"{repository}:other@{status.digest}", f"elsewhere.example/x@{status.digest}"]
    assert [found(index, name).scan is not None for name in names] == [True] * len(names)
    assert found(index, f"{repository}:other").scan is None


def test_a_platform_that_was_not_judged_is_not_vouched_for(shelf: Shelf) -> None:
    both = shelf.scan("two-platforms").document.status.manifests
    reference = shelf.reference("two-platforms")
    scanned = scan(reference, ScanSettings(platforms=("linux/amd64",)))
    index = index_of(scanned)
    repository = reference.removesuffix(":v1")
    known = [found(index, f"{repository}@{m.digest}").scan is not None for m in both]
    assert known == [True, False]


def test_a_single_manifest_is_found_by_tag_and_by_digest(shelf: Shelf) -> None:
    scanned = shelf.scan("conforming")
    reference, digest = shelf.reference("conforming"), shelf.digest("conforming")
    index = index_of(scanned)
    assert found(index, reference).digest == digest
    assert found(index, f"{reference}@{digest}").tag_vouched


def test_attestations_are_no_platforms(shelf: Shelf) -> None:
    status = shelf.scan("attested").document.status
    assert "unknown/unknown" not in {m.platform for m in status.manifests}


def test_a_digest_is_scanned_as_that_digest(shelf: Shelf) -> None:
    digest = shelf.digest("conforming")
    repository = shelf.reference("conforming").removesuffix(":v1")
    scanned = scan(f"{repository}@{digest}", ScanSettings())
    assert scanned.document.status.digest == digest
    assert scanned.document.spec.image == f"{repository}@{digest}"


def test_a_tag_that_moves_is_seen_and_the_old_digest_is_still_known(shelf: Shelf) -> None:
    tag = f"{shelf.registry.host}/moving:latest"
    scans = []
    for at, name in enumerate(("conforming", "no-origin"), start=1_700_000_000):
        push(shelf.layouts[name], tag)
        scans.append(scan(tag, ScanSettings(), at=at))
    old, new = (scanned.document.status.digest for scanned in scans)
    assert old != new
    index = index_of(*reversed(scans))
    assert found(index, tag).digest == new
    assert found(index, f"{tag}@{old}").digest == old
    assert not found(index, f"{tag}@{old}").tag_vouched
    assert found(index, f"{tag}@{new}").tag_vouched
