"""Every denial stands in every sink, once for each time it came; the rest by level."""

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.refusals import DENYING, NOW, WARNING, a_request, judged, planned
from tests.server.writing import ended, in_threads, records
from webhook.core.audit import Level, Record
from webhook.core.decision import Snapshot
from webhook.core.review import Request
from webhook.server import admission
from webhook.server.auditlog import AuditFile
from webhook.server.auditsink import AuditError, Sink
from webhook.server.health import Condition
from webhook.server.recorder import Recorder
from webhook.server.suppression import Suppression


class Memory:
    """A sink that keeps records, and refuses them while it is broken."""

    def __init__(self, name: str = "memory", order: list[str] | None = None) -> None:
        self.name = name
        self.kept: list[tuple[Record, bool]] = []
        self.broken = False
        self.order = order if order is not None else []

    def append(self, record: Record, *, durable: bool) -> None:
        self.order.append(self.name)
        if self.broken:
            raise AuditError(f"{self.name} is broken")
        self.kept.append((record, durable))

    @property
    def condition(self) -> Condition:
        return Condition(self.name, not self.broken, "")

    @property
    def told(self) -> int:
        return sum(1 + record["suppressed"] for record, _ in self.kept)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def a_recorder(
    *sinks: Sink,
    level: Level = "warned",
    report: Callable[[str], None] = lambda _: None,
    clock: Callable[[], float] = lambda: 0.0,
) -> Recorder:
    return Recorder(sinks, level=level, report=report, clock=clock)


def record(recorder: Recorder, request: Request, snapshot: Snapshot = DENYING) -> None:
    decision = judged(request, snapshot)
    recorder.record(request, decision, snapshot, endpoint="validate", now=NOW, seconds=0.002)


DENIED = a_request()
WARNED = partial(record, request=a_request(), snapshot=WARNING)


def test_it_is_the_recorder_that_the_server_asks_for(tmp_path: Path) -> None:
    asked: admission.Recorder = a_recorder(AuditFile(tmp_path / "audit.jsonl"))
    asked.record(DENIED, judged(DENIED), DENYING, endpoint="validate", now=NOW, seconds=0.1)
    assert len(records(tmp_path / "audit.jsonl")) == 1


def test_a_record_names_the_decision_and_all_it_rests_on(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    record(a_recorder(AuditFile(path)), DENIED)
    [written] = records(path)
    contract = (
        "time uid operation dryRun endpoint user groups namespace notebook pod kind image canonicalImage digest "
        "decision violations warnings exemptions patch mode policy scan snapshot durationMs suppressed"
    )
    assert list(written) == contract.split()
    assert written["decision"] == "denied"
    assert written["durationMs"] == 2.0
    assert written["endpoint"] == "validate"


@pytest.mark.parametrize(
    ("level", "allowed", "warned", "denied"),
    [("denied", 0, 0, 1), ("warned", 0, 1, 1), ("all", 1, 1, 1)],
)
def test_the_level_decides_but_denials_are_always_recorded(
    level: Level, allowed: int, warned: int, denied: int
) -> None:
    def kept(request: Request, snapshot: Snapshot) -> int:
        memory = Memory()
        record(a_recorder(memory, level=level), request, snapshot)
        return len(memory.kept)

    assert judged(DENIED, WARNING).word == "warned"
    assert kept(a_request("delete-pods"), DENYING) == allowed
    assert kept(DENIED, WARNING) == warned
    assert kept(DENIED, DENYING) == denied


def test_only_denials_wait_for_the_disk() -> None:
    memory = Memory()
    recorder = a_recorder(memory, level="all")
    record(recorder, DENIED)
    record(recorder, DENIED, WARNING)
    assert [durable for _, durable in memory.kept] == [True, False]


def test_identical_refusals_are_counted_within_ten_minutes_of_the_record() -> None:
    memory, clock = Memory(), Clock()
    recorder = a_recorder(memory, clock=clock)
    for clock.now in (0, 1, 300, 599.9, 600, 900, 1200):
        record(recorder, a_request(uid=f"at {clock.now}"))
    assert [(r["uid"], r["suppressed"]) for r, _ in memory.kept] == [
        ("at 0", 0),
        ("at 600", 3),
        ("at 1200", 1),
    ]
    assert recorder.outstanding() == 0


@pytest.mark.parametrize("changed", ["namespace", "user", "operation"])
def test_refusals_that_differ_are_each_recorded(changed: str) -> None:
    memory = Memory()
    recorder = a_recorder(memory)
    record(recorder, DENIED)
    other: dict[str, Any] = {changed: "UPDATE" if changed == "operation" else "other"}
    record(recorder, a_request(**other))
    assert len(memory.kept) == 2


def test_a_dry_run_is_recorded_and_does_not_stand_for_the_real_request() -> None:
    memory = Memory()
    recorder = a_recorder(memory)
    record(recorder, a_request(dry_run=True))
    record(recorder, a_request(dry_run=False))
    assert [r["dryRun"] for r, _ in memory.kept] == [True, False]


def test_a_warning_that_comes_again_is_counted_too() -> None:
    memory = Memory()
    recorder = a_recorder(memory)
    for _ in range(3):
        WARNED(recorder)
    assert [r["suppressed"] for r, _ in memory.kept] == [0]
    assert recorder.outstanding() == 2


def test_what_mutate_planned_is_recorded_with_its_patch() -> None:
    memory = Memory()
    request = a_request()
    decision = planned(request)
    a_recorder(memory, level="all").record(
        request, decision, DENYING, endpoint="mutate", now=NOW, seconds=0.0
    )
    [(written, _)] = memory.kept
    assert written["endpoint"] == "mutate"
    assert written["patch"] == list(decision.patch)
    assert written["patch"]


def test_the_file_comes_first() -> None:
    order: list[str] = []
    record(a_recorder(Memory("file", order), Memory("output", order)), DENIED)
    assert order == ["file", "output"]


def test_a_broken_sink_is_reported_and_the_others_still_get_the_record() -> None:
    told: list[str] = []
    broken, well = Memory("file"), Memory("output")
    broken.broken = True
    recorder = a_recorder(broken, well, report=told.append)
    record(recorder, DENIED)
    assert told == ["file is broken"]
    assert len(well.kept) == 1
    assert [(c.name, c.ok) for c in recorder.conditions()] == [("file", False), ("output", True)]


def test_a_refusal_whose_record_was_lost_is_recorded_as_soon_as_it_can_be() -> None:
    told: list[str] = []
    file, output, clock = Memory("file"), Memory("output"), Clock()
    recorder = a_recorder(file, output, report=told.append, clock=clock)
    file.broken = True
    for clock.now in (0, 1, 2):
        record(recorder, DENIED)
    assert recorder.outstanding() == 3
    file.broken = False
    for clock.now in (3, 4):
        record(recorder, DENIED)
    assert [r["suppressed"] for r, _ in file.kept] == [3]
    assert [r["suppressed"] for r, _ in output.kept] == [0], "each sink is complete by itself"
    assert len(told) == 3
    assert recorder.outstanding() == 1


def test_a_lost_warning_is_reported() -> None:
    told: list[str] = []
    broken = Memory()
    broken.broken = True
    WARNED(a_recorder(broken, report=told.append))
    assert told == ["memory is broken"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 400), st.booleans()), max_size=60))
