"""What sources in the cluster make of objects: scans, the policy of one name, the modes of namespaces."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.cluster.waiting import wait_for
from tests.stores.kubedouble import AWAY, KubeDouble
from tests.stores.samples import IMAGE, policy_document, scan_document
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.reference import parse
from webhook.core.verdict import build_index
from webhook.kube import Document
from webhook.stores.clusterpolicy import ClusterPolicy
from webhook.stores.clusterscans import ClusterScans
from webhook.stores.namespacemodes import NamespaceModes
from webhook.stores.source import Source

OTHER = "registry.example.com/team/other:v1"
NAME = scan_document()["metadata"]["name"]


def quiet(_: str) -> None:
    """Nobody is told of problems."""


def looks(source: Source, look: Callable[[], bool], what: str) -> None:
    def refreshed() -> bool:
        source.refresh()
        return look()

    wait_for(refreshed, 10, what)


def heard(source: Source) -> None:
    looks(source, lambda: source.heard_at is not None, "the source to be in step")


@pytest.fixture
def kube() -> Iterator[KubeDouble]:
    kube = KubeDouble()
    yield kube
    kube.end_watch()


# -- Scans ------------------------------------------------------------------------------------------


@pytest.fixture
def scans(kube: KubeDouble) -> Iterator[ClusterScans]:
    source = ClusterScans(kube, report=quiet)
    yield source
    source.stop()


def known(scans: ClusterScans, image: str = IMAGE) -> bool:
    return scans.current.find(parse(image)).scan is not None


def test_scans_are_found_as_they_come_and_go(kube: KubeDouble, scans: ClusterScans) -> None:
    kube.put(scan_document())
    scans.start()
    heard(scans)
    before = scans.current
    assert known(scans)
    kube.put(scan_document(OTHER))
    kube.remove(NAME)
    looks(scans, lambda: known(scans, OTHER) and not known(scans), "the changes")
    assert before.find(parse(IMAGE)).scan is not None


def test_a_scan_that_cannot_be_read_is_told_and_counted_and_what_was_held_of_it_stays(
    kube: KubeDouble, scans: ClusterScans
) -> None:
    kube.put(scan_document(), scan_document(OTHER))
    scans.start()
    heard(scans)
    kube.put(scan_document(verdict="Great"))
    looks(scans, lambda: scans.unreadable == 1, "the fault")
    assert known(scans)
    assert known(scans, OTHER)
    (problem,) = scans.problems
    assert (problem.path, problem.field) == (f"imagescans/{NAME}", "status.verdict")
    kube.put(scan_document(verdict="Conforms"))
    looks(scans, lambda: scans.problems == (), "the cure")


def test_a_change_to_what_admission_does_not_read_is_no_change(
    kube: KubeDouble, scans: ClusterScans
) -> None:
    kube.put(scan_document())
    scans.start()
    heard(scans)
    before = scans.current
    kube.put(scan_document(lastUsedAt="2026-02-01T00:00:00Z"))
    kube.put(scan_document(OTHER))
    looks(scans, lambda: known(scans, OTHER), "what came after")
    changed = {one.name for one in scans.current.scans()} - {one.name for one in before.scans()}
    assert len(changed) == 1
    assert scans.current.find(parse(IMAGE)).scan is before.find(parse(IMAGE)).scan


def test_what_comes_while_changes_are_taken_is_vouched_for_by_the_next_look(
    kube: KubeDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    scans = ClusterScans(kube, clock=lambda: now, report=quiet)
    scans.start()
    heard(scans)
    now, take = 200.0, scans._mirror.take

    def slowly() -> Any:
        taken = take()
        kube.put(scan_document())
        wait_for(lambda: scans._following.heard_at == 200, 10, "the event")
        return taken

    monkeypatch.setattr(scans._mirror, "take", slowly)
    scans.refresh()
    assert (scans.heard_at, known(scans)) == (100, False)
    monkeypatch.undo()
    scans.refresh()
    assert (scans.heard_at, known(scans)) == (200, True)
    scans.stop()


def test_what_was_restored_holds_until_the_cluster_says_otherwise(
    kube: KubeDouble, scans: ClusterScans
) -> None:
    source = ClusterScans(kube, report=quiet)
    kube.put(scan_document(), scan_document(OTHER))
    source.start()
    heard(source)
    source.stop()
    kube.end_watch()
    kube.remove(NAME)
    kube.failing = dict.fromkeys(("cached", "pages"), AWAY)
    scans.restore(source.current, 17.0)
    scans.start()
    wait_for(lambda: scans.trouble, 10, "the trouble")
    assert not scans.refresh()
    assert (scans.heard_at, known(scans), known(scans, OTHER)) == (17.0, True, True)
    kube.failing = {}
    looks(scans, lambda: scans.heard_at != 17.0, "the cluster")
    assert (known(scans), known(scans, OTHER)) == (False, True)
    assert scans.current == build_index(scans.current.scans())


# -- The policy -------------------------------------------------------------------------------------


@pytest.fixture
def policy(kube: KubeDouble) -> Iterator[ClusterPolicy]:
    source = ClusterPolicy(kube, report=quiet)
    yield source
    source.stop()


def mine(generation: int = 1, **spec: Any) -> Document:
    document = policy_document(**{"unscanned": "Warn", **spec})
    document["metadata"]["generation"] = generation
    return document


BROKEN = mine(unscanned="Sometimes")


def test_without_an_object_the_default_policy_holds(policy: ClusterPolicy) -> None:
    policy.start()
    heard(policy)
    assert (policy.current, policy.generation) == (DEFAULT_POLICY, 0)


def test_the_object_holds_with_its_generation_and_when_it_goes_the_default_again(
    kube: KubeDouble, policy: ClusterPolicy
) -> None:
    kube.put(mine(7))
    policy.start()
    heard(policy)
    assert (policy.current.spec.unscanned.label, policy.generation) == ("Warn", 7)
    kube.remove("default")
    looks(policy, lambda: policy.current is DEFAULT_POLICY, "the default policy")
    assert policy.generation == 0


def test_a_broken_one_leaves_the_last_good_one_in_force_and_every_fault_is_told(
    kube: KubeDouble, policy: ClusterPolicy
) -> None:
    kube.put(mine(1))
    policy.start()
    heard(policy)
    kube.put({**BROKEN, "spec": {"unscanned": "Sometimes", "nonsense": 1}})
    looks(policy, lambda: len(policy.problems) == 2, "the faults")
    assert (policy.generation, policy.unreadable) == (1, 1)
    assert {problem.path for problem in policy.problems} == {"notebookpolicies/default"}
    kube.put(mine(3))
    looks(policy, lambda: policy.generation == 3, "the cure")
    assert policy.problems == ()


def test_broken_from_the_start_nobody_knows_what_to_hold(
    kube: KubeDouble, policy: ClusterPolicy
) -> None:
    kube.put(BROKEN)
    policy.start()
    looks(policy, lambda: policy.unreadable == 1, "the fault")
    assert policy.heard_at is None
    kube.remove("default")
    heard(policy)
    assert policy.current is DEFAULT_POLICY


def test_broken_from_the_start_what_was_restored_holds(
    kube: KubeDouble, policy: ClusterPolicy
) -> None:
    policy.restore(read_policy(mine(5)), 17.0)
    kube.put(BROKEN)
    policy.start()
    looks(policy, lambda: policy.unreadable == 1 and policy.heard_at != 17.0, "the cluster")
    assert policy.generation == 5


def test_what_the_controller_says_of_it_makes_it_no_other_policy(
    kube: KubeDouble, policy: ClusterPolicy
) -> None:
    kube.put(mine(1))
    policy.start()
    heard(policy)
    before = policy.current
    kube.put({**mine(1), "status": {"valid": True, "mode": "Deny"}})
    wait_for(lambda: policy._following._version == "2", 5, "the change")
    assert not policy.refresh()
    assert policy.current is before


# -- Namespaces -------------------------------------------------------------------------------------


@pytest.fixture
def modes(kube: KubeDouble) -> Iterator[NamespaceModes]:
    source = NamespaceModes(kube, report=quiet)
    yield source
    source.stop()


def namespace(name: str, mode: str) -> Document:
    return {"metadata": {"name": name, "labels": {"nbgate.dev/mode": mode}}}


def test_only_what_softens_is_held(kube: KubeDouble, modes: NamespaceModes) -> None:
    kube.put(namespace("a", "warn"), namespace("b", "audit"), namespace("c", "deny"))
    modes.start()
    heard(modes)
    assert (modes.current, modes.problems) == ({"a": "warn", "b": "audit"}, ())


def test_a_word_unknown_to_us_softens_nothing_and_is_told(
    kube: KubeDouble, modes: NamespaceModes
) -> None:
    kube.put(namespace("a", "audit"))
    modes.start()
    heard(modes)
    kube.put(namespace("a", "audti"), namespace("b", "warn"))
    looks(modes, lambda: dict(modes.current) == {"b": "warn"}, "the change")
    (problem,) = modes.problems
    assert str(problem).startswith('namespaces/a: metadata.labels["nbgate.dev/mode"]: is audti')
    kube.put(namespace("a", "warn"))
    looks(modes, lambda: dict(modes.current) == {"a": "warn", "b": "warn"}, "the cure")
    assert modes.problems == ()


def test_a_label_that_is_gone_softens_nothing_any_more(
    kube: KubeDouble, modes: NamespaceModes
) -> None:
    modes.restore({"a": "warn", "b": "audit"}, 17.0)
    kube.put(namespace("a", "warn"))
    modes.start()
    looks(modes, lambda: dict(modes.current) == {"a": "warn"}, "the list")
    kube.remove("a")
    looks(modes, lambda: not modes.current, "the change")
