"""An installation as the rotation sees it, with leaders that are slow, crash and overtake one another.

Objects change only by a write that names the version that was read, as at a real API server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from certs.bundle import fingerprints
from certs.certificate import Certificate, describe
from certs.errors import MalformedCertificateError
from certs.layout import LEAF_CERTIFICATE
from certs.rotation import next_step
from certs.rotationstate import State, read_state
from certs.rotationsteps import (
    Configuration,
    Endpoint,
    Found,
    LookAtEndpoints,
    Request,
    Rest,
    SaveAuthorities,
    SaveBundles,
    SaveServing,
    Step,
    Wanted,
)

START = datetime(2026, 5, 4, tzinfo=UTC)
HOST = "nbgate.nbgate-system.svc"
WANTED = Wanted(
    hosts=(HOST, f"{HOST}.cluster.local"),
    leaf_lifetime=timedelta(days=90),
    authority_lifetime=timedelta(days=365),
)
API_LAG = timedelta(
    seconds=25
)  # less than WANTED.settle: within it a server may use a former bundle
REPLICA_LAG = timedelta(seconds=10)  # within it a ready replica may serve a former leaf

Bundles = tuple[tuple[Certificate, ...], ...]
Secret = dict[str, bytes]

AUTHORITIES, SERVING, MUTATING, VALIDATING = "nbgate-ca", "nbgate-tls", "mutating", "validating"
OBJECTS = (AUTHORITIES, SERVING, MUTATING, VALIDATING)


@cache
def verifies(leaf: bytes, authority: bytes, at: datetime) -> bool:
    """Verify a leaf for its host under one CA (DER), as a TLS client does."""
    store = Store([x509.load_der_x509_certificate(authority)])
    verifier = PolicyBuilder().store(store).time(at).build_server_verifier(x509.DNSName(HOST))
    try:
        verifier.verify(x509.load_der_x509_certificate(leaf), [])
    except VerificationError:
        return False
    return True


def holds(one: Certificate, now: datetime) -> bool:
    return one.not_before <= now <= one.not_after


def accepted(leaf: Certificate, bundle: Sequence[Certificate], now: datetime) -> bool:
    """Tell whether a client that trusts the bundle takes the leaf now; a leaf's chain is itself and one CA."""
    return holds(leaf, now) and any(
        holds(one, now) and verifies(leaf.der, one.der, max(leaf.not_before, one.not_before))
        for one in bundle
    )


@cache
def leaf_of(pem: bytes) -> Certificate | None:
    try:
        return describe(pem)[0]
    except MalformedCertificateError:
        return None


@dataclass
class Leader:
    """One that leads, or thinks so: what it has read so far, and what it is about to write."""

    read: dict[str, tuple[int, object]] = field(default_factory=dict)
    step: Step | None = None


class Conflict(Exception):
    """Somebody changed the object since it was read."""


