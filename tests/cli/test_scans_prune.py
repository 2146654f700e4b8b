"""`nbgate scans prune`: what is asked for goes, and nothing else."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import Ended, nbgate
from tests.stores.samples import policy_document, put, scan_document
from webhook.stores.scanfile import write_scan


def before(hours: float) -> str:
    time = datetime.now(UTC) - timedelta(hours=hours)
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def scan(name: str, hours: float, **status: Any) -> dict[str, Any]:
    return scan_document(f"team/{name}:v1", scannedAt=before(hours), **status)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    failed = {"requirement": "uid-1000", "result": "Fail"}
    write_scan(folder, scan("young", 1))
    write_scan(folder, scan("old", 100))
    write_scan(folder, scan("old-bad", 100, verdict="Violates", checks=[failed]))
    pending = scan("pending", 1)
    pending["status"] = {"phase": "Pending"}
    write_scan(folder, pending)
    return tmp_path


def prune(home: Path, *words: str) -> Ended:
    return nbgate(home, "scans", "prune", *words)


def left(home: Path) -> list[str]:
    return sorted(
        path.name.partition("-v1-")[0].partition(".")[0] for path in (home / "scans").iterdir()
    )


@pytest.mark.parametrize(
    ("words", "stay"),
    [
        (["--older-than", "99h"], ["pending", "young"]),
        (["--older-than", "101h"], ["old", "old-bad", "pending", "young"]),
        (["--verdict", "violates"], ["old", "pending", "young"]),
        (["--verdict", "Unknown"], ["old", "old-bad", "young"]),
        (["--verdict", "Unknown", "--verdict", "Violates"], ["old", "young"]),
        (["--verdict", "Conforms", "--older-than", "2h"], ["old-bad", "pending", "young"]),
        (["--image", "docker.io/team/old"], ["old-bad", "pending", "young"]),
        (["--image", "*/**", "--verdict", "Conforms"], ["old-bad", "pending"]),
        (["--unreadable"], ["old", "old-bad", "pending", "young"]),
    ],
)
def test_what_has_all_the_properties_goes_and_the_rest_stays(
    home: Path, words: list[str], stay: list[str]
) -> None:
    assert prune(home, *words).code == 0
    assert left(home) == stay


def test_a_dry_run_says_the_same_and_removes_nothing(home: Path) -> None:
    dry = prune(home, "--older-than", "99h", "--dry-run", "-o", "json")
    assert left(home) == ["old", "old-bad", "pending", "young"]
    done = prune(home, "--older-than", "99h", "-o", "json")
    assert [row.pop("removed") for row in dry.json] == [False, False]
    assert [row["file"] for row in dry.json] == [row["file"] for row in done.json]
    assert [row["removed"] for row in done.json] == [True, True]


def test_what_was_removed_is_told_to_people(home: Path) -> None:
    ended = prune(home, "--older-than", "99h", "--verdict", "Violates")
    heading, row = ended.out.splitlines()
    assert heading.split() == ["REMOVED", "REASON"]
    assert row.split(None, 1)[1].strip() == "Violates, scanned 4d4h ago"
    assert prune(home, "--older-than", "99h", "--dry-run").out.startswith("WOULD REMOVE")
    assert prune(home, "--older-than", "999h").out.strip() == "nothing to remove"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing says what to remove"),
        (["--dry-run"], "nothing says what to remove"),
        (["--older-than", "1 week"], "--older-than: must be a duration"),
        (["--image", "x"], "--image: it does not start with a registry"),
    ],
)
def test_without_a_property_or_with_a_wrong_one_nothing_goes(
    home: Path, words: list[str], told: str
) -> None:
    ended = prune(home, *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert len(left(home)) == 4


def test_unreadable_files_go_only_when_asked_and_only_those_of_nothing_else(home: Path) -> None:
    folder = home / "scans"
    (folder / "bad.json").write_bytes(b"{")
    (folder / "dangling.yaml").symlink_to("nowhere")
    put(folder / "foreign.yaml", policy_document(), scan("y", 1, verdict="Fine"))
    put(folder / "half.yaml", scan("readable", 1), scan("x", 1, verdict="Fine"))
    prune(home, "--older-than", "1h")
    assert {"bad", "dangling", "foreign", "half"} <= set(left(home))
    ended = prune(home, "--unreadable", "-o", "json")
    assert [Path(row["file"]).name for row in ended.json] == ["bad.json", "dangling.yaml"]
    assert {"foreign", "half"} <= set(left(home))
    assert {"bad", "dangling"}.isdisjoint(left(home))


def test_a_file_of_several_goes_only_whole(home: Path) -> None:
    folder = home / "scans"
    put(folder / "all-old.yaml", scan("a", 100), scan("b", 100))
    put(folder / "mixed.yaml", scan("c", 100), scan("d", 1))
    ended = prune(home, "--older-than", "99h", "-o", "json")
    assert ended.code == 3
    assert "mixed.yaml stays: 1 of its results" in ended.err
    assert len(ended.json) == 3
    assert left(home) == ["mixed", "pending", "young"]


def test_a_link_goes_and_what_it_leads_to_stays(home: Path) -> None:
    target = put(home / "target.json", scan("linked", 100))
    (home / "scans" / "link.json").symlink_to(target)
    prune(home, "--older-than", "99h")
    assert "link" not in left(home)
    assert target.exists()


def test_what_cannot_be_removed_is_told(home: Path) -> None:
    (home / "scans" / "folder.json").mkdir()
    ended = prune(home, "--unreadable")
    assert (ended.code, ended.out) == (3, "")
    assert f"{os.fspath(home / 'scans' / 'folder.json')} cannot be removed" in ended.err
