"""A folder of scans is kept as it is: changes are seen, half-written files are not, and faults stay by themselves."""

import mmap
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.samples import (
    IMAGE,
    Clock,
    as_json,
    as_yaml,
    policy_document,
    put,
    scan_document,
)
from webhook.stores.files import identity_of
from webhook.stores.scandir import ScanFolder, load_scans
from webhook.stores.scanfile import remove_scan, write_scan
from webhook.stores.seen import SETTLE

OTHER = "registry.example.com/team/other:v2"


class Looked:
    """A folder and a clock that a test can put forward."""

    def __init__(self, folder: Path, *, settle: float = SETTLE) -> None:
        self.clock = Clock()
        self.scans = ScanFolder(folder, clock=self.clock, settle=settle)

    def look(self, *, later: float = 0.0) -> bool:
        self.clock.ahead += later
        return self.scans.refresh()

    def complete(self) -> bool:
        return self.scans.complete

    @property
    def images(self) -> list[str]:
        return sorted(scan.reference for scan in self.scans.current.scans)

    @property
    def reasons(self) -> list[str]:
        return [str(problem).rpartition("/")[2] for problem in self.scans.current.problems]


@pytest.fixture
def looked(tmp_path: Path) -> Looked:
    return Looked(tmp_path)


def test_all_visible_documents_at_the_top_are_read_and_nothing_else(
    looked: Looked, tmp_path: Path
) -> None:
    for n, name in enumerate(["a.json", "b.yaml", "c.yml"]):
        put(tmp_path / name, scan_document(f"team/read:{n}"))
    (tmp_path / "sub").mkdir()
    for name in [".a.json", "a.json.bak", "README.md", "sub/d.json", ".a.json.0123.tmp"]:
        (tmp_path / name).write_bytes(b"not to be read")
    assert looked.look(later=SETTLE)
    assert looked.images == [f"docker.io/team/read:{n}" for n in range(3)]
    assert not looked.reasons


def test_nothing_changed_is_nothing_changed(looked: Looked, tmp_path: Path) -> None:
    put(tmp_path / "a.json", scan_document())
    (tmp_path / "bad.json").write_bytes(b"{")
    assert looked.look()
    before = looked.scans.current
    for _ in range(3):
        assert not looked.look(later=1)
        assert looked.scans.current is before


def test_a_new_a_changed_and_a_removed_file_are_seen_at_the_next_look(
    looked: Looked, tmp_path: Path
) -> None:
    looked.look()
    write_scan(tmp_path, scan_document())
    assert looked.look()
    assert looked.images == [IMAGE]
    write_scan(tmp_path, scan_document(verdict="Unknown"))
    assert looked.look()
    assert [scan.verdict for scan in looked.scans.current.scans] == ["Unknown"]
    remove_scan(tmp_path, looked.scans.current.scans[0].name)
    assert looked.look()
    assert looked.images == []


def test_a_change_that_keeps_size_and_time_stamp_is_seen(looked: Looked, tmp_path: Path) -> None:
    """File systems stamp in steps: two writes within one step look alike, so a young file is read once more."""
    path = put(tmp_path / "a.json", scan_document("team/image:1"))
    found = path.stat()
    looked.look()
    path.write_bytes(as_json(scan_document("team/image:2")))
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    looked.look(later=SETTLE)
    assert looked.images == ["docker.io/team/image:2"]


def test_a_change_that_no_time_stamp_tells_is_seen_in_a_file_that_had_not_rested(
    looked: Looked, tmp_path: Path
) -> None:
    """As two writes within one step of a coarse clock are. A store to a mapped page that is dirty already is stamped
    by no kernel, which stands in for that here.
    """
    path = put(tmp_path / "a.json", scan_document("team/image:1"))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        mapped[:] = path.read_bytes()
        looked.look()
        before = identity_of(path.stat())
        mapped[:] = as_json(scan_document("team/image:2"))
        assert identity_of(path.stat()) == before
        looked.look(later=SETTLE)
    assert looked.images == ["docker.io/team/image:2"]


def test_no_half_of_a_json_file_ever_replaces_what_it_held(looked: Looked, tmp_path: Path) -> None:
    path = put(tmp_path / "a.json", scan_document(), scan_document(OTHER))
    looked.look(later=SETTLE)
    whole = as_json(scan_document(verdict="Unknown"), scan_document(OTHER))
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        looked.look(later=SETTLE)
        assert looked.images == [IMAGE, OTHER]
        assert [scan.verdict for scan in looked.scans.current.scans] == ["Conforms"] * 2
        assert looked.scans.current.unreadable == 1
        assert len(looked.reasons) == 1
    path.write_bytes(whole)
    assert looked.look()
    assert sorted(scan.verdict for scan in looked.scans.current.scans) == ["Conforms", "Unknown"]
    assert not looked.reasons


