"""[leader] One controller leads: it holds the Lease and renews it."""

from collections.abc import Iterator

from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import CONTROLLER, Place
from webhook.doctor.reading import number, text, time
from webhook.doctor.site import Site
from webhook.kube import LEASES, Document

NAME = CONTROLLER
# What a Lease without a duration of its own is given; then somebody else takes it.
_SECONDS = 15
# The machine that this runs on and the controllers' nodes may differ by that much in their clocks.
_CLOCKS = 30.0


def judge(lease: Document | None, now: float, place: Place) -> Iterator[Finding]:
    """Judge the Lease, None where it is not there; `now` in seconds since the epoch."""
    where = f"lease/{NAME}"
    logs = f"{place.here} logs deployment/{CONTROLLER} --tail=50"
    if lease is None:
        yield wrong("is not there: no controller can lead", where, place.install)
        return
    holder = text(lease, "spec", "holderIdentity")
    if not holder:
        yield wrong(
            "nobody leads: no certificate is renewed, and nobody is told of refusals", where, logs
        )
        return
    renewed = time(lease, "spec", "renewTime")
    allowed = (number(lease, "spec", "leaseDurationSeconds") or _SECONDS) + _CLOCKS
    if now - renewed > allowed:
        what = f"{cut(holder, 100)} has not renewed it for {int(now - renewed)} s"
        yield warning(what, where, logs)
    else:
        yield ok(f"{cut(holder, 100)} leads", where)


def _look(site: Site) -> Iterator[Finding]:
    yield from judge(site.ours(LEASES, NAME), site.now, site.place)


CHECK = Check(
    id="leader",
    why="Certificates, Events and the start of waiting notebooks are the work of the controller that leads.",
    look=_look,
)
