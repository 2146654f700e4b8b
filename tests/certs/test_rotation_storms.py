"""Rotations with leaders that crash, sleep and overtake one another: no call is lost, and it ends well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.rotationstate import NOTES
from tests.certs.rotating import (
    AUTHORITIES,
    MUTATING,
    SERVING,
    VALIDATING,
    Leader,
    World,
    accepted,
    installed,
)

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


class Storm:
    """Two that lead at once, and what else may happen to an installation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.leaders = [Leader(), Leader()]

    def part(self, number: int) -> None:
        """One read, or one write that was decided at some time before."""
        leader = self.leaders[number]
        if leader.step is None:
            self.world.read_one(leader)
        else:
            self.world.act(leader)

    def crash(self, number: int) -> None:
        """Forget all that was read and decided; what was written stays, and nobody knows it."""
        self.leaders[number] = Leader()

    def crash_halfway(self) -> None:
        self.world.halfway = True
        self.world.cycle(self.leaders[0])
        self.world.halfway = False
        self.crash(0)

    def go_on(self) -> None:
        self.world.run(self.leaders[0])
        self.world.advance(31 * SECOND)
        self.world.run(self.leaders[0])

    def spoil(self, name: str, **content: bytes) -> None:
        """Empty a Secret, or spoil a key of it."""
        data = {key.replace("_", "."): value for key, value in content.items()}
        self.world.overwrite(name, {**self.world.secret(name), **data} if data else {})


HAPPENINGS: dict[str, Callable[[Storm], object]] = {
    "A acts": lambda storm: storm.part(0),
    "B acts": lambda storm: storm.part(1),
    "A crashes": lambda storm: storm.crash_halfway(),
    "A takes a step": lambda storm: storm.world.cycle(storm.leaders[0]),
    "B takes a step": lambda storm: storm.world.cycle(storm.leaders[1]),
    "A goes on": Storm.go_on,
    "a replica looks": lambda storm: storm.world.refresh(0),
    "1 s": lambda storm: storm.world.advance(SECOND),
    "31 s": lambda storm: storm.world.advance(31 * SECOND),
    "61 d": lambda storm: storm.world.advance(61 * DAY),
    "91 d": lambda storm: storm.world.advance(91 * DAY),
    "400 d": lambda storm: storm.world.advance(400 * DAY),
    "asked": lambda storm: storm.world.ask(),
}
FORCE: dict[str, Callable[[Storm], object]] = {
    "asked, now": lambda storm: storm.world.ask(forced=True),
}
LOSSES: dict[str, Callable[[Storm], object]] = {
    "nbgate-ca emptied": lambda storm: storm.spoil(AUTHORITIES),
    "CA's key corrupted": lambda storm: storm.spoil(AUTHORITIES, ca_key=b"x"),
    "CA corrupted": lambda storm: storm.spoil(AUTHORITIES, ca_crt=b"x"),
    "notes corrupted": lambda storm: storm.spoil(AUTHORITIES, **{NOTES.replace(".", "_"): b"{"}),
    "nbgate-tls emptied": lambda storm: storm.spoil(SERVING),
    "leaf's key corrupted": lambda storm: storm.spoil(SERVING, tls_key=b"x"),
}


ALL = {**HAPPENINGS, **FORCE, **LOSSES}
# Steps of a leader's run in which a rotation that was asked for is under way, and a few more.
STEPS = range(9)


def weather(*kinds: dict[str, Callable[[Storm], object]]) -> st.SearchStrategy[list[str]]:
    names = [name for kind in kinds for name in kind]
    # What leaders do is what there is most of: a rotation takes some twenty of their moves.
    moves = [name for name in names if name.startswith(("A ", "B "))]
    return st.lists(st.sampled_from([*names, *moves]), min_size=20, max_size=80)


def go_through(world: World, happenings: list[str]) -> None:
    storm = Storm(world)
    for number, name in enumerate(happenings):
        ALL[name](storm)
        lost = world.lost()
        assert not lost, (happenings[: number + 1], world.log, lost)


def assert_well(world: World) -> None:
    """After the storm: nothing to do, a leaf of the signer for long, and every entry trusts what it should."""
    rest = world.settle()
    assert rest.problem == ""
    signer = world.state.signer
    assert signer is not None
    assert world.leaf.issuer == signer.certificate.subject
    assert world.leaf.not_after - world.now > 20 * DAY
    for name in (MUTATING, VALIDATING):
        for bundle in world.bundles(name):
            assert set(bundle) >= set(world.state.trusted)
            assert accepted(world.leaf, bundle, world.now)
            assert not {one.fingerprint for one in bundle} & set(world.state.over)


@settings(max_examples=25, deadline=None)
@given(weather(HAPPENINGS))
def test_no_call_is_lost_whatever_leaders_do(happenings: list[str]) -> None:
    world = installed()
    go_through(world, happenings)
    assert_well(world)
    assert len(world.bundles(MUTATING)[0]) == len(world.state.trusted)


@settings(max_examples=20, deadline=None)
@given(weather(HAPPENINGS, FORCE))
def test_a_ca_that_is_dropped_by_force_loses_no_call_to_a_ready_replica(
    happenings: list[str],
) -> None:
    world = installed()
    go_through(world, happenings)
    assert_well(world)


@settings(max_examples=20, deadline=None)
@given(weather(HAPPENINGS, LOSSES))
def test_no_call_is_lost_when_secrets_are(happenings: list[str]) -> None:
    world = installed()
    go_through(world, happenings)
    assert_well(world)


@settings(max_examples=10, deadline=None)
@given(weather(HAPPENINGS, FORCE, LOSSES))
def test_all_ends_well_from_an_empty_start(happenings: list[str]) -> None:
    storm = Storm(World())
    for name in happenings:
        ALL[name](storm)
    assert_well(storm.world)


def steps_into_a_rotation(steps: int, *, forced: bool = False) -> Storm:
    """An installation, and a leader that has come so far; between its steps are 16 seconds."""
    storm = Storm(installed())
    storm.world.ask(forced=forced)
    for _ in range(steps):
        storm.world.cycle(storm.leaders[0])
        assert storm.world.lost() == []
        storm.world.advance(16 * SECOND)
    return storm


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("steps", STEPS)
def test_a_rotation_goes_on_wherever_a_leader_crashed(steps: int, *, forced: bool) -> None:
    storm = steps_into_a_rotation(steps, forced=forced)
    storm.crash_halfway()
    assert storm.world.lost() == []
    assert_well(storm.world)
    assert len(storm.world.state.trusted) == (1 if forced else 2)


@pytest.mark.parametrize("later", ["asked, now", "91 d", "61 d"])
@pytest.mark.parametrize("steps", STEPS)
def test_a_leader_that_slept_through_another_rotation_breaks_nothing_when_it_wakes(
    steps: int, later: str
) -> None:
    storm = steps_into_a_rotation(steps)
    sleeper = storm.leaders[1]
    while sleeper.step is None:
        storm.part(1)
    ALL[later](storm)
    storm.world.settle()
    storm.world.act(sleeper)
    storm.world.advance(31 * SECOND)
    assert storm.world.lost() == []
    assert_well(storm.world)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("what", LOSSES)
def test_a_secret_that_is_lost_amid_a_rotation_loses_no_call_in_this_one_or_the_next(
    what: str, steps: int
) -> None:
    storm = steps_into_a_rotation(steps)
    ALL[what](storm)
    assert_well(storm.world)
    storm.world.ask()
    assert_well(storm.world)
    # Within the life of leaves nothing can be over, and so nothing was dropped.
    assert storm.world.state.over == {}