def test_a_yaml_file_is_not_read_while_it_is_being_written(looked: Looked, tmp_path: Path) -> None:
    """Its first half may be a document too, with fewer checks: one that conforms more than the whole."""
    failed = {"requirement": "uid-1000", "result": "Fail"}
    whole = as_yaml(scan_document(verdict="Violates", checks=[failed]))
    path = put(tmp_path / "a.yaml", scan_document())
    looked.look(later=SETTLE)
    looked.clock.ahead = 0
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert not looked.look()
        assert [scan.verdict for scan in looked.scans.current.scans] == ["Conforms"]
        assert not looked.reasons
    path.write_bytes(whole)
    assert looked.look(later=SETTLE)
    assert [scan.verdict for scan in looked.scans.current.scans] == ["Violates"]


def test_a_yaml_file_that_never_was_read_keeps_the_look_from_being_complete(
    looked: Looked, tmp_path: Path
) -> None:
    put(tmp_path / "a.yaml", scan_document())
    assert not looked.look()
    assert not looked.complete()
    assert looked.look(later=SETTLE)
    assert looked.complete()


def test_a_file_system_whose_clock_is_ahead_delays_a_yaml_file_only_until_it_has_rested(
    tmp_path: Path,
) -> None:
    looked = Looked(tmp_path)
    put(tmp_path / "a.yaml", scan_document())
    assert not looked.look(later=-3600)
    assert looked.look(later=SETTLE)
    assert looked.images == [IMAGE]


