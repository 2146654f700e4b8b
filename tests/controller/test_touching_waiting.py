"""Which StatefulSets wait for a pod, and when they are touched."""

from __future__ import annotations

import copy
from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.manifests import Document, stateful_set
from tests.core.builders import DIGEST, scan, scan_document
from webhook.controller.waiting import (
    FRESH,
    HEARD,
    PAUSES,
    Touched,
    Waiting,
    due,
    needs_none,
    touched_again,
    waiting,
)
from webhook.core.scan import Scan

IMAGE = "registry.example.com/team/image:v1"
NOW = 1_800_000_000.0


def notebooks(**status: int) -> Document:
    return {**stateful_set("nb", "team", IMAGE), "status": status}


@pytest.mark.parametrize("status", [{}, {"replicas": 0}, {"replicas": 0, "readyReplicas": 0}])
def test_without_a_pod_it_surely_waits(status: dict[str, int]) -> None:
    found = waiting(notebooks(**status))

    assert found is not None
    assert (found.namespace, found.name, found.sure) == ("team", "nb", True)
    assert found.reference.canonical == IMAGE


def test_without_a_status_it_surely_waits() -> None:
    document = notebooks()
    del document["status"]

    assert waiting(document) == waiting(notebooks(replicas=0))


def test_with_a_pod_that_is_not_ready_it_may_wait() -> None:
    found = waiting(notebooks(replicas=1))

    assert found is not None
    assert not found.sure


def test_with_a_pod_that_is_ready_it_waits_for_nothing() -> None:
    assert waiting(notebooks(replicas=1, readyReplicas=1)) is None


def test_a_stopped_notebook_waits_for_nothing() -> None:
    document = notebooks()
    document["spec"]["replicas"] = 0

    assert waiting(document) is None


def test_what_says_nothing_of_replicas_means_one() -> None:
    document = notebooks()
    del document["spec"]["replicas"]

    assert waiting(document) is not None


def test_what_is_being_deleted_waits_for_nothing() -> None:
    document = notebooks()
    document["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"

    assert waiting(document) is None


def test_what_is_no_notebooks_waits_for_nothing() -> None:
    document = notebooks()
    del document["spec"]["template"]["metadata"]["labels"]["notebook-name"]

    assert waiting(document) is None


def test_the_notebooks_own_container_counts_not_a_sidecar() -> None:
    proxy = {"name": "istio-proxy", "image": "proxy"}

    found = waiting(stateful_set("nb", "team", IMAGE, containers_before=[proxy]))

    assert found is not None
    assert found.reference.canonical == IMAGE


PATHS: list[tuple[Any, ...]] = [
    ("spec",),
    ("status",),
    ("metadata",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("spec", "replicas"),
    ("spec", "template"),
    ("spec", "template", "metadata"),
    ("spec", "template", "metadata", "labels"),
    ("spec", "template", "spec"),
    ("spec", "template", "spec", "containers"),
    ("spec", "template", "spec", "containers", 0),
    ("spec", "template", "spec", "containers", 0, "image"),
]


@given(
    st.sampled_from(PATHS),
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(),
        st.lists(st.none(), max_size=2),
        st.dictionaries(st.text(max_size=5), st.none(), max_size=2),
    ),
)
def test_nothing_that_stands_there_is_an_error(path: tuple[Any, ...], value: object) -> None:
    document = copy.deepcopy(notebooks())
    inner: Any = document
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    assert waiting(document) is None or isinstance(waiting(document), Waiting)


# -- when -----------------------------------------------------------------------------------------


def result(**changes: Any) -> Scan:
    return replace(scan(scan_document()), **{"scanned_at": NOW - 1, **changes})


def test_what_works_is_touched_at_once() -> None:
    assert due(result(verdict="Conforms"), None, NOW) <= NOW


@pytest.mark.parametrize("verdict", ["Conforms", "Unknown"])
def test_what_still_waits_is_touched_again_ever_more_rarely(verdict: str) -> None:
    scan, touched, at = result(verdict=verdict), None, NOW
    times = []
    while at < NOW + 1000:
        touched = touched_again(scan, touched, at)
        times.append(at)
        at = due(scan, touched, at)

    gaps = [after - before for before, after in pairwise(times)]
    assert tuple(gaps[:3]) == PAUSES
    assert set(gaps[3:]) == {PAUSES[-1]}


def test_at_most_once_in_five_minutes_after_the_first_tries() -> None:
    touched = Touched(result=(DIGEST, NOW - 1), times=3, last=NOW)

    assert due(result(), touched, NOW + 299) > NOW + 299
    assert due(result(), touched, NOW + 300) <= NOW + 300


def test_another_digest_is_another_matter() -> None:
    touched = touched_again(result(), None, NOW)

    assert due(result(digest="sha256:" + "d" * 64), touched, NOW) <= NOW


def test_another_scan_of_the_same_digest_is_too() -> None:
    touched = touched_again(result(), None, NOW)

    assert due(replace(result(), scanned_at=NOW), touched, NOW) <= NOW


def test_what_violates_is_touched_once_while_that_is_news() -> None:
    bad = result(verdict="Violates")

    assert due(bad, None, NOW) <= NOW
    assert due(bad, touched_again(bad, None, NOW), NOW + 10_000) == inf
    assert due(bad, None, NOW + FRESH) == inf


def test_what_violates_is_touched_once_more_when_the_policy_has_become_another() -> None:
    bad, changed = result(verdict="Violates", scanned_at=NOW - 10_000), NOW
    heard = changed + HEARD
    touched_before = touched_again(bad, None, NOW - 9_000)

    assert due(bad, None, NOW) == inf
    for before in (None, touched_before):
        assert due(bad, before, NOW, changed) == heard
        assert due(bad, before, heard + FRESH, changed) == inf
    assert due(bad, touched_again(bad, touched_before, heard), heard + 1, changed) == inf
    # Touched when not every replica had heard of the policy.
    assert due(bad, touched_again(bad, None, heard - 1), heard, changed) == heard


def test_what_serves_at_the_root_may_be_accepted_and_is_touched_again() -> None:
    rewritten = result(verdict="Violates", serving="Root", rewritable=True)
    broken = result(verdict="Violates", serving="Root", rewritable=False)

    assert due(rewritten, touched_again(rewritten, None, NOW), NOW) == NOW + PAUSES[0]
    assert due(broken, touched_again(broken, None, NOW), NOW) == inf


def test_what_has_a_pod_is_looked_at_again_late() -> None:
    assert due(result(), needs_none(result(), NOW), NOW) == NOW + PAUSES[-1]


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    touched = Touched(result=(DIGEST, NOW - 1), times=3, last=NOW + 10_000)

    assert due(result(), touched, NOW) <= NOW
