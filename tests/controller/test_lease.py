"""The rules of the Lease: what each step says, and that no order of steps makes two leaders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from webhook.controller.lease import (
    Candidate,
    Timing,
    may_write,
    read_record,
    saw,
    spec_of_nobodys,
    spec_of_ours,
    wrote,
)

WALL = 1_767_225_600.0  # 2026-01-01


def lease(version: int = 1, **spec: object) -> dict[str, Any]:
    return {"metadata": {"name": "l", "resourceVersion": str(version)}, "spec": spec}


def looking(document: dict[str, Any], *, at: float = 0.0, identity: str = "a") -> Candidate:
    return saw(Candidate(identity=identity), read_record(document), at)


# -- one candidate --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        {"metadata": {"resourceVersion": "1"}},
        {"metadata": {"resourceVersion": "1"}, "spec": None},
        lease(),
        lease(holderIdentity=""),
        lease(holderIdentity=None, leaseDurationSeconds=None),
        lease(holderIdentity=5, leaseTransitions="many", acquireTime=7),
    ],
)
def test_what_nobody_holds_is_taken_at_once(document: dict[str, Any]) -> None:
    assert may_write(looking(document), 0.0)


def test_nothing_is_written_before_a_look() -> None:
    assert not may_write(Candidate(identity="a"), 1e9)


@given(st.floats(0, 1e6), st.integers(1, 300), st.floats(0, 400))
def test_anothers_is_taken_when_it_has_not_changed_for_as_long_as_promised(
    at: float, promised: int, later: float
) -> None:
    candidate = looking(lease(holderIdentity="b", leaseDurationSeconds=promised), at=at)

    assert may_write(candidate, at + later) == (at + later - at >= promised)


@pytest.mark.parametrize("promised", [None, 0, -1, 301, 10**9, "15", 1.5])
def test_an_impossible_promise_counts_as_our_own(promised: object) -> None:
    candidate = looking(lease(holderIdentity="b", leaseDurationSeconds=promised))

    assert not may_write(candidate, 14.9)
    assert may_write(candidate, 15.0)


def test_each_change_makes_the_wait_begin_anew() -> None:
    first = lease(1, holderIdentity="b", leaseDurationSeconds=15)
    again = saw(looking(first), read_record(lease(2, **first["spec"])), 14.0)

    assert not may_write(again, 28.9)
    assert may_write(again, 29.0)


def test_a_look_that_finds_no_change_does_not() -> None:
    document = lease(holderIdentity="b", leaseDurationSeconds=15)

    assert may_write(saw(looking(document), read_record(document), 14.0), 15.0)


def test_who_wrote_leads_from_before_the_write_for_the_deadline() -> None:
    candidate = wrote(looking(lease()), read_record(lease(2, holderIdentity="a")), sent=3.0, now=9)

    assert candidate.until == 13.0


def test_who_sees_another_holder_leads_no_more() -> None:
    leading = wrote(looking(lease()), read_record(lease(2, holderIdentity="a")), sent=0.0, now=0.0)

    assert saw(leading, read_record(lease(3, holderIdentity="b")), 1.0).until < 0


def test_the_lease_says_what_other_tools_expect() -> None:
    spec = spec_of_ours(looking(lease(holderIdentity="b", leaseTransitions=4)), WALL + 0.25)

    assert spec == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-01-01T00:00:00.250000Z",
        "renewTime": "2026-01-01T00:00:00.250000Z",
        "leaseTransitions": 5,
    }


def test_a_renewal_keeps_when_it_was_acquired_and_the_number_of_changes() -> None:
    spec = spec_of_ours(looking(lease(holderIdentity="b")), WALL)
    renewed = spec_of_ours(looking(lease(2, **{**spec, "holderIdentity": "a"})), WALL + 2)

    assert renewed["acquireTime"] == spec["acquireTime"]
    assert renewed["renewTime"] == "2026-01-01T00:00:02.000000Z"
    assert renewed["leaseTransitions"] == spec["leaseTransitions"]


def test_a_duration_of_part_of_a_second_is_promised_longer_never_shorter() -> None:
    candidate = Candidate(identity="a", timing=Timing(duration=1.2))

    assert spec_of_ours(candidate, WALL)["leaseDurationSeconds"] == 2


def test_what_is_given_up_is_nobodys_and_is_taken_at_once() -> None:
    holding = looking(lease(holderIdentity="a", leaseDurationSeconds=15, leaseTransitions=2))
    given_up = lease(2, **spec_of_nobodys(holding, WALL))

    assert may_write(looking(given_up, identity="b"), 0.0)
    assert given_up["spec"]["leaseTransitions"] == 2


# -- several of them ------------------------------------------------------------------------------


@dataclass
class Process:
    """A candidate with a clock of its own, and what it has under way."""

    candidate: Candidate
    rate: float
    offset: float
    got: dict[str, Any] | None = None  # an answer to a GET that has not arrived yet
    sent: tuple[float, dict[str, Any]] | None = None  # a PUT that has not arrived yet
    stored: tuple[float, dict[str, Any] | None] | None = None  # its answer: None is a conflict

    def now(self, true: float) -> float:
        return self.offset + self.rate * true


@dataclass
class Server:
    """The API server's one Lease, with its optimistic concurrency."""

    document: dict[str, Any] = field(default_factory=lease)

    def put(self, document: dict[str, Any]) -> dict[str, Any] | None:
        if document["metadata"] != self.document["metadata"]:
            return None
        version = int(document["metadata"]["resourceVersion"]) + 1
        self.document = lease(version, **document["spec"])
        return self.document


