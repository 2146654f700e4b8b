"""The rotation's last steps: a former CA ends, and is trusted no more. PURE."""

from dataclasses import replace

from certs.rotationstate import Former, write_state
from certs.rotationsteps import Rest, SaveAuthorities, Step
from certs.rotationview import View


def expire(view: View) -> SaveAuthorities | None:
    """End a former CA when its last leaf has ended: step 6."""
    ended = [one for one in view.state.formers if one.leaves_until < view.now]
    return _over(view, ended, "its last leaf has ended") if ended else None


def force(view: View) -> Step | None:
    """End a former CA early where that was asked for, once nobody was seen with a leaf of it for a while."""
    forced = [one for one in view.state.formers if one.forced]
    if not forced or view.served is None:
        return None
    until = view.served.at + view.wanted.settle
    if view.now < until:
        return Rest(until=until, waiting="a former CA is dropped when no replica is seen with it")
    return _over(view, forced, "so it was asked, and every ready replica serves the new CA's leaf")


def _over(view: View, ended: list[Former], why: str) -> SaveAuthorities:
    gone = {one.certificate.fingerprint: one.certificate.not_after for one in ended}
    kept = tuple(one for one in view.state.formers if one.certificate.fingerprint not in gone)
    # A CA that has expired leaves every bundle by itself, so nobody need remember it.
    over = {name: at for name, at in {**view.state.over, **gone}.items() if at >= view.now}
    names = ", ".join(one.certificate.subject for one in ended)
    return SaveAuthorities(
        data=write_state(replace(view.state, formers=kept, over=over)),
        done=f"ended the CA {names}",
        why=why,
    )
