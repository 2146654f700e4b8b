"""`nbgate scans list` and `show`: what is cached is found by whatever a person has of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Ended, nbgate
from tests.stores.samples import IMAGE, digest_of, put, scan_document
from webhook.cli.scanslist import age
from webhook.core.scan import scan_name
from webhook.stores.scanfile import write_scan

OTHER = "docker.io/library/other:v2"
PENDING = "ghcr.io/team/pending:v3"
SCANNED = "2026-01-01T00:00:00Z"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Hold a scan that conforms, one that violates, and one that is not done."""
    folder = tmp_path / "scans"
    failed = {
        "requirement": "uid-1000",
        "result": "Fail",
        "message": "user [root] has UID 0\x1b[2J",
    }
    write_scan(folder, scan_document())
    write_scan(folder, scan_document(OTHER, verdict="Violates", checks=[failed]))
    pending = scan_document(PENDING)
    pending["status"] = {"phase": "Pending"}
    write_scan(folder, pending)
    return tmp_path


def listed(home: Path, *words: str | Path) -> list[str]:
    """List the images that `scans list` prints."""
    data = nbgate(home, "scans", "list", "-o", "json", *words).json
    return [row["image"] for row in data]


def show(home: Path, what: str, *words: str | Path) -> Ended:
    return nbgate(home, "scans", "show", what, *words)


def test_every_result_is_one_line_ordered_by_image(home: Path) -> None:
    ended = nbgate(home, "scans", "list")
    rows = [line.split() for line in ended.out.splitlines()]
    assert (ended.code, ended.err) == (0, "")
    assert rows[0] == ["NAME", "IMAGE", "VERDICT", "SERVING", "AGE", "DIGEST"]
    assert [row[1] for row in rows[1:]] == [OTHER, PENDING, IMAGE]
    assert rows[1][2:4] == ["Violates", "Prefix"]
    assert rows[1][5] == digest_of(OTHER)[7:19]
    assert rows[2][2:] == ["Unknown", "(Pending)", "Unknown", "-", "-"]


def test_for_programs_nothing_is_shortened(home: Path) -> None:
    ended = nbgate(home, "scans", "list", "-o", "json")
    assert ended.json[2] == {
        "name": scan_name(IMAGE),
        "image": IMAGE,
        "phase": "Complete",
        "verdict": "Conforms",
        "serving": "Prefix",
        "digest": digest_of(IMAGE),
        "manifests": [digest_of(f"{IMAGE} amd64")],
        "cuda": False,
        "resolvedAt": SCANNED,
        "scannedAt": SCANNED,
    }
    assert ended.json[1]["scannedAt"] is None
    assert nbgate(home, "scans", "list", "-o", "yaml").yaml == ended.json


