"""Spoilt notes, a controller that was away for a year, a clock that was wrong: what is done, and what is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from certs.rotation import next_step
from certs.rotationstate import NOTES
from certs.rotationsteps import SaveAuthorities
from tests.certs.rotating import (
    AUTHORITIES,
    MUTATING,
    OBJECTS,
    WANTED,
    Leader,
    World,
    accepted,
    bundle_names,
    holds,
    installed,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def first_step(world: World) -> SaveAuthorities:
    """Decide on all that is there now; nothing is written."""
    leader = Leader(read={name: world.objects[name] for name in OBJECTS})
    step = next_step(world.found(leader), WANTED)
    assert isinstance(step, SaveAuthorities)
    return step


@pytest.mark.parametrize("notes", [b"{half", b"[]", b"\xff", b"[" * 100_000])
def test_notes_that_cannot_be_read_are_written_anew_with_the_reason_and_nothing_else_changes(
    notes: bytes,
) -> None:
    world = installed()
    before = (world.state.signer, world.leaf, bundle_names(world))
    world.overwrite(AUTHORITIES, {**world.secret(AUTHORITIES), NOTES: notes})
    step = first_step(world)
    assert step.done == "wrote Secret nbgate-ca anew"
    assert step.why.startswith("rotation.json of Secret nbgate-ca is not JSON")
    world.settle()
    signer, leaf, bundles = before
    assert (world.leaf, bundle_names(world)) == (leaf, bundles)
    assert signer is not None
    assert world.state.signer is not None
    assert world.state.signer.certificate == signer.certificate
    assert world.state.complaint == ""


@pytest.mark.parametrize("away", [366 * DAY, -HOUR], ids=["a year without us", "a clock set back"])
def test_a_ca_that_does_not_hold_now_is_replaced_at_once_and_calls_are_taken_again(
    away: timedelta,
) -> None:
    """Nothing verifies then, so there is nothing to lose: the new CA is in every entry before its first leaf."""
    world = installed()
    (old,) = world.state.trusted
    world.now += away
    assert not holds(old, world.now)
    assert first_step(world).why == f"{old.subject} does not hold now"
    world.run()
    world.advance(timedelta(seconds=31))
    world.run()
    assert world.state.signer is not None
    assert world.state.signer.certificate != old
    assert accepted(world.leaf, world.bundles(MUTATING)[0], world.now)
