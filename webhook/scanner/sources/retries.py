"""Trying again where that may help: no answer, too many requests, a server that is busy."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from webhook.scanner.errors import RateLimited, Unreachable
from webhook.scanner.sources.patience import Deadline, OutOfPatience
from webhook.scanner.sources.transport import Answer, NoTls

_TOO_MANY = 429
# Bad Gateway, Service Unavailable, Gateway Timeout: what stands before a registry says, or a registry that starts.
_BUSY = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How often, and after how long a pause.

    Attributes:
        pauses: seconds before each further try.
        longest: seconds that all pauses together may be drawn out to where a server asks for patience.
    """

    pauses: tuple[float, ...] = (0.25, 1.0)
    longest: float = 30.0


def retried(where: str, ask: Callable[[], Answer], retries: Retries, deadline: Deadline) -> Answer:
    """Ask until there is an answer that another try would not change, or tries or time have ended.

    Raises:
        RateLimited: the registry asks for more patience than there is.
        Unreachable: no answer at any try.
    """
    longest = retries.longest
    for pause in retries.pauses:
        wait = pause
        try:
            answer = ask()
        except NoTls:
            raise
        except Unreachable:
            if not _fits(wait, deadline):
                raise
        else:
            if answer.status != _TOO_MANY and answer.status not in _BUSY:
                return answer
            wait = max(pause, _asked_for(answer) or 0.0)
            if wait > longest or not _fits(wait, deadline):
                return _checked(where, answer)
            answer.tail_off()
        longest -= wait
        time.sleep(wait)
    return _checked(where, ask())


def _fits(pause: float, deadline: Deadline) -> bool:
    try:
        return pause < deadline.left()
    except OutOfPatience:
        return False


def _checked(where: str, answer: Answer) -> Answer:
    """Give an answer back unless it is one that asks for patience. Raises RateLimited, Unreachable."""
    who = answer.url.authority
    if answer.status == _TOO_MANY:
        answer.tail_off()
        seconds = _asked_for(answer)
        when = "later" if seconds is None else f"in {seconds:.0f} s"
        raise RateLimited(
            f"{where}: {who} gets too many requests from here; try again {when}, "
            "or with an account, which may ask more often: docker login",
            seconds,
        )
    if answer.status in _BUSY:
        answer.tail_off()
        raise Unreachable(
            f"{where}: {who} answers {answer.status}; it is busy or down: try again later"
        )
    return answer


def _asked_for(answer: Answer) -> float | None:
    """Read Retry-After: seconds or a date (RFC 9110, section 10.2.3)."""
    text = (answer.header("Retry-After") or "").strip()[:64]
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year, or a zone, of twenty digits
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max((when - datetime.now(UTC)).total_seconds(), 0.0)
