"""The rotation's steps for the leaf: issued when its CA is trusted everywhere, and seen with every replica. PURE."""

from dataclasses import replace
from datetime import timedelta

from certs.authority import issue_leaf
from certs.certificate import describe
from certs.layout import AUTHORITY_CERTIFICATE, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import BACKDATED
from certs.rotationstate import Announced, Served, Signer, write_state
from certs.rotationsteps import AHEAD, LookAtEndpoints, Rest, SaveAuthorities, SaveServing, Step
from certs.rotationview import View, behind, trusted_alone, why_new_leaf

# Replicas read the Secret every few seconds. That one serves another leaf for longer is somebody's to look at.
_PATIENCE = timedelta(minutes=2)
_SOON, _LATER = timedelta(seconds=2), timedelta(seconds=15)


def issue(view: View) -> Step | None:
    """See to the leaf: steps 3 and 4."""
    why, signer = why_new_leaf(view), view.state.signer
    if not why or signer is None:
        return None
    return _note_ahead(view, signer, why) or _announce(view) or _new_leaf(view, signer, why)


def _note_ahead(view: View, signer: Signer, why: str) -> SaveAuthorities | None:
    """Note until when leaves of the CA may hold, before there is one that does."""
    end = min(signer.certificate.not_after, view.now + view.wanted.leaf_lifetime)
    if end <= signer.leaves_until:
        return None
    until = min(signer.certificate.not_after, end + AHEAD)
    return SaveAuthorities(
        data=write_state(replace(view.state, signer=replace(signer, leaves_until=until))),
        done=f"noted that leaves of {signer.certificate.subject} may hold until {until:%Y-%m-%d %H:%M} UTC",
        why=f"the next will, for {why}",
    )


def _announce(view: View) -> Step | None:
    """Hold a leaf of a new CA back until every API server has surely seen the CA; None when that is so."""
    if view.of_signer or trusted_alone(view):
        return None
    to = " ".join(each.identity for each in view.found.configurations)
    announced, settle = view.state.announced, view.wanted.settle
    if announced is None or announced.to != to:
        return SaveAuthorities(
            data=write_state(replace(view.state, announced=Announced(to=to, at=view.now))),
            done="saw the new CA in every entry",
            why=f"API servers now have {settle.total_seconds():.0f} s to learn of it",
        )
    until = announced.at + settle
    return (
        Rest(until=until, waiting="API servers learn of the new CA") if view.now < until else None
    )


def _new_leaf(view: View, signer: Signer, why: str) -> SaveServing:
    wanted = view.wanted
    pair = issue_leaf(signer.pair, hosts=wanted.hosts, now=view.now, lifetime=wanted.leaf_lifetime)
    leaf = describe(pair.certificate_pem)[0]
    return SaveServing(
        data={
            LEAF_CERTIFICATE: pair.certificate_pem,
            LEAF_KEY: pair.key_pem,
            AUTHORITY_CERTIFICATE: signer.pair.certificate_pem,
        },
        done=f"issued a certificate until {leaf.not_after:%Y-%m-%d %H:%M} UTC",
        why=why,
    )


def spread(view: View) -> Step | None:
    """See every ready replica serve the leaf, and note it: step 5."""
    served = view.served
    if served is not None and not any(one.forced for one in view.state.formers):
        return None
    if view.found.endpoints is None:
        return LookAtEndpoints()
    others = behind(view)
    if others:
        return _note(view, None, others) if served is not None else _wait_for(view, others)
    if served is None and view.leaf is not None:
        now = Served(leaf=view.leaf.fingerprint, at=view.now)
        return _note(view, now, f"asked {len(view.found.endpoints)} of them")
    return None


def _note(view: View, served: Served | None, why: str) -> SaveAuthorities:
    what = "every ready replica serves it" if served else "a replica serves another certificate"
    return SaveAuthorities(
        data=write_state(replace(view.state, served=served)), done=f"saw that {what}", why=why
    )


def _wait_for(view: View, others: str) -> Rest:
    since = view.leaf.not_before + BACKDATED if view.leaf else view.now
    late = view.now > since + _PATIENCE
    return Rest(
        until=view.now + (_LATER if late else _SOON),
        waiting=f"every ready replica comes to serve the certificate: {others}",
        problem=f"not every ready replica is seen to serve the certificate: {others}"
        if late
        else "",
    )
