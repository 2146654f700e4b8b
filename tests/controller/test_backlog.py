"""The backlog against a model of it: whatever is told in whatever order, just what is due is given out."""

from __future__ import annotations

import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.controller.imagescans import DAY, NOW, Json, document, result
from webhook.controller.backlog import Backlog
from webhook.controller.fault import fault_of
from webhook.controller.registries import Registries
from webhook.controller.schedule import Terms, due
from webhook.core.document import format_time
from webhook.kube import Event
from webhook.scanner.errors import Unreachable

SILENT = fault_of(Unreachable("no answer"))
NAMES = st.sampled_from([f"scan-{number}" for number in range(3)])
HOSTS = ("one.example.com", "two.example.com")
ASKERS = st.sampled_from(["", "team-a", "team-b"])
SHARE = 1
STATUSES = st.sampled_from(
    [
        None,
        {"phase": "Failed", "attempts": 1, "retryAt": format_time(NOW + 100)},
        {"phase": "Scanning", "claim": {"holder": "other", "until": format_time(NOW + 60)}},
        result(),
        result(resolvedAt=format_time(NOW - 30 * DAY)),
        result(resolvedAt=format_time(NOW - 30 * DAY), lastUsedAt=format_time(NOW)),
        result(claim={"holder": "other", "until": format_time(NOW + 80)}),
    ]
)


