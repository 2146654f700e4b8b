"""How far a rotation is, for people who wait for it: told by the two Secrets alone. PURE."""

from dataclasses import dataclass
from enum import StrEnum

from certs.certificate import Certificate
from certs.checks import issued_by
from certs.rotationstate import Former, State


class Phase(StrEnum):
    """Where a rotation stands; the order is the order of time."""

    ASKED = "Asked"
    TRUSTING = "Trusting"
    SERVING = "Serving"
    DROPPING = "Dropping"
    OVERLAP = "Overlap"
    DONE = "Done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The phase, in words too, and the certificates; those that are not there are None."""

    phase: Phase
    words: str
    signer: Certificate | None
    formers: tuple[Former, ...]
    leaf: Certificate | None


def progress(state: State, leaf: Certificate | None, *, asked: bool) -> Progress:
    """Tell how far it is: by what nbgate-ca keeps, the leaf in nbgate-tls, and whether a request still stands."""
    signer = state.signer.certificate if state.signer else None
    phase, words = _phase(state, leaf, asked=asked)
    return Progress(phase=phase, words=words, signer=signer, formers=state.formers, leaf=leaf)


def _phase(state: State, leaf: Certificate | None, *, asked: bool) -> tuple[Phase, str]:
    if asked:
        return Phase.ASKED, "the controller has not begun"
    signer = state.signer.certificate if state.signer else None
    if signer is None or leaf is None or not issued_by(leaf, signer):
        return Phase.TRUSTING, "every caBundle gets the new CA, and API servers learn of it"
    if state.served is None or state.served.leaf != leaf.fingerprint:
        return Phase.SERVING, "replicas come to serve a certificate of the new CA"
    if any(one.forced for one in state.formers):
        return (
            Phase.DROPPING,
            "the former CA is dropped when no replica is seen with it for a while",
        )
    if state.formers:
        until = max(one.leaves_until for one in state.formers)
        return Phase.OVERLAP, f"the former CA stays trusted until {until:%Y-%m-%d %H:%M} UTC"
    return Phase.DONE, "one CA is trusted"
