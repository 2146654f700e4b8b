"""The Lease on a real API server: one leads, another takes over, and who lost it does nothing any more."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.leadership import post
from tests.cluster.manifests import Document
from tests.cluster.relay import Relay
from tests.cluster.standing import TIMING
from tests.cluster.waiting import wait_for
from webhook.controller.leading import Duty, Leader, Mandate
from webhook.kube import Kube, connect
from webhook.kubeerrors import Unreachable

pytestmark = pytest.mark.cluster

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def kube(control_plane: ControlPlane) -> Iterator[Kube]:
    with connect(kubeconfig=str(control_plane.kubeconfig)) as found:
        yield found


@pytest.fixture
def lease(control_plane: ControlPlane) -> str:
    """An empty Lease, as the manifests hold it."""
    name = f"lease-{next(_numbers)}"
    post(control_plane, LEASES, {"metadata": {"name": name}})
    return name


def spec_of(plane: ControlPlane, lease: str) -> Document:
    spec: Document = plane.get(f"{LEASES}/{lease}").get("spec", {})
    return spec


class Counting:
    """A duty that counts its runs and how often it had to halt."""

    def __init__(self, work: Callable[[], object] = lambda: None, *, every: float = 0.05) -> None:
        self.name, self.every = "counting", every
        self.runs = self.halts = 0
        self._work = work

    def run(self, now: float) -> None:
        assert abs(now - time.time()) < 60
        self.runs += 1
        self._work()

    def halt(self) -> None:
        self.halts += 1


@contextmanager
def standing(
    kube: Kube, lease: str, *duties: Duty, mandate: Mandate | None = None
) -> Iterator[tuple[Leader, list[str]]]:
    """A leader that stands, and what it reports."""
    said: list[str] = []
    leader = Leader(
        kube, lease, "default", "here", duties, mandate=mandate, timing=TIMING, report=said.append
    )
    leader.start()
    try:
        yield leader, said
    finally:
        leader.stop()


def leads(leader: Leader, seconds: float = 10) -> None:
    wait_for(lambda: leader.leading, seconds, "the candidate to lead")


def test_one_of_two_leads_and_gives_the_lease_up_when_it_stops(
    control_plane: ControlPlane, kube: Kube, lease: str
) -> None:
    duties = Counting(), Counting()
    with standing(kube, lease, duties[0]) as (first, said):
        leads(first)
        wait_for(lambda: duties[0].runs >= 3, 5, "its duty to run")
        with standing(kube, lease, duties[1]) as (second, _):
            held = spec_of(control_plane, lease)
            time.sleep(2 * TIMING.retry)
            assert first.leading
            assert not second.leading
            assert duties[1].runs == 0
            first.stop()
            stopped = duties[0].runs
            # Far less than the Lease would take to run out.
            leads(second, TIMING.duration / 2)
            wait_for(lambda: duties[1].runs, 5, "the other's duty to run")
            taken = spec_of(control_plane, lease)
    assert duties[0].runs == stopped
    assert [duty.halts for duty in duties] == [1, 1]
    assert held["holderIdentity"].startswith("here_")
    assert (held["leaseTransitions"], taken["leaseTransitions"]) == (1, 2)
    assert taken["acquireTime"] > held["acquireTime"]
    assert spec_of(control_plane, lease)["holderIdentity"] == ""
    assert said == [f"{held['holderIdentity']} leads"]


@contextmanager
def process(plane: ControlPlane, lease: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A candidate in a process of its own, and the lines that it says."""
    program = Path(__file__).with_name("standing.py")
    root = Path(__file__).parents[2]
    arguments = (str(plane.kubeconfig), lease, "default", "there")
    command = [sys.executable, str(program), *arguments]
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=root, env={"PYTHONPATH": str(root)}
    ) as child:
        reader = threading.Thread(target=lambda: lines.extend(child.stdout or ()))
        reader.start()
        try:
            yield child, lines
        finally:
            child.kill()
            reader.join()


def test_when_the_leader_is_killed_another_leads_once_the_lease_has_run_out(
    control_plane: ControlPlane, kube: Kube, lease: str
) -> None:
    with process(control_plane, lease) as (child, lines):
        wait_for(lambda: len(lines) > 2, 20, "the child to lead")
        with standing(kube, lease) as (leader, _):
            child.kill()
            killed = time.monotonic()
            leads(leader, 4 * TIMING.duration)
    assert time.monotonic() - killed > TIMING.deadline