@dataclass
class World:
    """Everything that there is, and for how long it was so."""

    now: datetime = START
    objects: dict[str, tuple[int, object]] = field(
        default_factory=lambda: {
            AUTHORITIES: (1, {}),
            SERVING: (1, {}),
            MUTATING: (1, ((),)),
            VALIDATING: (1, ((), (), ())),
        }
    )
    asked: Request | None = None
    replicas: list[Certificate | None] = field(default_factory=lambda: [None, None])
    written: list[Certificate] = field(default_factory=list)
    """Every leaf that was ever in the Secret."""
    used: list[tuple[datetime, str, Bundles]] = field(default_factory=list)
    """Every bundle that was replaced, with when that was."""
    authorities: dict[str, Certificate] = field(default_factory=dict)
    """Every CA that a bundle ever held."""
    dropped: set[str] = field(default_factory=set)
    """Fingerprints of CAs that were over at some time."""
    recovering_until: datetime = START
    """Nothing was served when the present leaf came, so no request can be lost until this is seen."""
    was_forced: bool = False
    halfway: bool = False
    """A leader crashes between two writes of one step."""
    log: list[str] = field(default_factory=list)

    # -- what is there

    def secret(self, name: str) -> Secret:
        value = self.objects[name][1]
        assert isinstance(value, dict)
        return value

    def bundles(self, name: str) -> Bundles:
        value = self.objects[name][1]
        assert isinstance(value, tuple)
        return value

    @property
    def state(self) -> State:
        return read_state(self.secret(AUTHORITIES))

    @property
    def leaf(self) -> Certificate:
        leaf = leaf_of(self.secret(SERVING).get(LEAF_CERTIFICATE, b""))
        assert leaf is not None
        return leaf

    # -- what may be

    def usable_bundles(self) -> Iterator[tuple[Certificate, ...]]:
        """Give each bundle that an API server may use now."""
        for name in (MUTATING, VALIDATING):
            yield from self.bundles(name)
        for at, _, bundles in self.used:
            if self.now - at <= API_LAG:
                yield from bundles

    def servable_leaves(self) -> Iterator[Certificate]:
        """Give each leaf that a replica may serve: from the Secret, or from its disk while the API server is away.

        Of a CA that was dropped by force only what ready replicas have.
        """
        for leaf in self.written:
            dropped = any(
                one.fingerprint in self.dropped and verifies(leaf.der, one.der, leaf.not_before)
                for one in self.authorities.values()
            )
            if dropped:
                assert self.was_forced or not holds(leaf, self.now), "a CA ended before its leaf"
            if holds(leaf, self.now) and (not dropped or leaf in self.replicas):
                yield leaf

    def lost(self) -> list[str]:
        """Tell which calls would fail now."""
        if self.now <= self.recovering_until:
            return []
        bundles = set(self.usable_bundles())
        return [
            f"{leaf.issuer} under {[one.subject for one in bundle]}"
            for leaf in set(self.servable_leaves())
            for bundle in bundles
            if not accepted(leaf, bundle, self.now)
        ]

    # -- what happens

    def advance(self, by: timedelta) -> None:
        self.now += by
        if by >= REPLICA_LAG:
            for number in range(len(self.replicas)):
                self.refresh(number)

    def refresh(self, number: int) -> None:
        """Let a replica read the Secret; one that has no pair that can be loaded keeps what it has."""
        leaf = leaf_of(self.secret(SERVING).get(LEAF_CERTIFICATE, b""))
        self.replicas[number] = leaf or self.replicas[number]

    def put(self, name: str, value: object, version: int) -> None:
        """Write an object. Raises Conflict."""
        current, before = self.objects[name]
        if version != current:
            raise Conflict(name)
        if name in {MUTATING, VALIDATING}:
            self.used.append((self.now, name, self.bundles(name)))
        self.objects[name] = (current + 1, value)
        # Nobody forgets that a CA was dropped, though the Secret that says so may be lost.
        self.dropped |= set(self.state.over)
        if name == SERVING and value != before:
            self._leaf_came()
        for bundles in (self.bundles(MUTATING), self.bundles(VALIDATING)):
            for one in (one for bundle in bundles for one in bundle):
                self.authorities[one.fingerprint] = one

    def _leaf_came(self) -> None:
        leaf = leaf_of(self.secret(SERVING).get(LEAF_CERTIFICATE, b""))
        if leaf is None:
            return
        if not any(holds(one, self.now) for one in self.written):
            self.recovering_until = self.now + API_LAG
        self.written.append(leaf)

    # -- leaders

    def found(self, leader: Leader) -> Found:
        """Give what a leader has read, with the time after it."""
        authorities, serving = leader.read[AUTHORITIES][1], leader.read[SERVING][1]
        assert isinstance(authorities, dict)
        assert isinstance(serving, dict)
        asked = authorities.get("asked")
        return Found(
            authorities=authorities,
            serving=serving,
            configurations=tuple(
                Configuration(
                    name=name,
                    identity=f"{name}/{leader.read[name][0]}",
                    bundles=leader.read[name][1],  # type: ignore[arg-type]
                )
                for name in (MUTATING, VALIDATING)
            ),
            asked=Request(forced=asked == b"now") if asked else None,
            now=self.now,
        )

    def read_one(self, leader: Leader) -> None:
        """Read the next object; after the last, decide. Then `act` is next."""
        name = OBJECTS[len(leader.read)]
        leader.read[name] = self.objects[name]
        if len(leader.read) == len(OBJECTS):
            leader.step = self.decide(self.found(leader))

    def decide(self, found: Found) -> Step:
        step = next_step(found, WANTED)
        if isinstance(step, LookAtEndpoints):
            seen = tuple(
                Endpoint(address=f"10.0.0.{number}", leaf=leaf.fingerprint if leaf else "")
                for number, leaf in enumerate(self.replicas)
            )
            step = next_step(replace(found, endpoints=seen), WANTED)
        assert not isinstance(step, LookAtEndpoints)
        return step

    def act(self, leader: Leader) -> None:
        """Write what was decided, unless somebody was faster; then begin again."""
        read, step = leader.read, leader.step
        leader.read, leader.step = {}, None
        try:
            if isinstance(step, SaveAuthorities):
                before = read[AUTHORITIES][1]
                assert isinstance(before, dict)
                kept = {"asked": before["asked"]} if "asked" in before and not step.heeded else {}
                self.put(AUTHORITIES, {**step.data, **kept}, read[AUTHORITIES][0])
            elif isinstance(step, SaveServing):
                self.put(SERVING, dict(step.data), read[SERVING][0])
            elif isinstance(step, SaveBundles):
                self._put_bundles(read, step)
        except Conflict:
            return
        if isinstance(step, SaveAuthorities | SaveServing | SaveBundles):
            self.log.append(step.done)

    def _put_bundles(self, read: dict[str, tuple[int, object]], step: SaveBundles) -> None:
        for name, bundles in zip((MUTATING, VALIDATING), step.bundles, strict=True):
            if bundles != read[name][1]:
                self.put(name, bundles, read[name][0])
                if self.halfway:
                    return

    def cycle(self, leader: Leader) -> Step:
        """Finish what the leader has begun, or one whole look and step."""
        while leader.step is None:
            self.read_one(leader)
        step = leader.step
        self.act(leader)
        return step

    def run(self, leader: Leader | None = None) -> Rest:
        """Take steps until there is nothing to do but wait."""
        leader = leader or Leader()
        for _ in range(20):
            step = self.cycle(leader)
            if isinstance(step, Rest):
                return step
        raise AssertionError(f"no rest after 20 steps: {self.log[-20:]}")

    def settle(self) -> Rest:
        """Run as a leader does, for the three minutes or so after which all is done that need not wait for days."""
        rest = self.run()
        for _ in range(6):
            self.advance(timedelta(seconds=31))
            assert self.lost() == []
            rest = self.run()
            assert self.lost() == []
        return rest

    def ask(self, *, forced: bool = False) -> None:
        """Ask for a rotation, as an annotation does: nobody needs the present version for that."""
        version, value = self.objects[AUTHORITIES]
        assert isinstance(value, dict)
        self.was_forced |= forced
        self.objects[AUTHORITIES] = (version + 1, {**value, "asked": b"now" if forced else b"yes"})

    def overwrite(self, name: str, value: object) -> None:
        """Write an object, whoever has it."""
        self.put(name, value, self.objects[name][0])


def installed() -> World:
    """An installation after its first minutes."""
    world = World()
    world.settle()
    return world


def bundle_names(world: World) -> list[tuple[str, ...]]:
    return [fingerprints(one) for name in (MUTATING, VALIDATING) for one in world.bundles(name)]