def test_without_settling_yaml_is_read_at_once(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", scan_document())
    looked = Looked(tmp_path, settle=0)
    assert looked.look()
    assert looked.images == [IMAGE]


def test_a_bad_document_keeps_its_last_good_scan_and_its_neighbours_change(
    looked: Looked, tmp_path: Path
) -> None:
    path = put(tmp_path / "a.json", scan_document(), scan_document(OTHER))
    looked.look(later=SETTLE)
    put(path, scan_document(verdict="Fine"), scan_document(OTHER, verdict="Unknown"))
    assert looked.look(later=SETTLE)
    assert {scan.reference: scan.verdict for scan in looked.scans.current.scans} == {
        IMAGE: "Conforms",
        OTHER: "Unknown",
    }
    assert looked.reasons == [
        "a.json: document 1: status.verdict: must be 'Conforms', 'Violates' or 'Unknown'"
    ]
    put(path, scan_document(OTHER))
    assert looked.look(later=SETTLE)
    assert looked.images == [OTHER]


def test_another_kind_is_counted_and_may_be_a_slip_so_the_last_good_ones_stay(
    looked: Looked, tmp_path: Path
) -> None:
    path = put(tmp_path / "a.json", scan_document(), scan_document(OTHER), policy_document())
    looked.look(later=SETTLE)
    assert looked.images == [IMAGE, OTHER]
    put(path, scan_document(OTHER), policy_document())
    assert looked.look(later=SETTLE)
    assert sorted(looked.images) == sorted([IMAGE, OTHER])
    assert looked.reasons == [
        "a.json: document 2: kind: is NotebookPolicy, not ImageScan; keep the document elsewhere"
    ]
    assert looked.scans.current.unreadable == 1


def test_what_cannot_be_read_is_told_and_leaves_every_other_file_readable(
    looked: Looked, tmp_path: Path
) -> None:
    put(tmp_path / "good.json", scan_document())
    (tmp_path / "dangling.json").symlink_to("nowhere")
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff")
    assert looked.look()
    assert looked.images == [IMAGE]
    told = {reason.partition(":")[0] for reason in looked.reasons}
    assert told == {"dangling.json", "loop.json", "folder.json", "pipe.json", "bytes.json"}
    assert looked.scans.current.unreadable == 5
    assert not looked.look(later=1)


def test_a_file_that_became_unreadable_keeps_its_scans_until_it_is_readable_or_gone(
    looked: Looked, tmp_path: Path
) -> None:
    path = put(tmp_path / "a.json", scan_document())
    looked.look(later=SETTLE)
    path.rename(tmp_path / "target")
    path.symlink_to("nowhere")
    assert looked.look()
    assert (looked.images, len(looked.reasons)) == ([IMAGE], 1)
    (tmp_path / "nowhere").write_bytes(as_json(scan_document(OTHER)))
    assert looked.look()
    assert (looked.images, looked.reasons) == ([OTHER], [])
    path.unlink()
    assert looked.look()
    assert looked.images == []


def test_a_config_map_that_is_swapped_is_seen_whole(tmp_path: Path) -> None:
    """Its visible names lead through `..data`, one link, which the kubelet swaps by a rename."""
    looked = Looked(tmp_path)

    def publish(version: str, *images: str) -> None:
        (tmp_path / version).mkdir()
        for n, image in enumerate(images):
            put(tmp_path / version / f"scan-{n}.yaml", scan_document(image))
        (tmp_path / "..data_tmp").symlink_to(version)
        (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    publish("..2026_01", "team/a:1", "team/b:1")
    for n in range(2):
        (tmp_path / f"scan-{n}.yaml").symlink_to(f"..data/scan-{n}.yaml")
    assert looked.look(later=SETTLE)
    assert looked.images == ["docker.io/team/a:1", "docker.io/team/b:1"]
    publish("..2026_02", "team/a:2", "team/b:2")
    assert looked.look(later=SETTLE)
    assert looked.images == ["docker.io/team/a:2", "docker.io/team/b:2"]
    publish("..2026_03", "team/a:3")
    assert looked.look(later=SETTLE)
    assert looked.images == ["docker.io/team/a:3", "docker.io/team/b:2"]
    assert len(looked.reasons) == 1
    (tmp_path / "scan-1.yaml").unlink()
    assert looked.look()
    assert (looked.images, looked.reasons) == (["docker.io/team/a:3"], [])


def test_a_missing_folder_is_empty_or_a_problem_as_the_caller_says(tmp_path: Path) -> None:
    optional = ScanFolder(tmp_path / "none")
    assert not optional.refresh()
    assert (optional.complete, optional.current.problems) == (True, ())
    required = ScanFolder(tmp_path / "none", required=True)
    assert required.refresh()
    assert not required.complete
    assert "none: cannot be listed" in str(required.current.problems[0])
    assert not required.refresh()
    write_scan(tmp_path / "none", scan_document())
    for folder in (optional, required):
        assert folder.refresh()
        assert (len(folder.current.scans), folder.current.problems) == (1, ())


def test_a_folder_that_is_gone_keeps_what_it_held(looked: Looked, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    looked = Looked(folder)
    write_scan(folder, scan_document())
    looked.look()
    folder.rename(tmp_path / "away")
    assert looked.look()
    assert looked.images == [IMAGE]
    assert not looked.complete()
    assert len(looked.reasons) == 1
    (tmp_path / "away").rename(folder)
    assert looked.look()
    assert looked.complete()
    assert (looked.images, looked.reasons) == ([IMAGE], [])


def test_a_name_of_any_bytes_is_read_and_told_in_one_printable_line(
    looked: Looked, tmp_path: Path
) -> None:
    name = os.fsdecode(b"a\n\xff\x1b.json")
    (tmp_path / name).write_bytes(as_json(scan_document()))
    looked.look()
    assert looked.images == [IMAGE]
    (tmp_path / name).write_bytes(b"{")
    looked.look()
    assert str(looked.scans.current.problems[0]).isprintable()


def test_one_changed_file_among_two_thousand_is_seen_and_a_look_costs_little(
    looked: Looked, tmp_path: Path
) -> None:
    for n in range(2000):
        (tmp_path / f"{n}.json").write_bytes(as_json(scan_document(f"team/image-{n}:1")))
    first = timed(looked, later=SETTLE)
    assert len(looked.scans.current.scans) == 2000
    second = min(timed(looked, later=1) for _ in range(3))
    assert second < first / 3
    write_scan(tmp_path, scan_document("team/image-7:2"))
    (tmp_path / "7.json").unlink()
    assert looked.look()
    assert "docker.io/team/image-7:2" in looked.images
    assert "docker.io/team/image-7:1" not in looked.images


def timed(looked: Looked, *, later: float) -> float:
    started = time.process_time()
    looked.look(later=later)
    return time.process_time() - started


def test_a_folder_is_read_once_as_it_is_now(tmp_path: Path) -> None:
    put(tmp_path / "a.yaml", scan_document())
    (tmp_path / "b.json").write_bytes(b"{")
    found = load_scans(tmp_path)
    assert [scan.reference for scan in found.scans] == [IMAGE]
    assert [problem.path for problem in found.problems] == [str(tmp_path / "b.json")]
    assert len(load_scans(tmp_path / "none").problems) == 1


@given(st.lists(st.binary(max_size=40), max_size=4), st.sampled_from(["json", "yaml"]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_files_make_a_look_raise_or_hide_a_good_one(
    tmp_path: Path, datas: list[bytes], suffix: str
) -> None:
    for n in range(4):
        (tmp_path / f"bad-{n}.{suffix}").write_bytes(datas[n] if n < len(datas) else b"x")
    put(tmp_path / "good.json", scan_document())
    found = load_scans(tmp_path)
    assert IMAGE in [scan.reference for scan in found.scans]
