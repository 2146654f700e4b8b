"""One file of ImageScans: what is readable of it is read, what is written can be read again."""

from pathlib import Path

import orjson
import pytest

from tests.stores.samples import IMAGE, Json, as_json, as_yaml, policy_document, scan_document
from webhook.core.document import InvalidDocument
from webhook.core.scan import compact, read_scan_document, scan_name
from webhook.stores.scanfile import (
    read_scans,
    remove_scan,
    scan_path,
    write_scan,
)


def test_yaml_and_json_give_the_same_scans() -> None:
    documents = [scan_document(f"team/notebook:{n}") for n in range(3)]
    from_json = read_scans(as_json(*documents), "a.json")
    assert from_json == read_scans(as_yaml(*documents), "a.json.yaml")
    assert from_json.scans == tuple(compact(read_scan_document(d)) for d in documents)
    assert not from_json.problems


def test_every_fault_of_every_document_is_told_with_its_place() -> None:
    wrong = scan_document(verdict="Fine", digest="latest")
    other = scan_document("team/other:1")
    found = read_scans(as_json(scan_document(), wrong, other, policy_document()), "a.json")
    assert [scan.reference for scan in found.scans] == [IMAGE, "docker.io/team/other:1"]
    assert (found.unreadable, found.foreign) == (2, 1)
    assert [(p.path, p.document, p.field) for p in found.problems] == [
        ("a.json", 2, "status.digest"),
        ("a.json", 2, "status.verdict"),
        ("a.json", 4, "kind"),
    ]
    assert str(found.problems[2]) == (
        "a.json: document 4: kind: is NotebookPolicy, not ImageScan; keep the document elsewhere"
    )


def test_a_json_file_that_does_not_begin_as_json_is_refused() -> None:
    """A file cut to nothing, or to blanks, would otherwise be YAML of no document, or of half of one."""
    for data in (b"", b"\n", as_yaml(scan_document())):
        found = read_scans(data, "a.json")
        assert (found.scans, found.unreadable) == ((), 1)
        assert "is not JSON" in found.problems[0].reason


def test_no_beginning_of_a_json_file_passes_for_the_whole() -> None:
    text = as_json(scan_document(), scan_document("team/other:1"))
    for length in range(len(text)):
        found = read_scans(text[:length], "a.json")
        assert not found.scans
        assert found.unreadable


def test_a_file_of_nothing_but_faults_tells_of_a_bounded_number() -> None:
    found = read_scans(as_json(*[scan_document(phase="Done")] * 500), "a.json")
    assert found.unreadable == 500
    assert len(found.problems) == 101
    assert "500 documents" in found.problems[-1].reason


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    document = {**scan_document(), "future": {"kept": True}}
    for written in (document, read_scan_document(document)):
        path = write_scan(tmp_path / "new", written)
        assert path == tmp_path / "new" / f"{scan_name(IMAGE)}.json"
        found = read_scans(path.read_bytes(), path)
        assert found.scans == (compact(read_scan_document(document)),)
        assert not found.problems
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_mapping_is_written_with_what_a_newer_scanner_added(tmp_path: Path) -> None:
    document = {**scan_document(), "future": {"kept": True}}
    assert orjson.loads(write_scan(tmp_path, document).read_bytes()) == document


def test_a_bad_document_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InvalidDocument, match=r"status\.verdict"):
        write_scan(tmp_path, scan_document(verdict="Fine"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "", "A", "a\n", "a" * 250, "-a", "a.", "ä"])
def test_a_name_that_could_be_another_place_names_no_file(tmp_path: Path, name: str) -> None:
    document: Json = scan_document()
    document["metadata"]["name"] = name
    with pytest.raises(InvalidDocument, match=r"metadata\.name"):
        write_scan(tmp_path / "scans", document)
    with pytest.raises(InvalidDocument, match=r"metadata\.name"):
        remove_scan(tmp_path, name)
    assert not list(tmp_path.iterdir())


def test_the_longest_name_is_written(tmp_path: Path) -> None:
    document: Json = scan_document()
    document["metadata"]["name"] = "a" * 242
    assert write_scan(tmp_path, document) == scan_path(tmp_path, "a" * 242)


def test_a_removed_scan_is_gone_and_removing_it_again_is_no_error(tmp_path: Path) -> None:
    path = write_scan(tmp_path, scan_document())
    assert remove_scan(tmp_path, path.stem)
    assert not path.exists()
    assert not remove_scan(tmp_path, path.stem)


def test_writing_over_a_link_replaces_the_link_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"kept")
    path = scan_path(tmp_path, scan_name(IMAGE))
    path.symlink_to("elsewhere")
    write_scan(tmp_path, scan_document())
    assert not path.is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == b"kept"
