"""A store is as fresh as the oldest of its sources; it says so in time, and then that nobody should rest on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.stores.samples import IMAGE, policy_document, scan_document
from webhook.core.document import Fault
from webhook.core.policy import DEFAULT_POLICY, PolicyDocument, read_policy
from webhook.core.reference import parse
from webhook.core.scanreading import read_scan
from webhook.core.verdict import ScanIndex, build_index
from webhook.stores.clustersource import PATIENCE
from webhook.stores.filesources import FilePolicy, FolderScans
from webhook.stores.policyfile import PolicyFile
from webhook.stores.problem import Problem, problem_of
from webhook.stores.scandir import ScanFolder
from webhook.stores.scanfile import write_scan
from webhook.stores.snapshot import Store


@dataclass(kw_only=True)
class Hand:
    """A source that a test's hand turns."""

    current: Any
    heard_at: float | None = None
    patience: float = PATIENCE
    trouble: str = ""
    problems: tuple[Problem, ...] = ()
    generation: int = 0
    news: bool = False
    calls: list[str] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        return len(self.problems)

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def refresh(self) -> bool:
        told, self.news = self.news, False
        return told

    def becomes(self, current: object) -> None:
        self.current, self.news = current, True


class House:
    """A store of three sources, and their clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.scans = Hand(current=ScanIndex())
        self.policy = Hand(current=DEFAULT_POLICY)
        self.modes = Hand(current={})
        self.store = Store(self.scans, self.policy, self.modes, clock=lambda: self.now)

    def hear(self) -> None:
        for source in (self.scans, self.policy, self.modes):
            source.heard_at = self.now

    def usable(self) -> bool:
        assert self.store.usable == (not self.refused())
        return self.store.usable

    def messages(self) -> dict[str, str]:
        return {one.name: one.message for one in self.store.standings()}

    def refused(self) -> list[str]:
        return [one.name for one in self.store.standings() if not one.ok]


@pytest.fixture
def house() -> House:
    return House()


def mine() -> PolicyDocument:
    return read_policy(policy_document(unscanned="Warn"))


def index() -> ScanIndex:
    return build_index([read_scan(scan_document())])


def test_a_snapshot_is_made_of_all_sources_and_swapped_whole(house: House) -> None:
    before = house.store.current
    assert not house.store.refresh()
    assert house.store.current is before
    house.scans.becomes(index())
    house.policy.becomes(mine())
    house.policy.generation = 7
    house.modes.becomes({"a": "warn"})
    assert house.store.refresh()
    after = house.store.current
    assert (after.scans, after.policy) == (index(), mine())
    assert (after.policy_generation, after.modes) == (7, {"a": "warn"})
    assert after.generation == before.generation + 1
    assert before.modes == {}


def test_a_change_of_modes_or_policy_leaves_the_scans_their_generation(house: House) -> None:
    house.scans.becomes(index())
    house.store.refresh()
    before = house.store.current
    house.modes.becomes({"a": "warn"})
    house.store.refresh()
    assert house.store.current.generation == before.generation
    assert house.store.current.scans is before.scans


def test_every_source_is_started_and_stopped(house: House) -> None:
    house.store.start()
    house.store.stop()
    assert house.scans.calls == house.policy.calls == house.modes.calls == ["start", "stop"]


# -- Freshness ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["scans", "policy", "modes"])
def test_nothing_is_usable_before_every_source_was_read(house: House, late: str) -> None:
    house.hear()
    getattr(house, late).heard_at = None
    getattr(house, late).trouble = "cannot list it"
    assert (house.store.synced_at, house.store.age()) == (None, float("inf"))
    assert not house.usable()
    name = {"scans": "Scans", "policy": "Policy", "modes": "Namespaces"}[late]
    assert house.refused() == [name]
    assert house.messages()[name] == "has not been read yet: cannot list it"


@pytest.mark.parametrize("old", ["scans", "policy", "modes"])
def test_what_is_old_is_told_then_refused_and_then_well_again(house: House, old: str) -> None:
    name = {"scans": "Scans", "policy": "Policy", "modes": "Namespaces"}[old]
    house.hear()
    fresh = house.messages()[name]
    house.now += 61
    house.hear()
    getattr(house, old).heard_at -= 61
    getattr(house, old).trouble = "no answer"
    assert house.usable()
    assert house.store.age() == 61
    assert house.messages()[name] == f"{fresh}, last compared with its source 61 s ago: no answer"
    house.now += 540
    assert not house.usable()
    assert name in house.refused()
    assert house.messages()[name] == "not compared with its source for 601 s: no answer"
    getattr(house, old).trouble = ""
    house.hear()
    assert house.usable()
    assert house.messages()[name] == fresh


def test_a_source_that_fails_for_a_moment_says_so_at_once(house: House) -> None:
    house.hear()
    house.scans.trouble = "no answer"
    assert house.usable()
    assert house.messages()["Scans"] == "0 results are loaded: no answer"


def test_what_is_wrong_with_documents_is_told_beside_what_holds(house: House) -> None:
    house.hear()
    house.policy.problems = (problem_of("notebookpolicies/default", 0, Fault("spec.x", "is no")),)
    house.scans.problems = tuple(
        problem_of(f"imagescans/{n}", 0, Fault("", "is bad")) for n in "ab"
    )
    assert house.messages() == {
        "Policy": "default@0 holds; a newer one was refused: notebookpolicies/default: spec.x: is no",
        "Scans": "0 results are loaded; 2 problems, the first: imagescans/a: is bad",
        "Namespaces": "0 namespaces only warn or audit",
    }
    assert house.store.unreadable == {"NotebookPolicy": 1, "ImageScan": 2}
    assert house.store.problems == (*house.policy.problems, *house.scans.problems)


def test_files_are_old_after_a_minute(house: House, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    write_scan(folder, scan_document())
    scans = FolderScans(ScanFolder(folder, required=True), clock=lambda: house.now)
    policy = FilePolicy(PolicyFile(tmp_path / "policy.yaml"), clock=lambda: house.now)
    store = Store(scans, policy, clock=lambda: house.now)
    store.refresh()
    assert store.usable
    assert store.current.scans.find(parse(IMAGE)).scan is not None
    folder.rename(tmp_path / "away")
    house.now += 61
    store.refresh()
    refused = [one for one in store.standings() if not one.ok]
    assert [one.name for one in refused] == ["Scans"]
    assert "cannot be listed" in refused[0].message


def test_a_store_of_files_and_cluster_together_is_as_old_as_the_older(
    house: House, tmp_path: Path
) -> None:
    policy = FilePolicy(PolicyFile(tmp_path / "policy.yaml"), clock=lambda: house.now)
    store = Store(house.scans, policy, house.modes, clock=lambda: house.now)
    house.hear()
    house.now += 5
    store.refresh()
    assert store.age() == 5