class AgainstAModel(RuleBasedStateMachine):
    """The model keeps records, and computes everything anew each time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.terms = Terms()
        self.backlog = Backlog(self.terms, now=lambda: self.now, share=SHARE)
        self.registries = Registries()
        self.records = dict(self.backlog._records)
        self.working: dict[str, str] = {}
        self.delays: dict[str, float] = {}

    @rule(name=NAMES, host=st.sampled_from(HOSTS), status=STATUSES, asker=ASKERS)
    def changed(self, name: str, host: str, status: Json | None, asker: str) -> None:
        annotations = {"nbgate.dev/requested-for": asker} if asker else {}
        scan = document(f"{host}/team/{name}:v1", status, name=name, annotations=annotations)
        # Who asked for an image stays; what is given out goes by who had asked when it became due.
        if name in self.records and self.records[name].asker != asker:
            return
        self.backlog.changed(Event("MODIFIED", scan))
        self.records[name] = self.backlog._records[name]

    @rule(name=NAMES)
    def deleted(self, name: str) -> None:
        self.backlog.changed(Event("DELETED", {"metadata": {"name": name}}))
        self.records.pop(name, None)
        self.delays.pop(name, None)

    @rule(statuses=st.dictionaries(NAMES, STATUSES))
    def listed(self, statuses: dict[str, Json | None]) -> None:
        scans = [document(f"{HOSTS[0]}/x:v1", s, name=name) for name, s in statuses.items()]
        self.backlog.replaced(iter(scans))
        self.records = dict(self.backlog._records)
        self.delays = {name: at for name, at in self.delays.items() if name in self.records}
        assert set(self.records) == set(statuses)

    @rule(seconds=st.sampled_from([1.0, 30.0, 61.0, 3600.0, DAY]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(host=st.sampled_from(HOSTS))
    def a_registry_is_silent(self, host: str) -> None:
        expected = self.registries.failed(host, SILENT, self.now) - self.now
        assert self.backlog.failed(host, SILENT) == expected

    @rule(host=st.sampled_from(HOSTS))
    def a_registry_answers(self, host: str) -> None:
        self.registries.answered(host)
        self.backlog.answered(host)

    @rule(after=st.sampled_from([3600.0, 7 * DAY]))
    def the_policy_changes(self, after: float) -> None:
        self.terms = Terms(stale_after=after)
        self.backlog.settle(self.terms)

    @rule()
    def take(self) -> None:
        expected = {name for name in self.due_now(paused=False) if self.may(name)}
        record = self.backlog.take(0)
        if record is None:
            assert not expected
        else:
            assert record.name in expected
            self.working[record.name] = record.asker

    @precondition(lambda self: self.working)
    @rule(data=st.data(), delay=st.sampled_from([0.0, 5.0]))
    def done(self, data: st.DataObject, delay: float) -> None:
        name = data.draw(st.sampled_from(sorted(self.working)))
        del self.working[name]
        self.delays.pop(name, None)
        if delay and name in self.records:
            self.delays[name] = self.now + delay
        self.backlog.done(name, delay)

    @invariant()
    def what_is_pending_is_what_is_due(self) -> None:
        assert self.backlog.pending == len(self.due_now(paused=True))
        assert self.backlog.known == len(self.records)
        assert self.backlog.paused == self.registries.paused(self.now)

    def may(self, name: str) -> bool:
        """Tell whether the workers may have another image of who asked for this one."""
        asker = self.records[name].asker
        return not asker or list(self.working.values()).count(asker) < SHARE

    def due_now(self, *, paused: bool) -> set[str]:
        return {
            name
            for name, record in self.records.items()
            if due(record, self.terms).at <= self.now
            and self.delays.get(name, 0.0) <= self.now
            and name not in self.working
            and (paused or self.registries.free_at(record.registry) <= self.now)
        }


AgainstAModel.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestBacklog = AgainstAModel.TestCase


def test_a_namespace_with_slow_images_leaves_workers_to_others() -> None:
    backlog = Backlog(Terms(), now=lambda: NOW, share=2)

    def ask(asker: str, number: int) -> None:
        annotations = {"nbgate.dev/requested-for": asker} if asker else {}
        name = f"{asker}-{number}"
        backlog.update(document(f"slow.example.com/{name}:v1", name=name, annotations=annotations))

    for number in range(50):
        ask("slow", number)
    taken = [backlog.take(0) for _ in range(4)]
    assert [one is not None for one in taken] == [True, True, False, False]
    ask("other", 0)
    ask("", 0)
    others = {one.name for one in (backlog.take(0), backlog.take(0)) if one}
    assert others == {"other-0", "-0"}
    assert backlog.take(0) is None
    assert taken[0]
    backlog.done(taken[0].name, delay=60)
    again = backlog.take(0)
    assert again
    assert again.asker == "slow"


def test_a_list_that_breaks_off_leaves_what_was_held() -> None:
    backlog = Backlog(Terms(), now=lambda: NOW)
    backlog.replaced(iter([document(name="one")]))

    def broken() -> Iterator[Json]:
        yield document(name="two")
        raise OSError("the line broke")

    with pytest.raises(OSError, match="the line broke"):
        backlog.replaced(broken())
    record = backlog.take(0)
    assert record is not None
    assert record.name == "one"


def test_a_claim_that_was_renewed_is_seen_anew_and_one_that_stands_still_ages() -> None:
    now = NOW
    backlog = Backlog(Terms(claim=60), now=lambda: now)

    def tell(until: float, **status: object) -> None:
        claim = {"holder": "other", "until": format_time(until)}
        backlog.update(document(status={"phase": "Scanning", "claim": claim, **status}))

    tell(NOW + 60)
    now = NOW + 50
    tell(
        NOW + 60, lastUsedAt=format_time(NOW)
    )  # somebody else wrote: the claim is as old as it was
    now = NOW + 61
    assert backlog.pending == 1
    tell(NOW + 120)
    assert backlog.pending == 0
    now = NOW + 61 + 60
    backlog.replaced(
        iter(
            [
                document(
                    status={
                        "phase": "Scanning",
                        "claim": {"holder": "other", "until": format_time(NOW + 120)},
                    }
                )
            ]
        )
    )
    assert backlog.pending == 1


def test_somebody_who_waits_is_woken_by_what_comes_and_by_the_end() -> None:
    backlog = Backlog(Terms())
    found: list[object] = []
    thread = threading.Thread(target=lambda: found.extend([backlog.take(20), backlog.take(20)]))
    thread.start()
    began = time.monotonic()
    backlog.update(document())
    while not found and time.monotonic() < began + 5 and thread.is_alive():
        time.sleep(0.01)
        if backlog.pending == 0:
            break
    backlog.close()
    thread.join(5)
    assert not thread.is_alive()
    assert [one is not None for one in found] == [True, False]


def test_a_hundred_thousand_fit(request: pytest.FixtureRequest) -> None:
    number = 2000
    scans = (
        document(f"registry.example.com/team/notebook-{n}:v1", result(), name=f"notebook-{n}-v1-x")
        for n in range(number)
    )
    tracemalloc.start()
    request.addfinalizer(tracemalloc.stop)
    backlog = Backlog(Terms(), now=lambda: NOW)
    backlog.replaced(scans)
    held, _ = tracemalloc.get_traced_memory()
    assert backlog.known == number
    assert held / number < 1024  # bytes each: 100 MiB for a hundred thousand