def test_a_leader_that_stood_still_finds_out_before_it_does_anything(
    control_plane: ControlPlane, kube: Kube, lease: str
) -> None:
    with process(control_plane, lease) as (child, lines):
        wait_for(lambda: len(lines) > 2, 20, "the child to lead")
        child.send_signal(signal.SIGSTOP)
        with standing(kube, lease) as (leader, _):
            leads(leader, 4 * TIMING.duration)
            time.sleep(0.1)  # what it had written before is read
            before = len(lines)
            child.send_signal(signal.SIGCONT)
            wait_for(lambda: len(lines) > before, 10, "the child to find out")
            time.sleep(4 * TIMING.retry)
            assert leader.leading
            assert [line for line in lines[before:] if "leads no more" not in line] == []


def test_without_an_answer_the_leader_ceases_before_the_lease_runs_out(
    control_plane: ControlPlane, tmp_path: Path, lease: str
) -> None:
    duty = Counting()
    with (
        Relay(control_plane, tmp_path) as relay,
        connect(kubeconfig=str(relay.kubeconfig)) as kube,
        standing(kube, lease, duty) as (leader, _),
    ):
        leads(leader)
        relay.stall()
        stalled = time.monotonic()
        wait_for(lambda: not leader.leading, 10, "the leader to cease")
        assert time.monotonic() - stalled <= TIMING.deadline + 0.2
        wait_for(lambda: duty.halts, 5, "the duty to halt")
        runs = duty.runs
        wait_for(lambda: "no answer" in leader.problem, 10, "the problem")
        assert duty.runs == runs
        relay.resume()
        leads(leader)
        wait_for(lambda: duty.runs > runs, 5, "the duty to run again")
        assert leader.problem == ""


def test_who_labels_the_lease_takes_nothing_from_its_holder(
    control_plane: ControlPlane, kube: Kube, lease: str
) -> None:
    with standing(kube, lease) as (leader, said):
        leads(leader)
        control_plane.kubectl("label", "lease", lease, "team=a")
        renewed = spec_of(control_plane, lease)["renewTime"]
        wait_for(lambda: spec_of(control_plane, lease)["renewTime"] > renewed, 5, "a renewal")
        assert leader.leading
    assert len(said) == 1
    assert control_plane.get(f"{LEASES}/{lease}")["metadata"]["labels"] == {"team": "a"}


def test_a_lease_that_is_missing_is_told_with_its_cure_and_taken_when_it_is_there(
    control_plane: ControlPlane, kube: Kube
) -> None:
    name = f"lease-{next(_numbers)}"
    with standing(kube, name) as (leader, said):
        wait_for(lambda: said, 5, "a report")
        assert "without this Lease nobody leads: apply nbgate's manifests again" in leader.problem
        post(control_plane, LEASES, {"metadata": {"name": name}})
        leads(leader)
        assert leader.problem == ""
    assert len(said) == 2


def test_a_duty_that_fails_is_told_of_once_and_tried_again_beside_the_others(
    kube: Kube, lease: str
) -> None:
    def fails() -> None:
        raise Unreachable("cannot list pods: no answer")

    def breaks() -> None:
        raise KeyError("metadata")

    duties = Counting(fails), Counting(breaks), Counting()
    with standing(kube, lease, *duties) as (leader, said):
        leads(leader)
        wait_for(lambda: duties[2].runs > 5, 5, "the good one")
        wait_for(lambda: min(duty.runs for duty in duties) > 1, 10, "each to be tried again")
    assert sorted(said[1:]) == [
        "counting: KeyError: 'metadata'; this is a fault of nbgate's, please report it",
        "counting: cannot list pods: no answer",
    ]


def test_a_duty_that_does_not_end_keeps_the_lease_from_being_given_up(
    control_plane: ControlPlane, kube: Kube, lease: str
) -> None:
    hold = threading.Event()
    duty = Counting(lambda: bool(hold.wait(20)))
    with standing(kube, lease, duty) as (leader, _):
        leads(leader)
        wait_for(lambda: duty.runs, 5, "the duty")
        leader.stop(timeout=0.3)
        assert not leader.leading
        assert spec_of(control_plane, lease)["holderIdentity"].startswith("here_")
        hold.set()


def test_a_duty_in_the_middle_of_its_work_is_told_when_it_asks(kube: Kube, lease: str) -> None:
    mandate = Mandate()
    written: list[int] = []

    def work() -> None:
        for number in itertools.count():
            mandate.insist()
            written.append(number)
            time.sleep(0.01)

    with standing(kube, lease, Counting(work), mandate=mandate) as (leader, said):
        leads(leader)
        wait_for(lambda: written, 5, "work")
        leader.stop()
        count = len(written)
    assert len(written) == count
    assert len(said) == 1