def test_no_refusal_is_forgotten_whatever_fails(
    arrivals: list[tuple[str, float, bool]],
) -> None:
    memory, clock = Memory(), Clock()
    recorder = a_recorder(memory, clock=clock)
    for name, seconds, broken in arrivals:
        clock.now += seconds
        memory.broken = broken
        record(recorder, REQUESTS[name])
    assert memory.told + recorder.outstanding() == len(arrivals)


REQUESTS = {name: a_request(namespace=name) for name in "abc"}


def test_threads_forget_no_refusal(tmp_path: Path) -> None:
    path, clock = tmp_path / "audit.jsonl", Clock()
    recorder = a_recorder(AuditFile(path), clock=clock)

    def refuse(number: int) -> None:
        rolling = random.Random(number)
        for _ in range(100):
            clock.now += 20
            record(recorder, REQUESTS[rolling.choice("abc")])

    ended(in_threads(4, refuse))
    told = sum(1 + written["suppressed"] for written in records(path))
    assert told + recorder.outstanding() == 400
    assert set(Counter(written["namespace"] for written in records(path))) == set("abc")


def test_a_long_name_takes_no_memory() -> None:
    """Whoever reaches the port chooses the names; ten thousand keys of a megabyte would be ten gigabytes."""
    kept: list[Suppression] = []

    def watched() -> Suppression:
        kept.append(Suppression())
        return kept[0]

    recorder = Recorder(
        [Memory()], level="warned", report=lambda _: None, suppression=watched, clock=lambda: 0.0
    )
    record(recorder, a_request(namespace="n" * 1_000_000))
    [key] = kept[0]._seen
    assert isinstance(key, bytes)
    assert len(key) == 16


def test_what_users_write_never_leaves_its_line(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    nasty = "\u202e\x1b[2J\x9b31m\n\r\x00\x7f\u2028"
    record(a_recorder(AuditFile(path)), a_request(user=nasty, namespace=nasty, groups=(nasty,)))
    raw = path.read_text()
    assert raw.count("\n") == 1
    assert raw[:-1].isprintable()
    assert json.loads(raw)["user"] == "?" + "?[2J" + "?31m" + "?????"


def test_without_sinks_nothing_happens() -> None:
    recorder = a_recorder()
    record(recorder, DENIED)
    assert recorder.conditions() == ()
    assert recorder.outstanding() == 0
