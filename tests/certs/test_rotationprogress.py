"""What people who wait for a rotation are told: phases in the order of time, true of what is there at each of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from certs.rotationprogress import Phase, Progress, progress
from certs.rotationsteps import Rest
from tests.certs.rotating import AUTHORITIES, SERVING, Leader, World, installed, leaf_of

ORDER = tuple(Phase)


def told(world: World) -> Progress:
    """Look as `nbgate certs rotate` does: at the two Secrets, and whether the request still stands."""
    leaf = leaf_of(world.secret(SERVING).get("tls.crt", b""))
    return progress(world.state, leaf, asked="asked" in world.secret(AUTHORITIES))


def followed(world: World) -> list[Progress]:
    """Look after every step and every wait, for three minutes."""
    seen = [told(world)]
    leader = Leader()
    until = world.now + timedelta(minutes=3)
    while world.now < until:
        step = world.cycle(leader)
        seen.append(told(world))
        if isinstance(step, Rest):
            world.advance(timedelta(seconds=31))
    return seen


def phases(seen: list[Progress]) -> list[Phase]:
    return list(dict.fromkeys(one.phase for one in seen))


@pytest.mark.parametrize(
    ("forced", "last"),
    [
        (False, [Phase.OVERLAP]),
        (True, [Phase.DROPPING, Phase.DONE]),
    ],
)
def test_a_rotation_goes_through_its_phases_in_their_order_and_never_back(
    *, forced: bool, last: list[Phase]
) -> None:
    world = installed()
    assert told(world).phase is Phase.DONE
    world.ask(forced=forced)
    seen = followed(world)
    assert phases(seen) == [Phase.ASKED, Phase.TRUSTING, Phase.SERVING, *last]
    order = [ORDER.index(one.phase) for one in seen]
    assert order == sorted(order)


def test_when_the_last_former_ca_goes_is_said_and_then_it_is_gone() -> None:
    world = installed()
    for _ in range(2):
        world.ask()
        world.settle()
        world.advance(timedelta(days=5))
    overlap = told(world)
    first, last = (one.leaves_until for one in overlap.formers)
    assert first < last
    assert overlap.words == f"the former CA stays trusted until {last:%Y-%m-%d %H:%M} UTC"
    world.advance(last - world.now + timedelta(seconds=1))
    world.settle()
    assert (told(world).phase, told(world).formers) == (Phase.DONE, ())


def test_the_certificates_that_are_told_of_are_those_that_are_there() -> None:
    world = installed()
    found = told(world)
    assert world.state.signer is not None
    assert (found.signer, found.leaf) == (world.state.signer.certificate, world.leaf)


def test_before_the_first_issue_no_certificate_is_told_of_and_none_is_made_up() -> None:
    """The Secrets are there, and empty: the first CA is waited for as any other is."""
    found = told(World())
    assert (found.phase, found.signer, found.leaf, found.formers) == (
        Phase.TRUSTING,
        None,
        None,
        (),
    )
