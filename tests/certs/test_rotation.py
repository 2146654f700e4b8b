"""One step at a time: what is done next, when it waits, what is left alone, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.certificate import Certificate, describe
from certs.errors import LifetimeError
from certs.keypair import KeyPair
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import renewal_time
from certs.rotation import next_step
from certs.rotationsteps import (
    MOST_FORMERS,
    Endpoint,
    Found,
    Rest,
    SaveAuthorities,
    SaveServing,
)
from tests.certs.rotating import (
    AUTHORITIES,
    HOST,
    MUTATING,
    SERVING,
    START,
    VALIDATING,
    WANTED,
    Leader,
    World,
    accepted,
    installed,
)

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)


def stranger(name: str = "their CA", *, now: datetime = START, days: int = 3650) -> KeyPair:
    return issue_authority(name, now=now, lifetime=days * DAY)


def certificate(pair: KeyPair) -> Certificate:
    return describe(pair.certificate_pem)[0]


def served_by(authority: KeyPair, now: datetime = START, days: int = 90) -> dict[str, bytes]:
    pair = issue_leaf(authority, hosts=[HOST], now=now, lifetime=days * DAY)
    return {
        LEAF_CERTIFICATE: pair.certificate_pem,
        LEAF_KEY: pair.key_pem,
        AUTHORITY_CERTIFICATE: authority.certificate_pem,
    }


def steps(world: World) -> list[str]:
    """Run until there is nothing to do but wait; name the steps."""
    leader = Leader()
    names: list[str] = []
    while not names or names[-1] != "Rest":
        names.append(type(world.cycle(leader)).__name__)
    return names[:-1]


def is_whole(world: World) -> bool:
    """Tell whether every entry takes the leaf."""
    bundles = (*world.bundles(MUTATING), *world.bundles(VALIDATING))
    return all(accepted(world.leaf, bundle, world.now) for bundle in bundles)


# -- the first issue, renewal, rest ------------------------------------------------------------------


def test_an_empty_installation_gets_a_ca_bundles_and_a_leaf_without_waiting() -> None:
    world = World()
    assert steps(world) == ["SaveAuthorities", "SaveBundles", "SaveServing"]
    assert is_whole(world)
    assert world.leaf.hosts == WANTED.hosts
    assert world.leaf.not_after == START + WANTED.leaf_lifetime
    assert world.state.signer is not None
    assert world.state.signer.certificate.not_after == START + WANTED.authority_lifetime
    assert world.secret(SERVING)[AUTHORITY_CERTIFICATE] == world.secret(AUTHORITIES)["ca.crt"]


def test_what_is_good_is_left_alone_until_the_leaf_is_due() -> None:
    world = installed()
    before = dict(world.objects)
    rest = world.run()
    assert (rest.problem, rest.waiting) == ("", "")
    assert rest.until == renewal_time(world.leaf)
    world.now = rest.until - SECOND
    world.run()
    assert world.objects == before


def test_a_leaf_is_renewed_under_its_ca_at_two_thirds_of_its_life_without_touching_bundles() -> (
    None
):
    world = installed()
    first, bundles = world.leaf, world.objects[MUTATING]
    world.now = renewal_time(first)
    assert steps(world) == ["SaveAuthorities", "SaveServing"]
    assert (world.leaf.issuer, world.leaf.not_after) == (first.issuer, world.now + 90 * DAY)
    assert world.objects[MUTATING] == bundles
    assert world.state.signer is not None
    assert world.state.signer.leaves_until >= world.leaf.not_after


@pytest.mark.parametrize("spoilt", [LEAF_CERTIFICATE, LEAF_KEY, AUTHORITY_CERTIFICATE])
@pytest.mark.parametrize("content", [b"", b"x"])
def test_a_spoilt_part_of_the_pair_is_issued_anew_under_the_same_ca(
    spoilt: str, content: bytes
) -> None:
    world = installed()
    issuer = world.leaf.issuer
    world.overwrite(SERVING, {**world.secret(SERVING), spoilt: content})
    assert steps(world) == ["SaveServing"]
    assert world.leaf.issuer == issuer


def test_another_host_that_is_wanted_makes_another_leaf() -> None:
    world = installed()
    step = next_step(found(world), replace(WANTED, hosts=("new.example", *WANTED.hosts)))
    assert isinstance(step, SaveServing)
    assert "new.example" in step.why


def test_a_ca_is_followed_by_another_at_two_thirds_of_its_life() -> None:
    world = installed()
    signer = world.state.signer
    assert signer is not None
    while world.now < renewal_time(signer.certificate):
        assert len(world.state.trusted) == 1
        world.advance(20 * DAY)
        world.run()
    world.settle()
    assert [one.certificate for one in world.state.formers] == [signer.certificate]
    assert world.leaf.issuer != signer.certificate.subject


def test_lifetimes_that_no_certificate_can_have_are_an_error() -> None:
    with pytest.raises(LifetimeError):
        next_step(found(World()), replace(WANTED, authority_lifetime=SECOND))


def test_nothing_on_the_way_shows_a_key() -> None:
    world = installed()
    world.ask()
    values = [found(world), next_step(found(world), WANTED), world.state]
    world.now = renewal_time(world.leaf) + DAY
    world.run()
    assert not any("PRIVATE KEY" in repr(value) for value in values)


# -- a rotation, in order ------------------------------------------------------------------------------


def test_a_rotation_goes_in_the_order_that_loses_nothing() -> None:
    world = installed()
    old = world.state.trusted[0]
    world.ask()
    assert steps(world) == ["SaveAuthorities", "SaveBundles", "SaveAuthorities"]
    new = world.state.trusted[-1]
    for bundle in (*world.bundles(MUTATING), *world.bundles(VALIDATING)):
        assert bundle == (old, new)
    world.advance(WANTED.settle - SECOND)
    assert steps(world) == []
    assert world.leaf.issuer == old.subject
    world.advance(SECOND)
    assert steps(world) == ["SaveServing"]
    assert world.leaf.issuer == new.subject
    world.advance(31 * SECOND)
    assert steps(world) == ["SaveAuthorities"]
    assert world.run().waiting.startswith("former CAs are trusted until 2026-08-02")


def test_the_former_ca_goes_when_its_last_leaf_has_ended_and_not_before() -> None:
    world = installed()
    old = world.leaf
    world.ask()
    world.settle()
    world.now = old.not_after
    world.run()
    assert len(world.state.formers) == 1
    world.now = old.not_after + timedelta(hours=2)
    world.run()
    assert len(world.state.trusted) == 1
    assert old.issuer not in {one.subject for one in world.bundles(MUTATING)[0]}


@pytest.mark.parametrize("name", [MUTATING, VALIDATING])
def test_the_wait_begins_anew_when_a_bundle_was_overwritten_meanwhile(name: str) -> None:
    world = installed()
    before = world.bundles(name)
    world.ask()
    world.run()
    world.advance(WANTED.settle - SECOND)
    world.overwrite(name, before)
    assert steps(world) == ["SaveBundles", "SaveAuthorities"]
    world.advance(WANTED.settle - SECOND)
    assert steps(world) == []
    world.advance(SECOND)
    assert steps(world) == ["SaveServing"]


def test_a_request_while_a_rotation_is_under_way_is_that_rotation() -> None:
    world = installed()
    world.ask()
    world.run()
    trusted = world.state.trusted
    world.ask()
    world.run()
    assert world.state.trusted == trusted
    assert "asked" not in world.secret(AUTHORITIES)


def test_requests_for_ever_more_cas_are_refused_but_not_the_one_that_drops_them() -> None:
    world = installed()
    for _ in range(MOST_FORMERS):
        world.ask()
        world.settle()
    world.ask()
    assert "wait until one has ended" in world.settle().problem
    assert len(world.state.formers) == MOST_FORMERS
    world.ask(forced=True)
    assert world.settle().problem == ""
    assert len(world.state.trusted) == 1


# -- forced --------------------------------------------------------------------------------------------


def seen(world: World, *leaves: str, problem: str = "") -> Found:
    endpoints = tuple(
        Endpoint(address=f"10.0.0.{number}", leaf=leaf, problem=problem)
        for number, leaf in enumerate(leaves)
    )
    return replace(found(world), endpoints=endpoints)


def found(world: World) -> Found:
    leader = Leader()
    leader.read = dict(world.objects)
    return world.found(leader)


def test_a_forced_rotation_drops_the_ca_once_every_replica_was_seen_with_the_new_leaf() -> None:
    world = installed()
    old = world.state.trusted[0]
    world.ask(forced=True)
    world.settle()
    assert old not in world.state.trusted
    assert old.fingerprint in world.state.over
    assert world.bundles(MUTATING)[0] == world.state.trusted


@pytest.mark.parametrize("problem", ["", "timed out"])
def test_a_replica_that_is_not_seen_with_the_new_leaf_holds_a_forced_rotation_up(
    problem: str,
) -> None:
    world = installed()
    old = world.leaf
    world.ask(forced=True)
    world.run()
    world.advance(31 * SECOND)
    leader = Leader()
    assert isinstance(world.cycle(leader), SaveServing)
    others = ("", "") if problem else (old.fingerprint, world.leaf.fingerprint)
    step = next_step(seen(world, *others, problem=problem), WANTED)
    assert isinstance(step, Rest)
    assert (problem or "serves another") in step.waiting
    assert step.problem == ""
    world.now += timedelta(minutes=5)
    step = next_step(seen(world, *others, problem=problem), WANTED)
    assert isinstance(step, Rest)
    assert step.problem.startswith("not every ready replica is seen to serve the certificate: 10.")


def served_since(world: World) -> bool:
    return world.state.served is not None


def test_a_replica_that_falls_back_to_the_old_leaf_holds_it_up_again() -> None:
    world = installed()
    old = world.leaf
    world.ask(forced=True)
    world.run()
    for _ in range(2):
        world.advance(31 * SECOND)
        world.run()
    assert served_since(world)
    world.now += 60 * SECOND
    step = next_step(seen(world, old.fingerprint, world.leaf.fingerprint), WANTED)
    assert isinstance(step, SaveAuthorities)
    world.overwrite(AUTHORITIES, dict(step.data))
    assert not served_since(world)
    assert len(world.state.formers) == 1


# -- bundles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 1])
def test_a_bundle_that_was_overwritten_is_repaired_at_once(left: int) -> None:
    world = installed()
    (ours,) = world.state.trusted
    world.overwrite(VALIDATING, ((), (ours,) * left, (certificate(stranger()),)))
    assert steps(world) == ["SaveBundles"]
    assert is_whole(world)


def test_a_ca_that_nobody_knows_stays_until_it_expires() -> None:
    world = installed()
    other = certificate(stranger(days=50))
    world.overwrite(MUTATING, ((other,),))
    world.run()
    assert world.bundles(MUTATING)[0][0] == other
    world.now = other.not_after + SECOND
    world.run()
    assert other not in world.bundles(MUTATING)[0]


def test_a_ca_that_is_over_goes_again_when_somebody_puts_it_back() -> None:
    world = installed()
    (old,) = world.state.trusted
    world.ask(forced=True)
    world.settle()
    world.overwrite(MUTATING, ((old, *world.state.trusted),))
    assert steps(world) == ["SaveBundles"]
    assert world.bundles(MUTATING)[0] == world.state.trusted


# -- lost Secrets --------------------------------------------------------------------------------------


def test_a_lost_key_begins_a_rotation_in_order_and_the_reason_is_told() -> None:
    world = installed()
    old = world.leaf
    world.overwrite(AUTHORITIES, {**world.secret(AUTHORITIES), AUTHORITY_KEY: b"x"})
    step = next_step(found(world), WANTED)
    assert isinstance(step, SaveAuthorities)
    assert "Secret nbgate-ca cannot issue: ca.key: not a private key" in step.why
    world.run()
    assert world.leaf == old
    world.settle()
    assert [one.certificate.subject for one in world.state.formers] == [old.issuer]
    assert world.leaf.issuer != old.issuer


def test_the_ca_of_what_is_served_stays_trusted_though_its_secret_and_bundles_are_lost() -> None:
    world = installed()
    old = world.leaf
    world.overwrite(AUTHORITIES, {})
    world.overwrite(MUTATING, ((),))
    world.run()
    assert accepted(old, world.bundles(MUTATING)[0], world.now)


def test_a_ca_of_ours_that_only_a_bundle_has_can_be_dropped_by_force() -> None:
    world = installed()
    (old,) = world.state.trusted
    world.overwrite(AUTHORITIES, {})
    world.overwrite(SERVING, {})
    world.settle()
    assert old in world.state.trusted
    world.ask(forced=True)
    world.settle()
    assert old not in world.bundles(MUTATING)[0]


# -- what is not ours ----------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 91])
def test_a_certificate_of_somebody_else_is_left_as_it_is(days: int) -> None:
    world = installed()
    world.overwrite(SERVING, served_by(stranger()))
    before = dict(world.objects)
    world.now += days * DAY
    rest = world.run()
    assert world.objects == before
    assert rest.problem.startswith("Secret nbgate-tls holds a certificate of CN=their CA, which")
    assert "--certificates none" in rest.problem


def test_a_ca_of_somebody_else_issues_and_is_never_replaced() -> None:
    world, own = World(), stranger(days=300)
    world.overwrite(AUTHORITIES, {"ca.crt": own.certificate_pem, "ca.key": own.key_pem})
    world.settle()
    assert world.leaf.issuer == "CN=their CA"
    assert is_whole(world)
    world.ask(forced=True)
    assert "holds a CA of your own, CN=their CA" in world.settle().problem
    world.now += 250 * DAY
    assert "put ca.crt and ca.key of its successor" in world.run().problem
    assert world.leaf.issuer == "CN=their CA"
    # Its leaves end as it does; that is no reason to issue another every second.
    world.now = certificate(own).not_after - DAY
    before = dict(world.objects)
    world.run()
    assert world.objects[SERVING] == before[SERVING]
    world.now += 2 * DAY
    assert "until 2027-02-28" in world.run().problem
    assert world.leaf.issuer == "CN=their CA"


def test_a_ca_that_somebody_puts_in_the_place_of_ours_takes_over_in_order() -> None:
    world, own = installed(), stranger()
    old = world.leaf
    world.overwrite(
        AUTHORITIES,
        {
            **world.secret(AUTHORITIES),
            "ca.crt": own.certificate_pem,
            "ca.key": own.key_pem,
        },
    )
    world.run()
    assert world.leaf == old
    assert world.bundles(MUTATING)[0][-1] == certificate(own)
    world.settle()
    assert world.leaf.issuer == "CN=their CA"
    assert accepted(old, world.bundles(MUTATING)[0], world.now)
    world.now = old.not_after + timedelta(hours=2)
    world.run()
    assert world.bundles(MUTATING)[0] == (certificate(own),)


def test_a_ca_of_somebody_else_that_is_taken_out_makes_way_for_ours_in_order() -> None:
    world, own = World(), stranger()
    world.overwrite(AUTHORITIES, {"ca.crt": own.certificate_pem, "ca.key": own.key_pem})
    world.settle()
    old = world.leaf
    kept = {k: v for k, v in world.secret(AUTHORITIES).items() if k not in {"ca.crt", "ca.key"}}
    world.overwrite(AUTHORITIES, kept)
    world.run()
    assert world.leaf == old
    world.settle()
    assert world.leaf.issuer != old.issuer
    assert accepted(old, world.bundles(MUTATING)[0], world.now)


def test_a_certificate_issued_in_an_emergency_is_followed_by_ours_when_it_is_taken_out() -> None:
    world, rescue = installed(), stranger("nbgate self-signed CA")
    world.overwrite(SERVING, served_by(rescue))
    for name in (MUTATING, VALIDATING):
        both = tuple((*bundle, certificate(rescue)) for bundle in world.bundles(name))
        world.overwrite(name, both)
    assert world.run().problem != ""
    world.overwrite(SERVING, {})
    assert world.settle().problem == ""
    assert is_whole(world)
    assert certificate(rescue) in world.bundles(MUTATING)[0]


def test_a_ca_of_somebody_else_without_its_key_is_not_overwritten() -> None:
    world = World()
    secret = {"ca.crt": stranger().certificate_pem, "ca.key": stranger().key_pem}
    world.overwrite(AUTHORITIES, secret)
    assert "is not the key of ca.crt" in (problem := world.run().problem)
    assert "put ca.crt and ca.key there that belong together" in problem
    assert world.secret(AUTHORITIES) == secret
