"""`nbgate scans import`: all or nothing, and the newest of an image stays."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Ended, nbgate
from tests.stores.samples import IMAGE, as_json, as_yaml, policy_document, put, scan_document
from webhook.core.scan import scan_name
from webhook.stores.scandir import load_scans

OLD, NEW = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def at(time: str, **status: Any) -> dict[str, Any]:
    return scan_document(IMAGE, **{"resolvedAt": time, "scannedAt": time, **status})


def take(home: Path, *words: str | Path, given: bytes = b"") -> Ended:
    return nbgate(home, "scans", "import", *words, given=given)


def actions(ended: Ended) -> list[tuple[str, str]]:
    assert (ended.code, ended.err) == (0, "")
    return [(row["name"], row["action"]) for row in ended.json]


def verdicts(home: Path) -> dict[str, str]:
    found = load_scans(home / "scans")
    assert not found.problems
    return {scan.reference: scan.verdict for scan in found.scans}


def names(home: Path) -> list[str]:
    return sorted(path.name for path in (home / "scans").iterdir())


def test_each_document_gets_a_file_of_its_own_under_the_name_of_its_image(tmp_path: Path) -> None:
    several = put(tmp_path / "a.yaml", *(scan_document(f"team/nb:{n}") for n in range(2)))
    misnamed = scan_document("team/nb:2")
    misnamed["metadata"] = {"name": "../../mine", "labels": {"kept": "yes"}}
    listed = as_json({"kind": "ImageScanList", "items": [misnamed, scan_document("team/nb:3")]})
    ended = take(tmp_path, several, "-", "-o", "json", given=listed)
    expected = [scan_name(f"team/nb:{n}") for n in range(4)]
    assert actions(ended) == [(name, "created") for name in expected]
    assert names(tmp_path) == sorted(f"{name}.json" for name in expected)
    assert len(verdicts(tmp_path)) == 4


def test_a_document_without_a_name_is_taken_for_its_image_names_it(tmp_path: Path) -> None:
    document = scan_document()
    del document["metadata"]
    assert actions(take(tmp_path, "-", "-o", "json", given=as_json(document))) == [
        (scan_name(IMAGE), "created")
    ]


def test_every_fault_of_every_document_is_told_and_nothing_is_imported(tmp_path: Path) -> None:
    one = put(tmp_path / "one.yaml", scan_document("a:1"), scan_document("a:2", verdict="Fine"))
    two = put(tmp_path / "two.json", policy_document())
    three = tmp_path / "three.json"
    three.write_bytes(b"{")
    four = put(tmp_path / "four.yaml", scan_document("a:3", digest="x", phase="Done"))
    five = put(tmp_path / "five.yaml", {**scan_document(), "spec": {"image": "A B"}})
    ended = take(tmp_path, one, two, three, tmp_path / "none", four, five)
    assert (ended.code, ended.out) == (2, "")
    lines = ended.err.splitlines()
    assert lines[0] == "nbgate: nothing was imported:"
    assert [line.removeprefix(f"{tmp_path}/").split(": ")[:2] for line in lines[1:]] == [
        ["one.yaml, document 2", "status.verdict"],
        ["two.json", "kind"],
        ["three.json", "ends in the middle, at line 1; write the file anew, whole"],
        ["none", "No such file or directory"],
        ["four.yaml", "status.phase"],
        ["four.yaml", "status.digest"],
        ["five.yaml", "spec.image"],
    ]
    assert not (tmp_path / "scans").exists()


@pytest.mark.parametrize(
    ("held", "given", "action", "stays"),
    [
        (at(OLD), at(NEW, verdict="Unknown"), "replaced", "Unknown"),
        (at(NEW), at(OLD, verdict="Unknown"), "kept", "Conforms"),
        (at(NEW), at(NEW, verdict="Unknown"), "kept", "Conforms"),
        (at(OLD), at(OLD, resolvedAt=NEW, verdict="Unknown"), "replaced", "Unknown"),
        (at(OLD), at(OLD, scannedAt=NEW, verdict="Unknown"), "replaced", "Unknown"),
        (at(NEW, verdict="Unknown"), at(OLD), "kept", "Unknown"),
    ],
)
def test_the_newest_of_an_image_stays(
    tmp_path: Path, held: dict[str, Any], given: dict[str, Any], action: str, stays: str
) -> None:
    take(tmp_path, "-", given=as_json(held))
    ended = take(tmp_path, "-", "-o", "json", given=as_yaml(given))
    assert actions(ended) == [(scan_name(IMAGE), action)]
    assert verdicts(tmp_path) == {IMAGE: stays}
    assert len(names(tmp_path)) == 1


def test_force_replaces_a_newer_one(tmp_path: Path) -> None:
    take(tmp_path, "-", given=as_json(at(NEW)))
    older = as_json(at(OLD, verdict="Unknown"))
    assert actions(take(tmp_path, "-", "--force", "-o", "json", given=older)) == [
        (scan_name(IMAGE), "replaced")
    ]
    assert verdicts(tmp_path) == {IMAGE: "Unknown"}


def test_the_newest_of_several_given_is_taken(tmp_path: Path) -> None:
    given = as_json(at(OLD, verdict="Unknown"), at(NEW), at(OLD, verdict="Unknown"))
    assert len(actions(take(tmp_path, "-", "-o", "json", given=given))) == 1
    assert verdicts(tmp_path) == {IMAGE: "Conforms"}


def test_a_newer_one_in_a_file_of_several_counts_too(tmp_path: Path) -> None:
    """What stands in another file still wins, so forcing an older one says so."""
    (tmp_path / "scans").mkdir()
    put(tmp_path / "scans" / "all.yaml", at(NEW), scan_document("team/other:1"))
    older = as_json(at(OLD, verdict="Unknown"))
    assert actions(take(tmp_path, "-", "-o", "json", given=older)) == [(scan_name(IMAGE), "kept")]
    forced = take(tmp_path, "-", "--force", given=older)
    assert forced.code == 0
    assert "all.yaml holds a newer result" in forced.err


def test_what_was_done_is_told_to_people_too(tmp_path: Path) -> None:
    ended = take(tmp_path, "-", given=as_json(at(OLD)))
    assert [line.split() for line in ended.out.splitlines()] == [
        ["NAME", "IMAGE", "ACTION"],
        [scan_name(IMAGE), IMAGE, "created"],
    ]
    assert take(tmp_path, "-", given=b"[]").out.strip() == "there was nothing to import"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "scans" / f"{scan_name(IMAGE)}.json").mkdir(parents=True)
    ended = take(tmp_path, "-", given=as_json(at(OLD)))
    assert (ended.code, ended.out) == (3, "")
    assert "cannot be written" in ended.err
    assert os.fspath(tmp_path / "scans") in ended.err
