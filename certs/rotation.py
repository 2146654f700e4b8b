"""What the certificates of an installation need next. PURE: what is there in, one step out.

The caller reads everything, takes the step, and begins again; a step is one write of one object (or of configurations
that do not depend on each other), made only if nobody changed that object since it was read. Whatever is lost between
two steps, the next look finds out where things stand. What holds at every moment, whoever crashes or is slow:

    every leaf that a replica may serve verifies under every caBundle that an API server may use

A rotation, as steps:

    1  a new CA is kept as the signer, the one before it becomes a former one            nbgate-ca
    2  caBundle holds both, in every entry                                               configurations
    3  that this is so is noted; API servers are given SETTLE to learn of it             nbgate-ca
    4  a leaf of the new CA                                                              nbgate-tls
    5  every ready replica was seen with it, which is noted                              nbgate-ca
    6  the former CA's last leaf has ended: the CA is over                               nbgate-ca
    7  and leaves caBundle                                                               configurations

Why two that lead at once do no harm. The step that takes trust from a CA (7) comes after a leaf of another was written
(4) to the object that a latecomer would write the old CA's leaf to: its write is refused. A latecomer's bundle is
refused where the configuration has changed; where it has not, the bundle is made of what the latecomer has read.

What is not ours is left: a certificate of somebody else in nbgate-tls, a CA of somebody else in nbgate-ca (used, but
never replaced), and CAs in caBundle that nobody here knows.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

from certs.layout import AUTHORITY_CERTIFICATE
from certs.lifetime import renewal_due, renewal_time
from certs.rotationauthority import adopt, repair, sign, trust
from certs.rotationend import expire, force
from certs.rotationleaf import issue, spread
from certs.rotationstate import Signer
from certs.rotationsteps import MOST_FORMERS, Found, Rest, Step, Wanted
from certs.rotationview import View, first_of, holds, is_foreign, is_own, read_view, too_many

_FAR = timedelta(days=1)


def next_step(found: Found, wanted: Wanted) -> Step:
    """Decide. Raise RequestError where times or hosts are wanted that no certificate can have."""
    view = read_view(found, wanted)
    step = next(_steps(view))
    if isinstance(step, Rest):
        return replace(step, problem=step.problem or _problem(view))
    return step


def _steps(view: View) -> Iterator[Step]:
    """Give what could be done, the first thing first; it never ends without one."""
    rules = (_hands_off, adopt, repair, sign, trust, issue, expire, spread, force)
    yield from (step for step in (rule(view) for rule in rules) if step is not None)
    yield _rest(view)


def _hands_off(view: View) -> Rest | None:
    """Leave alone what somebody else looks after."""
    problem, signer = "", view.state.signer
    if is_foreign(view) and view.leaf:
        problem = (
            f"Secret nbgate-tls holds a certificate of {view.leaf.issuer}, which nbgate did not issue: it is served as "
            f"it is, until {view.leaf.not_after:%Y-%m-%d}, and nbgate changes nothing; start the controller with "
            "--certificates none, or empty the Secret to have nbgate issue one"
        )
    elif signer is not None and not is_own(signer.certificate):
        problem = "" if holds(signer.certificate, view.now) else _own_ends(signer)
    elif signer is None:
        problem = _own_without_key(view)
    return Rest(until=view.now + _FAR, problem=problem) if problem else None


def _own_without_key(view: View) -> str:
    """Refuse to replace a CA of the operator's that cannot issue: most likely a file was mistaken for another."""
    certificate = first_of(view.found.authorities.get(AUTHORITY_CERTIFICATE, b""))
    if certificate is None or is_own(certificate):
        return ""
    return (
        f"{view.state.complaint}: put ca.crt and ca.key there that belong together, or remove both to have nbgate "
        "issue a CA"
    )


def _rest(view: View) -> Rest:
    until = [one.leaves_until for one in view.state.formers]
    waiting = ""
    if until:
        waiting = (
            f"former CAs are trusted until {max(until):%Y-%m-%d %H:%M} UTC, their last leaf's end"
        )
    until += [renewal_time(view.leaf)] if view.leaf else []
    until += [renewal_time(view.state.signer.certificate)] if view.state.signer else []
    return Rest(
        until=min((at for at in until if at > view.now), default=view.now + _FAR),
        waiting=waiting,
    )


def _problem(view: View) -> str:
    """Say what somebody should do about what nbgate must not or cannot do by itself."""
    signer = view.state.signer
    if too_many(view):
        return (
            f"a rotation was asked for, but {MOST_FORMERS} former CAs are trusted still: wait until one has ended, or "
            "drop them with nbgate certs rotate --now"
        )
    if signer is None or is_own(signer.certificate):
        return ""
    due = view.found.asked is not None or renewal_due(signer.certificate, view.now)
    return _own_ends(signer) if due else ""


def _own_ends(signer: Signer) -> str:
    return (
        f"Secret nbgate-ca holds a CA of your own, {signer.certificate.subject}, until "
        f"{signer.certificate.not_after:%Y-%m-%d}, which nbgate does not replace: put ca.crt and ca.key of its "
        "successor in their place, and nbgate changes over in order"
    )
