"""What the options of `nbgate audit` mean: each value becomes a filter, or a usage error with its cure."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from webhook.core.document import parse_duration, parse_time
from webhook.core.imagepattern import InvalidPattern
from webhook.core.reference import InvalidReference, quoted
from webhook.stores import auditfilter
from webhook.stores.auditfilter import Filter

Callback = Callable[[click.Context, click.Parameter, Any], Filter | None]


def moment(make: Callable[[float], Filter]) -> Callback:
    """Read one time, RFC 3339 or how long ago it was, into a filter; nothing into none."""

    def read(_context: click.Context, _option: click.Parameter, value: str | None) -> Filter | None:
        return None if value is None else make(_moment(value))

    return read


def several(make: Callable[[Sequence[str]], Filter]) -> Callback:
    """Read all values of an option that may stand several times into a filter; none into none."""

    def read(
        _context: click.Context, _option: click.Parameter, values: Sequence[str]
    ) -> Filter | None:
        return make(values) if values else None

    return read


def images(texts: Sequence[str]) -> Filter:
    """Want any of these images or patterns of images. Raises click.BadParameter."""
    try:
        return auditfilter.any_of([auditfilter.image(text) for text in texts])
    except (InvalidReference, InvalidPattern) as error:
        hint = "to find refusals of what is no reference: --requirement reference"
        raise click.BadParameter(f"{error} ({hint})") from None


def _moment(value: str) -> float:
    try:
        return parse_time(value)
    except ValueError:
        pass
    try:
        return time.time() - _seconds(value)
    except ValueError:
        raise click.BadParameter(
            f"{quoted(value)} is no time: write one like 2026-01-31T12:00:00Z, "
            "or how long ago it was, like 7d, 24h or 1h30m"
        ) from None


def _seconds(duration: str) -> int:
    """Read a duration that may begin with days, as `7d` or `1d12h`. Raises ValueError."""
    days, _, rest = duration.rpartition("d")
    if not days:
        return parse_duration(duration)
    if not re.fullmatch("[0-9]{1,5}", days):
        raise ValueError("days are a number")
    return int(days) * 86_400 + (parse_duration(rest) if rest else 0)
