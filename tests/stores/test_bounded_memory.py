"""Whoever may start notebooks chooses names without end: what is remembered of them is bounded, and enough."""

from __future__ import annotations

from collections import Counter
from itertools import count

from tests.stores.test_scanrequests import Clock, Cluster, Watched
from webhook.stores import allowance, scanrequests
from webhook.stores.allowance import Allowance
from webhook.stores.scanrequests import AGAIN_SECONDS, ScanRequests


def test_askers_without_end_take_no_memory_without_end_and_get_no_more_in_all() -> None:
    bound = allowance._MOST_ASKERS
    bucket = Allowance(overall=60, share=20)
    admitted = sum(bucket.admit(f"asker-{number}", 0.0) for number in range(bound + 500))
    assert admitted == 60
    assert len(bucket._askers) == bound


def test_who_asks_now_is_remembered_however_many_others_asked() -> None:
    """Of those that are remembered the one that asked longest ago is forgotten first."""
    bucket = Allowance(overall=10**9, share=2)
    names = (f"asker-{number}" for number in count())
    admitted = Counter[str]()
    for _ in range(3):
        admitted["steady"] += bucket.admit("steady", 0.0)
        for _ in range(allowance._MOST_ASKERS - 1):
            bucket.admit(next(names), 0.0)
    assert admitted["steady"] == 2


def test_images_without_end_take_no_memory_without_end_and_none_is_forgotten_too_soon() -> None:
    """As fast as any may be asked for: one a second. What is forgotten may be asked for again by then anyway."""
    cluster, clock, results = Cluster(), Clock(), Counter[str]()
    requests = ScanRequests(
        cluster,
        Watched(),
        report=lambda _: None,
        count=lambda result: results.update([result]),
        clock=clock,
    )
    requests.start()
    bound = scanrequests._REMEMBERED
    for number in range(bound + 200):
        clock.now += 1.0
        requests.ask(f"registry.example.com/x:{number}", f"team-{number % 10}")
        while len(requests._queue) > 100:
            cluster.hold.wait(0.001)
    assert results["dropped"] == 0
    assert len(requests._asked) == bound
    for ago in range(int(AGAIN_SECONDS) - 1):
        requests.ask(f"registry.example.com/x:{bound + 199 - ago}", "team-0")
    assert results["known"] == AGAIN_SECONDS - 1
    requests.stop()