@pytest.mark.parametrize(
    ("words", "images"),
    [
        (["--verdict", "Conforms"], [IMAGE]),
        (["--verdict", "conforms", "--verdict", "UNKNOWN"], [PENDING, IMAGE]),
        (["--image", "*/**"], [OTHER, PENDING, IMAGE]),
        (["--image", "registry.example.com/**"], [IMAGE]),
        (["--image", "docker.io/other"], [OTHER]),
        (["--image", "docker.io/other:v2"], [OTHER]),
        (["--image", "docker.io/other:v3"], []),
        (["--image", "*/**", "--verdict", "Violates"], [OTHER]),
    ],
)
def test_filters_leave_what_has_all_that_is_asked(
    home: Path, words: list[str], images: list[str]
) -> None:
    assert listed(home, *words) == images


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--image", "other"], "--image: it does not start with a registry"),
        (["--verdict", "Fine"], "--verdict"),
        (["--scans", "/nowhere"], "/nowhere"),
    ],
)
def test_what_cannot_be_asked_is_told_with_its_flag(
    home: Path, words: list[str], told: str
) -> None:
    ended = nbgate(home, "scans", "list", *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_an_unreadable_document_is_told_and_the_others_are_listed(home: Path) -> None:
    (home / "scans" / "bad.json").write_bytes(b"{")
    put(home / "scans" / "worse.yaml", scan_document(verdict="Fine"))
    ended = nbgate(home, "scans", "list", "-o", "json")
    assert (ended.code, len(ended.json)) == (0, 3)
    lines = ended.err.splitlines()
    assert [line.partition(": ")[2].rpartition("/")[2] for line in lines] == [
        "bad.json: ends in the middle, at line 1; write the file anew, whole",
        "worse.yaml: status.verdict: must be 'Conforms', 'Violates' or 'Unknown'",
    ]


def test_a_home_without_scans_has_none(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "scans", "list")
    assert (ended.code, ended.err) == (0, "")
    assert nbgate(tmp_path, "scans", "list", "-o", "json").json == []


def test_another_folder_may_be_named_by_flag_and_environment(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    write_scan(folder, scan_document("team/elsewhere:1"))
    assert listed(home, "--scans", folder) == ["docker.io/team/elsewhere:1"]
    ended = nbgate(home, "scans", "list", "-o", "json", NBGATE_SCANS_LIST_SCANS=str(folder))
    assert len(ended.json) == 1


@pytest.mark.parametrize(
    "what",
    [
        scan_name(OTHER),
        digest_of(OTHER),
        digest_of(OTHER)[7:19],
        digest_of(OTHER)[:20],
        digest_of(f"{OTHER} amd64"),
        OTHER,
        "other:v2",
        "index.docker.io/other:v2",
    ],
)
def test_a_result_is_found_by_name_digest_or_any_spelling_of_its_image(
    home: Path, what: str
) -> None:
    ended = show(home, what, "-o", "json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["spec"]["image"] == OTHER


def test_what_is_shown_for_programs_is_the_whole_document(home: Path) -> None:
    document: dict[str, Any] = {**scan_document("team/new:1"), "future": {"field": 1}}
    write_scan(home / "scans", document)
    assert show(home, "team/new:1", "-o", "json").json == document
    assert show(home, "team/new:1", "-o", "yaml").yaml == document


def test_for_people_each_check_is_a_line_and_nothing_reaches_the_terminal_raw(home: Path) -> None:
    ended = show(home, OTHER)
    lines = ended.out.splitlines()
    assert lines[0].split() == ["Name", scan_name(OTHER)]
    assert ["Verdict", "Violates"] in [line.split() for line in lines]
    assert lines[-1].split(None, 3)[:2] == ["uid-1000", "Fail"]
    assert lines[-1].rstrip().endswith("user [root] has UID 0?[2J")
    assert all(line.isprintable() for line in lines)


def test_a_result_that_is_not_done_is_shown(home: Path) -> None:
    ended = show(home, PENDING)
    assert ended.code == 0
    assert "no checks" in ended.out


def test_the_newest_of_several_is_shown_and_the_others_are_named(home: Path) -> None:
    newer = scan_document(
        OTHER, scannedAt="2026-02-01T00:00:00Z", resolvedAt="2026-02-01T00:00:00Z"
    )
    put(home / "scans" / "also.yaml", scan_document(), newer)
    ended = show(home, OTHER, "-o", "json")
    assert ended.json == newer
    assert ended.err.startswith(f"nbgate: {home / 'scans' / scan_name(OTHER)}.json holds an older")


def test_what_is_not_there_is_told(home: Path) -> None:
    for what in ("nothing", "sha256:" + "0" * 64, "other:v3", "deadbeef00", "\x1b[2J"):
        ended = show(home, what)
        assert (ended.code, ended.out) == (2, "")
        assert "nbgate scans list" in ended.err
        assert ended.err.strip().isprintable()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0.9, "0s"), (59, "59s"), (60, "1m"), (3599, "59m59s"), (3600, "1h"),
     (3601, "1h"), (90000, "1d1h"), (86400 * 400 + 60, "400d")],
)  # fmt: skip
def test_an_age_is_written_in_its_two_largest_units(seconds: float, shown: str) -> None:
    assert age(seconds) == shown
