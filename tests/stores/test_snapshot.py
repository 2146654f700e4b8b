"""A snapshot is whole, is swapped whole, and stays when what replaces it is bad."""

from pathlib import Path

import pytest

from tests.stores.samples import IMAGE, Clock, policy_document, put, scan_document
from webhook.core.reference import parse
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.scanfile import write_scan
from webhook.stores.seen import SETTLE
from webhook.stores.snapshot import FileStore


class House:
    """A folder of scans, a policy file, the store over them, and their clock."""

    def __init__(self, root: Path) -> None:
        self.clock = Clock()
        self.folder, self.file = root / "scans", root / "policy.yaml"
        self.folder.mkdir()
        self.store = FileStore(
            ScanFolder(self.folder, required=True, clock=self.clock),
            PolicyFile(self.file, clock=self.clock),
            clock=lambda: 1000 + self.clock.ahead,
        )

    def look(self, *, later: float = SETTLE) -> bool:
        self.clock.ahead += later
        return self.store.refresh()

    def synced_at(self) -> float | None:
        return self.store.synced_at

    def knows(self, image: str = IMAGE) -> bool:
        return self.store.current.scans.find(parse(image)).scan is not None


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_look_at_what_has_not_changed_swaps_nothing(house: House) -> None:
    write_scan(house.folder, scan_document())
    assert house.look()
    before = house.store.current
    assert not house.look()
    assert house.store.current is before


def test_a_changed_scan_makes_a_new_snapshot_and_leaves_the_old_one_as_it_was(
    house: House,
) -> None:
    house.look()
    before = house.store.current
    write_scan(house.folder, scan_document())
    assert house.look()
    assert house.knows()
    assert before.scans.find(parse(IMAGE)).scan is None
    assert house.store.current.generation == before.generation + 1
    assert house.store.current.policy is before.policy


def test_a_changed_policy_makes_a_new_snapshot_with_the_same_scans(house: House) -> None:
    write_scan(house.folder, scan_document())
    house.look()
    before = house.store.current
    put(house.file, policy_document("mine"))
    assert house.look()
    after = house.store.current
    assert (after.policy.metadata.name, after.policy_generation) == ("mine", 2)
    assert after.scans is before.scans
    assert after.generation == before.generation


def test_what_cannot_be_read_is_told_and_counted_by_kind_and_what_was_good_stays(
    house: House,
) -> None:
    write_scan(house.folder, scan_document())
    put(house.file, policy_document("mine"))
    house.look()
    (house.folder / "bad.json").write_bytes(b"{")
    house.file.write_bytes(b"{")
    assert house.look()
    assert house.knows()
    assert house.store.current.policy.metadata.name == "mine"
    assert house.store.unreadable == {"NotebookPolicy": 1, "ImageScan": 1}
    assert [Path(problem.path).name for problem in house.store.problems] == [
        "policy.yaml",
        "bad.json",
    ]
    (house.folder / "bad.json").unlink()
    put(house.file, policy_document("mine"))
    assert house.look()
    assert (house.store.problems, house.store.unreadable) == (
        (),
        {"NotebookPolicy": 0, "ImageScan": 0},
    )


def test_the_store_is_in_step_since_the_start_of_its_last_whole_look(house: House) -> None:
    assert house.synced_at() is None
    house.look(later=1)
    assert house.synced_at() == 1001
    house.folder.rename(house.folder.with_name("away"))
    house.look(later=1)
    assert house.synced_at() == 1001
    house.folder.with_name("away").rename(house.folder)
    house.look(later=1)
    assert house.synced_at() == 1003


def test_the_store_is_not_in_step_before_a_policy_can_hold(house: House) -> None:
    house.file.write_bytes(b"{")
    house.look(later=1)
    assert house.synced_at() is None
    house.clock.ahead = 0
    put(house.file, policy_document())
    house.look(later=0)
    assert house.synced_at() is None
    house.look()
    assert house.synced_at() is not None


def test_a_bad_document_does_not_keep_the_store_out_of_step(house: House) -> None:
    (house.folder / "bad.json").write_bytes(b"{")
    house.look(later=1)
    assert house.synced_at() == 1001
