"""What was found of an installation's certificates, and what that means: the questions of the rotation. PURE."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from certs.certificate import Certificate, describe
from certs.checks import faults, issued_by
from certs.errors import MalformedCertificateError, MalformedKeyError
from certs.layout import AUTHORITY_CERTIFICATE, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import renewal_due
from certs.rotationstate import Served, State, read_state
from certs.rotationsteps import MOST_FORMERS, Found, Wanted

AUTHORITY_NAME = "nbgate webhook CA"
"""Each of our CAs is called so, and when it was made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What was found, read.

    Attributes:
        leaf: of nbgate-tls; None where there is none that can be read.
        authority: what stands beside it as its CA.
    """

    found: Found
    wanted: Wanted
    state: State
    leaf: Certificate | None
    authority: Certificate | None

    @property
    def now(self) -> datetime:
        """The time of all of it."""
        return self.found.now

    @property
    def of_signer(self) -> bool:
        """Whether the leaf is of the CA that would issue the next."""
        signer = self.state.signer
        return (
            signer is not None
            and self.leaf is not None
            and issued_by(self.leaf, signer.certificate)
        )

    @property
    def served(self) -> Served | None:
        """Since when every ready replica was seen with this leaf; None where that was not seen."""
        served = self.state.served
        return served if served and self.leaf and served.leaf == self.leaf.fingerprint else None

    @property
    def bundled(self) -> Iterator[Certificate]:
        """Every certificate that an entry trusts, also twice."""
        for each in self.found.configurations:
            for bundle in each.bundles:
                yield from bundle


def read_view(found: Found, wanted: Wanted) -> View:
    """Read what was found; never raises."""
    return View(
        found=found,
        wanted=wanted,
        state=read_state(found.authorities),
        leaf=first_of(found.serving.get(LEAF_CERTIFICATE, b"")),
        authority=first_of(found.serving.get(AUTHORITY_CERTIFICATE, b"")),
    )


def first_of(pem: bytes) -> Certificate | None:
    """Read the first certificate; None where there is none, or one of the text is not whole."""
    try:
        return describe(pem)[0]
    except MalformedCertificateError:
        return None


def holds(certificate: Certificate, now: datetime) -> bool:
    """Say whether this is the time of the certificate."""
    return certificate.not_before <= now <= certificate.not_after


def is_own(certificate: Certificate) -> bool:
    """Say whether nbgate issued this CA, so that it may replace it."""
    return certificate.subject.startswith(f"CN={AUTHORITY_NAME} ")


def is_foreign(view: View) -> bool:
    """Say whether somebody else issued the leaf.

    It is ours by the CAs that are known, else by its CA's name: nbgate-ca may be lost.
    """
    leaf = view.leaf
    if leaf is None or leaf.issuer.startswith(f"CN={AUTHORITY_NAME} "):
        return False
    authorities = list(view.state.trusted)
    if view.authority and view.authority.fingerprint in {*view.state.noted, *view.state.over}:
        authorities.append(view.authority)
    return not any(issued_by(leaf, one) for one in authorities)


def strayed(view: View) -> Iterator[Certificate]:
    """Give CAs of ours that nbgate-ca does not know: its data was lost, or somebody put another CA there.

    The one of the leaf that is served, whoever made it; and those in bundles by their name.
    """
    known = {*view.state.over, *(one.fingerprint for one in view.state.trusted)}
    leaf, authority = view.leaf, view.authority
    if leaf and authority and issued_by(leaf, authority) and view.now <= leaf.not_after:
        yield from (one for one in (authority,) if one.fingerprint not in known)
        known.add(authority.fingerprint)
    for one in view.bundled:
        if is_own(one) and one.fingerprint not in known and view.now <= one.not_after:
            known.add(one.fingerprint)
            yield one


def trusted_alone(view: View) -> bool:
    """Say whether no entry trusts any but the signer: then no leaf of another CA verifies, and none can be lost."""
    signer = view.state.signer
    return all(
        signer is not None and one.fingerprint == signer.certificate.fingerprint
        for one in view.bundled
        if holds(one, view.now)
    )


def why_new_authority(view: View) -> str:
    """Return why another CA must issue from now on; empty when the one that is there may."""
    signer = view.state.signer
    if signer is None:
        return view.state.complaint or "there was no CA"
    if not holds(signer.certificate, view.now):
        return f"{signer.certificate.subject} does not hold now"
    if renewal_due(signer.certificate, view.now):
        return f"{signer.certificate.subject} has lived two thirds of its life"
    return ""


def why_new_leaf(view: View) -> str:
    """Return why the leaf must be replaced; empty when it is good."""
    leaf, signer = view.leaf, view.state.signer
    if leaf is None or signer is None:
        return f"there was no {LEAF_CERTIFICATE}, or none that can be read"
    try:
        key_pem = view.found.serving.get(LEAF_KEY, b"")
        found = faults(leaf, now=view.now, key_pem=key_pem, hosts=view.wanted.hosts)
    except MalformedKeyError:
        return f"{LEAF_KEY} was missing, or could not be read"
    if found:
        return f"{LEAF_CERTIFICATE}: {', '.join(fault.what for fault in found)}"
    if not view.of_signer:
        return f"the CA is now {signer.certificate.subject}"
    if view.authority is None or view.authority.fingerprint != signer.certificate.fingerprint:
        return f"{AUTHORITY_CERTIFICATE} beside it was not its CA"
    # Of a CA near its end, which is not ours to replace, the next leaf would end as this one does.
    longer = min(signer.certificate.not_after, view.now + view.wanted.leaf_lifetime)
    if renewal_due(leaf, view.now) and longer > leaf.not_after:
        return "it has lived two thirds of its life"
    return ""


def behind(view: View) -> str:
    """Tell of ready replicas that do not serve the leaf, or cannot be seen; empty where all do."""
    name = view.leaf.fingerprint if view.leaf else ""
    others = [one for one in view.found.endpoints or () if one.leaf != name]
    told = [f"{one.address} {one.problem or 'serves another'}" for one in others[:3]]
    more = f" and {len(others) - 3} more" if len(others) > 3 else ""
    return ", ".join(told) + more


def too_many(view: View) -> bool:
    """Say whether a rotation is asked for that would make bundles too large."""
    asked = view.found.asked
    return asked is not None and not asked.forced and len(view.state.formers) >= MOST_FORMERS
