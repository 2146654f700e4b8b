"""Events are strangers' words: what is kept and posted of them is bounded, and a fault with one is no other's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.cluster.waiting import wait_for
from webhook.controller import refusals
from webhook.controller.mandate import unlimited
from webhook.controller.notices import Notices, one_line
from webhook.controller.pace import Pace
from webhook.controller.refusals import Heard, Refusals
from webhook.core.document import format_time
from webhook.core.message import MESSAGE_LIMIT
from webhook.kube import EVENTS, Event, Page
from webhook.kubeerrors import Conflict, KubeError, NotFound, Refused, Resource, Unreachable

Json = dict[str, Any]
NOTEBOOK = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "Notebook",
    "metadata": {"name": "nb", "namespace": "team", "uid": "u"},
}


def refused(name: str, namespace: str = "team", why: str = "image x: [uid-1000] no") -> Json:
    return {
        "metadata": {"name": f"{name}.1", "namespace": namespace},
        "involvedObject": {"kind": "StatefulSet", "name": name},
        "message": f'admission webhook "pods.nbgate.dev" denied the request: {why}',
        "lastTimestamp": format_time(time.time()),
    }


class Cluster:
    """Has these Events; answers `create` with what it is told to, and its watch with silence."""

    def __init__(self, *events: Json) -> None:
        self.events, self.told = events, list[str]()
        self.answers: dict[str, KubeError] = {}
        self.unreadable: set[str] = set()
        self.watchable = True

    def cached(self, *_: object, **__: object) -> Iterator[Page]:
        if not self.watchable:
            raise Unreachable("no answer from the API server")
        yield Page(self.events, "1")

    pages = cached

    @contextmanager
    def watch(self, *_: object, **__: object) -> Iterator[Iterator[Event]]:
        yield self.silence()

    def silence(self) -> Iterator[Event]:
        time.sleep(2)
        yield from ()

    def get(self, resource: Resource, name: str, namespace: str) -> Json:
        if name in self.unreadable:
            raise Unreachable(f"cannot get {resource.name} {name}")
        meta = {"name": name, "namespace": namespace, "uid": "u"}
        return {**NOTEBOOK, "metadata": meta}

    def create(self, resource: Resource, document: Json, _: str) -> Json:
        assert resource == EVENTS
        name = document["involvedObject"]["name"]
        if name in self.answers:
            raise self.answers[name]
        self.told.append(name)
        return document


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@contextmanager
def duty(cluster: Cluster) -> Iterator[tuple[Refusals, Clock]]:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep)
    made = Refusals(cluster, pace=pace, clock=clock)  # type: ignore[arg-type]  # all that it asks of one
    try:
        yield made, clock
    finally:
        made.halt()


# -- bounds -----------------------------------------------------------------------------------------


def test_refusals_without_end_are_not_all_kept_and_the_latest_are() -> None:
    heard, bound = Heard(), refusals._MOST
    for number in range(bound + 100):
        heard.changed(Event("ADDED", refused(f"nb-{number}")))
    names = [one.name for one in heard.drain()]
    assert (names[0], names[-1], len(names)) == ("nb-100", f"nb-{bound + 99}", bound)
    assert heard.drain() == []


def test_an_event_that_is_gone_and_one_that_is_none_of_ours_is_nothing_to_tell() -> None:
    heard = Heard()
    heard.changed(Event("DELETED", refused("nb")))
    heard.changed(Event("ADDED", {**refused("nb"), "message": "exceeded quota"}))
    assert heard.drain() == []


def test_a_namespace_that_forges_refusals_gets_its_share_and_others_theirs() -> None:
    forged = [refused(f"forged-{number}", why=f"image x: [{number}]") for number in range(200)]
    cluster = Cluster(*forged, refused("honest", "another"))
    with duty(cluster) as (refusals_, _):

        def run() -> bool:
            refusals_.run(time.time())
            return "honest" in cluster.told

        wait_for(run, 10, "the honest one's event")
    # As many as there may be at once, and what the minute brings while they are posted, twenty a second.
    assert refusals._SHARE <= len(cluster.told) - 1 <= refusals._SHARE + 5


def test_what_was_said_is_remembered_of_so_many_and_the_latest() -> None:
    bound = refusals._MOST
    cluster = Cluster()
    with duty(cluster) as (refusals_, clock):
        for number in range(bound + 10):
            clock.now += 60.0
            refusals_._heard.changed(Event("ADDED", refused(f"nb-{number}")))
            refusals_._post(refusals_._heard.drain(), time.time())
        refusals_._heard.changed(Event("ADDED", refused(f"nb-{bound + 9}")))
        refusals_._post(refusals_._heard.drain(), time.time())
        assert len(refusals_._said) == bound
    assert len(cluster.told) == bound + 10


# -- faults -----------------------------------------------------------------------------------------


def test_one_that_the_api_server_does_not_take_is_told_of_and_no_other_waits() -> None:
    cluster = Cluster(refused("first"), refused("second"), refused("third"))
    cluster.answers["first"] = Refused("cannot create events: over the quota")
    problems: list[str] = []
    with duty(cluster) as (refusals_, _):

        def run() -> bool:
            try:
                refusals_.run(time.time())
            except Refused as error:
                problems.append(str(error))
            return bool(problems)

        wait_for(run, 10, "the refusal of one event")
    assert problems == ["cannot create events: over the quota"]
    assert sorted(cluster.told) == ["second", "third"]


def test_a_watch_that_says_nothing_for_long_is_a_problem_and_for_a_moment_is_none() -> None:
    cluster = Cluster()
    cluster.watchable = False
    with duty(cluster) as (refusals_, clock):
        refusals_.run(0.0)
        wait_for(lambda: refusals_._watch and refusals_._watch.problem, 10, "a problem")
        refusals_.run(0.0)
        clock.now += refusals._SILENCE + 1
        with pytest.raises(Unreachable, match="no answer from the API server"):
            refusals_.run(0.0)


def test_a_duty_that_is_halted_before_it_began_has_nothing_to_end() -> None:
    with duty(Cluster()):
        pass


@pytest.mark.parametrize(
    ("answer", "is_there"),
    [
        (Conflict("events nb.1 already exists"), True),
        (NotFound("namespaces team not found"), False),
        (
            Refused("forbidden: unable to create new content in namespace team being terminated"),
            False,
        ),
    ],
)
def test_what_was_said_before_or_has_nobody_to_hear_it_is_no_fault(
    answer: KubeError, *, is_there: bool
) -> None:
    cluster = Cluster()
    cluster.answers["nb"] = answer
    notices = Notices(cluster, unlimited(), Pace())  # type: ignore[arg-type]  # all that it asks of one
    assert notices.post("team", "nb", "Warning", "NotebookRefused", "no", 0.0) is is_there


def test_what_is_refused_for_another_reason_is_a_fault() -> None:
    cluster = Cluster()
    cluster.answers["nb"] = Refused("exceeded quota: events")
    notices = Notices(cluster, unlimited(), Pace())  # type: ignore[arg-type]  # all that it asks of one
    with pytest.raises(Refused, match="exceeded quota"):
        notices.post("team", "nb", "Warning", "NotebookRefused", "no", 0.0)


@pytest.mark.parametrize("sign", ["x", "é", "…", "🎉"])
def test_a_message_that_is_too_long_is_cut_between_two_signs(sign: str) -> None:
    """The API server takes 1 KiB of UTF-8, and refuses the whole Event for a byte more."""
    for more in range(-5, 6):
        said = one_line("a" * 3 + sign * (MESSAGE_LIMIT // len(sign.encode()) + more))
        assert len(said.encode()) <= MESSAGE_LIMIT
        assert set(said) <= {"a", sign, "."}
        assert said.endswith("...") or said == "aaa" + sign * said.count(sign)


def test_one_that_cannot_be_told_keeps_no_other_waiting() -> None:
    cluster = Cluster(*map(refused, ("broken", "honest", "another")))
    cluster.unreadable = {"broken"}
    duty = Refusals(cluster)  # type: ignore[arg-type]  # all that it asks of one

    def run() -> bool:
        with suppress(Unreachable):
            duty.run(time.time())
        return len(cluster.told) == 2

    try:
        wait_for(run, 5, "two events")
    finally:
        duty.halt()

    assert sorted(cluster.told) == ["another", "honest"]
