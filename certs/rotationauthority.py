"""The rotation's steps for CAs: one to issue from, and every entry trusts all that are needed. PURE."""

from dataclasses import replace
from datetime import UTC

from certs.authority import issue_authority
from certs.bundle import fingerprints, merged
from certs.certificate import describe
from certs.rotationstate import Former, Signer, retired, write_state
from certs.rotationsteps import AHEAD, SaveAuthorities, SaveBundles
from certs.rotationview import AUTHORITY_NAME, View, is_own, strayed, too_many, why_new_authority


def adopt(view: View) -> SaveAuthorities | None:
    """Know every CA of ours that may be needed still, where nbgate-ca has lost it or was given another."""
    found = tuple(strayed(view))
    if not found:
        return None
    # Nobody knows any more what it issued last, but it was noted for a CA that somebody replaced by hand.
    formers = tuple(
        Former(
            certificate=one,
            leaves_until=view.state.noted.get(one.fingerprint, one.not_after),
            forced=False,
        )
        for one in found
    )
    names = ", ".join(one.subject for one in found)
    return SaveAuthorities(
        data=write_state(replace(view.state, formers=(*view.state.formers, *formers))),
        done=f"noted as a former CA: {names}",
        why=view.state.complaint or "Secret nbgate-ca lacked it, and leaves of it may be served",
    )


def repair(view: View) -> SaveAuthorities | None:
    """Write what can be read of nbgate-ca where something could not."""
    if not view.state.complaint or view.state.signer is None:
        return None
    return SaveAuthorities(
        data=write_state(view.state),
        done="wrote Secret nbgate-ca anew",
        why=view.state.complaint,
    )


def sign(view: View) -> SaveAuthorities | None:
    """See to a CA that leaves can be issued from for long enough: step 1 of a rotation."""
    signer, asked = view.state.signer, view.found.asked
    if signer is not None and not is_own(signer.certificate):
        return None
    why = why_new_authority(view)
    if asked is not None and not why:
        if not asked.forced and not view.of_signer:
            return _heed(view)
        why = "" if too_many(view) else "it was asked for"
    forced = asked is not None and asked.forced
    return _new_authority(view, why, forced=forced) if why else None


def _heed(view: View) -> SaveAuthorities:
    return SaveAuthorities(
        data=write_state(view.state),
        done="heeded a request for a rotation",
        why="one is under way already",
        heeded=True,
    )


def _new_authority(view: View, why: str, *, forced: bool) -> SaveAuthorities:
    now, wanted = view.now, view.wanted
    made = now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    name = f"{AUTHORITY_NAME} {made}"  # two made in one second are two names to who reads them
    pair = issue_authority(name, now=now, lifetime=wanted.authority_lifetime)
    certificate = describe(pair.certificate_pem)[0]
    until = min(certificate.not_after, now + wanted.leaf_lifetime + AHEAD)
    signer = Signer(pair=pair, certificate=certificate, leaves_until=until)
    return SaveAuthorities(
        data=write_state(replace(retired(view.state, forced=forced), signer=signer)),
        done=f"issued the CA {certificate.subject}",
        why=why,
        heeded=view.found.asked is not None,
    )


def trust(view: View) -> SaveBundles | None:
    """See to every entry's bundle: steps 2 and 7."""
    trusted, over, now = view.state.trusted, view.state.over, view.now
    target = tuple(
        tuple(merged(bundle, trusted, over=over, now=now) for bundle in each.bundles)
        for each in view.found.configurations
    )
    changed = [
        each.name
        for each, bundles in zip(view.found.configurations, target, strict=True)
        if [*map(fingerprints, each.bundles)] != [*map(fingerprints, bundles)]
    ]
    if not changed:
        return None
    return SaveBundles(
        bundles=target,
        done=f"wrote caBundle of {' and '.join(changed)}, with {len(trusted)} CAs of ours",
        why="an entry lacked a CA, or held one that is over",
    )
