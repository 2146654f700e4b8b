"""From when to when a certificate holds, and when it should be renewed."""

from datetime import UTC, datetime, timedelta

from certs.certificate import Certificate
from certs.errors import LifetimeError

AUTHORITY_LIFETIME = timedelta(days=3650)
"""Ten years, as kubeadm gives a cluster's own CA. People copy a CA certificate by hand into trust
stores, and each change breaks them; a shorter life would protect nothing, as the CA's key lies in
the same directory as the leaf's."""

LEAF_LIFETIME = timedelta(days=90)
"""Renewed after 60 days, which leaves 30 to notice that renewal fails."""

BACKDATED = timedelta(minutes=5)
"""A client whose clock is slow would refuse a certificate that begins now."""

SHORTEST = timedelta(minutes=10)
"""The backdating counts as life, so a certificate for less than half of that again would be due for
renewal as soon as it is issued; ten minutes leave five."""

# RFC 5280 4.1.2.5: UTCTime begins in 1950, GeneralizedTime ends in 9999.
_EARLIEST = datetime(1950, 1, 1, tzinfo=UTC)
_OUTSIDE = "outside the years 1950 to 9999; set the clock right, or give a shorter lifetime"


def validity(
    now: datetime, lifetime: timedelta, *, within: Certificate | None = None
) -> tuple[datetime, datetime]:
    """Return the first and last moment, UTC, whole seconds, never outside `within`, the issuer's.

    The lifetime counts from now. Raise LifetimeError for times that no certificate can carry, and
    when `within` does not hold now.
    """
    start, end = _span(now, lifetime)
    if within is None:
        return start, end
    if not within.not_before <= now <= within.not_after:
        # Without the time of now: who tries again and again tells only of what is new.
        raise LifetimeError(
            f"the CA {within.subject} holds from {within.not_before:%Y-%m-%d %H:%M:%S} to "
            f"{within.not_after:%Y-%m-%d %H:%M:%S} UTC, and not now; "
            "issue a new CA, or set the clock right"
        )
    return max(start, within.not_before), min(end, within.not_after)


def renewal_time(certificate: Certificate) -> datetime:
    """Return when two thirds of the certificate's life have passed: a third is left to try in."""
    life = certificate.not_after - certificate.not_before
    return certificate.not_before + life * 2 / 3


def renewal_due(certificate: Certificate, now: datetime) -> bool:
    """Say whether it is time to renew."""
    return now >= renewal_time(certificate)


def _span(now: datetime, lifetime: timedelta) -> tuple[datetime, datetime]:
    if now.utcoffset() is None:
        raise LifetimeError(f"the time {now} has no zone; give an aware time")
    if lifetime < SHORTEST:
        raise LifetimeError(f"a lifetime of {lifetime} is too short; give at least {SHORTEST}")
    try:
        utc = now.astimezone(UTC).replace(microsecond=0)
        start, end = max(utc - BACKDATED, _EARLIEST), utc + lifetime
    except OverflowError as error:
        raise LifetimeError(f"{lifetime} from {now}: {_OUTSIDE}") from error
    if utc < _EARLIEST:
        raise LifetimeError(f"{lifetime} from {now}: {_OUTSIDE}")
    return start, end.replace(microsecond=0)
