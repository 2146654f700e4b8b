"""What was known of the cluster outlives the process, with its age; what is on disk is never trusted blindly."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.stores.kubedouble import KubeDouble
from tests.stores.samples import IMAGE, policy_document, scan_document
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.reference import parse
from webhook.core.scanreading import read_scan
from webhook.core.verdict import ScanIndex, build_index
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.snapshot import Store
from webhook.stores.snapshotcache import WRITE_EVERY, SnapshotCache

OTHER = "registry.example.com/team/other:v1"


class Replica:
    """A process: it never reaches the cluster, so that a test says what it knows; its clocks begin anywhere."""

    def __init__(self, folder: Path, wall: float, clock: float = 50.0) -> None:
        self.wall, self.clock = wall, clock
        self.reports: list[str] = []
        report = self.reports.append
        kube = KubeDouble()
        self.scans = ClusterScans(kube, report=report)
        self.policy = ClusterPolicy(kube, report=report)
        self.modes = NamespaceModes(kube, report=report)
        self.cache = SnapshotCache(
            folder,
            scans=self.scans,
            policy=self.policy,
            modes=self.modes,
            clock=lambda: self.clock,
            wall=lambda: self.wall,
            report=report,
        )
        self.store = Store(self.scans, self.policy, self.modes, clock=lambda: self.clock)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.clock += seconds

    def knows(self, *images: str) -> None:
        """Hear now that these scans are all there are, beside a policy and a mode."""
        scans = build_index(read_scan(scan_document(image)) for image in images)
        self.scans.restore(scans, self.clock)
        self.policy.restore(read_policy(policy_document(unscanned="Warn")), self.clock)
        self.modes.restore({"a": "warn"}, self.clock)

    def hears(self) -> None:
        """Hear now that all is as it was."""
        for source in (self.scans, self.policy, self.modes):
            source.heard_at = self.clock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "snapshot"


@pytest.fixture
def first(folder: Path) -> Replica:
    """A replica that knew an image, and has written so."""
    replica = Replica(folder, wall=1_000_000.0)
    replica.knows(IMAGE)
    replica.cache.look()
    return replica


def later(first: Replica, folder: Path, seconds: float) -> Replica:
    """Another process, which begins `seconds` after the first."""
    return Replica(folder, wall=first.wall + seconds, clock=7.0)


def knows(scans: ScanIndex, image: str) -> bool:
    return scans.find(parse(image)).scan is not None


def test_another_process_begins_with_all_that_was_known_and_its_age(
    first: Replica, folder: Path
) -> None:
    second = later(first, folder, 100)
    second.cache.load()
    assert knows(second.scans.current, IMAGE)
    assert second.policy.current.spec.unscanned.label == "Warn"
    assert second.modes.current == {"a": "warn"}
    assert second.store.age() == 100
    assert second.reports == []


def test_the_age_is_counted_from_the_last_proof_and_not_from_the_last_change(
    first: Replica, folder: Path
) -> None:
    first.passes(3600)
    first.hears()
    first.cache.look()
    second = later(first, folder, 5)
    second.cache.load()
    assert second.store.age() == 5


def test_a_stamp_beside_another_snapshot_counts_for_nothing(first: Replica, folder: Path) -> None:
    first.passes(3600)
    first.hears()
    first.cache.look()
    stamp = orjson.loads((folder / "heard").read_bytes())
    (folder / "heard").write_bytes(orjson.dumps({**stamp, "snapshot": "0" * 64}))
    second = later(first, folder, 5)
    second.cache.load()
    assert second.store.age() == 3605


@pytest.mark.parametrize("stamp", [b"", b"[]", b"{", b'{"snapshot":1}', b"\x00" * 5000, None])
def test_whatever_is_wrong_with_the_stamp_the_snapshot_is_as_old_as_it_says(
    first: Replica, folder: Path, stamp: bytes | None
) -> None:
    if stamp is not None:
        (folder / "heard").write_bytes(stamp)
    second = later(first, folder, 5)
    second.cache.load()
    assert second.store.age() == 5


def test_what_has_not_changed_is_not_written_again(first: Replica, folder: Path) -> None:
    before = (folder / "last").stat()
    first.passes(3600)
    first.hears()
    first.cache.look()
    assert (folder / "last").stat().st_ino == before.st_ino


def test_what_changes_all_the_time_is_written_now_and_then_and_never_vouched_for_in_between(
    first: Replica, folder: Path
) -> None:
    first.passes(WRITE_EVERY - 1)
    first.knows(IMAGE, OTHER)
    first.cache.look()
    soon = later(first, folder, 0)
    soon.cache.load()
    assert not knows(soon.scans.current, OTHER)
    assert soon.store.age() == WRITE_EVERY - 1
    first.passes(1)
    first.cache.look()
    second = later(first, folder, 0)
    second.cache.load()
    assert knows(second.scans.current, OTHER)
    assert second.store.age() == 1


def test_what_is_not_written_yet_is_written_at_the_end(first: Replica, folder: Path) -> None:
    first.passes(1)
    first.knows(IMAGE, OTHER)
    first.cache.start()
    first.cache.stop()
    second = later(first, folder, 0)
    second.cache.load()
    assert knows(second.scans.current, OTHER)


def test_nothing_is_written_before_anything_is_known(folder: Path) -> None:
    Replica(folder, wall=0).cache.look()
    assert not folder.exists()


def test_a_part_that_was_not_known_is_not_known_later(folder: Path) -> None:
    first = Replica(folder, wall=1000.0)
    first.policy.restore(DEFAULT_POLICY, first.clock)
    first.cache.look()
    second = later(first, folder, 1)
    second.cache.load()
    assert second.policy.current is DEFAULT_POLICY
    assert (second.policy.heard_at, second.scans.heard_at) == (6.0, None)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "is no snapshot"),
        (b"nbgate-snapshot 1 0.0.0\n", "another version"),
        (None, "checksum"),
    ],
)
def test_what_cannot_be_used_is_told_and_passed_over(
    first: Replica, folder: Path, content: bytes | None, why: str
) -> None:
    last = folder / "last"
    last.write_bytes(last.read_bytes()[:-70] if content is None else content)
    second = later(first, folder, 1)
    second.cache.load()
    assert second.store.synced_at is None
    (report,) = second.reports
    assert report.startswith(f"{last} ")
    assert why in report


def test_what_cannot_be_read_is_told_and_passed_over(first: Replica, folder: Path) -> None:
    (folder / "last").unlink()
    (folder / "last").mkdir()
    second = later(first, folder, 1)
    second.cache.load()
    assert len(second.reports) == 1


def test_what_comes_from_the_future_has_no_known_age(first: Replica, folder: Path) -> None:
    second = later(first, folder, -3600)
    second.cache.load()
    assert second.store.synced_at is None
    assert "future" in second.reports[0]
    third = later(first, folder, -5)
    third.cache.load()
    assert third.store.age() == 0


def test_a_disk_that_takes_nothing_is_told_of_once(folder: Path) -> None:
    folder.write_bytes(b"a file where the folder should be")
    replica = Replica(folder, wall=1000.0)
    replica.knows(IMAGE)
    for _ in range(2):
        replica.passes(100)
        replica.cache.stop()
    (report,) = replica.reports
    assert str(folder) in report
    assert "check the disk" in report


def test_a_store_begins_with_what_is_on_disk(first: Replica, folder: Path) -> None:
    first.cache.stop()
    second = later(first, folder, 100)
    kube = KubeDouble()
    scans = ClusterScans(kube, report=second.reports.append)
    cache = SnapshotCache(
        folder, scans=scans, policy=None, modes=None, report=second.reports.append
    )
    store = Store(scans, second.policy, cache=cache)
    store.start()
    assert knows(store.current.scans, IMAGE)
    store.stop()
    kube.end_watch()