# Of clocks, the fastest may run 1.5 times as fast as the slowest: duration over deadline.
RATES = st.sampled_from([0.82, 1.0, 1.22])
# Around what matters: a retry, the deadline and the duration, by slow clocks and by fast ones.
SECONDS = st.one_of(st.sampled_from([0.5, 2.0, 9.0, 13.0, 16.0, 19.0]), st.floats(0, 20))


class Contest(RuleBasedStateMachine):
    """Three candidates, any delays between request, effect and answer, lost answers, and clocks that differ."""

    def __init__(self) -> None:
        super().__init__()
        self.true = 0.0
        self.server = Server()
        self.processes = [
            Process(Candidate(identity=name), rate=1.0, offset=offset)
            for name, offset in (("a", 0.0), ("b", 1e5), ("c", -7.0))
        ]
        self.led: set[str] = set()

    WHO = st.integers(0, 2)

    @rule(rates=st.tuples(RATES, RATES, RATES))
    def clocks(self, rates: tuple[float, float, float]) -> None:
        """From now on clocks run like this; what they show does not jump."""
        for process, rate in zip(self.processes, rates, strict=True):
            process.offset = process.now(self.true) - rate * self.true
            process.rate = rate

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.true += seconds

    @rule(who=WHO)
    def get(self, who: int) -> None:
        self.processes[who].got = self.server.document

    @rule(who=WHO)
    def answer_to_get(self, who: int) -> None:
        process = self.processes[who]
        if process.got is None:
            return
        document, process.got = process.got, None
        now = process.now(self.true)
        process.candidate = saw(process.candidate, read_record(document), now)
        if process.sent is None and process.stored is None and may_write(process.candidate, now):
            spec = spec_of_ours(process.candidate, WALL + self.true)
            process.sent = now, {**document, "spec": spec}

    @rule(who=WHO)
    def effect_of_put(self, who: int) -> None:
        process = self.processes[who]
        if process.sent is not None:
            sent, document = process.sent
            process.sent, process.stored = None, (sent, self.server.put(document))

    @rule(who=WHO)
    def answer_to_put(self, who: int) -> None:
        process = self.processes[who]
        if process.stored is None:
            return
        (sent, document), process.stored = process.stored, None
        if document is not None:
            process.candidate = wrote(
                process.candidate, read_record(document), sent=sent, now=process.now(self.true)
            )

    @rule(who=WHO)
    def answer_is_lost(self, who: int) -> None:
        self.processes[who].stored = None

    @rule(who=WHO)
    def release(self, who: int) -> None:
        process = self.processes[who]
        record = read_record(self.server.document)
        if process.sent is None and process.stored is None and record.holder == self.name(who):
            # Only who has stopped leading gives it up.
            process.candidate = saw(
                process.candidate, read_record(lease(0, holderIdentity="")), process.now(self.true)
            )
            holding = saw(process.candidate, record, process.now(self.true))
            self.server.put(
                {**self.server.document, "spec": spec_of_nobodys(holding, WALL + self.true)}
            )

    @rule(who=WHO)
    def round(self, who: int) -> None:
        """All of it without delay, as it mostly is."""
        self.round_without_answer(who)
        self.answer_to_put(who)

    @rule(who=WHO)
    def round_without_answer(self, who: int) -> None:
        """What was written is acknowledged late, or never."""
        self.get(who)
        self.answer_to_get(who)
        self.effect_of_put(who)

    def name(self, who: int) -> str:
        return self.processes[who].candidate.identity

    @invariant()
    def at_most_one_leads(self) -> None:
        leading = {
            process.candidate.identity
            for process in self.processes
            if process.now(self.true) < process.candidate.until
        }
        self.led |= leading
        assert len(leading) <= 1, (self.true, leading)


TestContest = Contest.TestCase
TestContest.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0.1, 2.0)), min_size=1, max_size=60))
def test_who_is_left_leads_before_long(turns: list[tuple[int, float]]) -> None:
    contest = Contest()
    for who, pause in turns:
        contest.round(who)
        contest.time_passes(pause)
        contest.at_most_one_leads()

    survivor = (turns[-1][0] + 1) % 3
    for _ in range(10):
        contest.round(survivor)
        contest.at_most_one_leads()
        contest.time_passes(2.0)
    contest.round(survivor)

    contest.at_most_one_leads()
    process = contest.processes[survivor]
    assert process.now(contest.true) < process.candidate.until
