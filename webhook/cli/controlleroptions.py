"""What the options of `nbgate controller` mean: each value is read, or refused with the cure."""

from datetime import timedelta

import click

from webhook.core.document import parse_duration
from webhook.core.reference import quoted

_NEVER = frozenset({"0", "none"})


class Lifetime(click.ParamType[timedelta]):
    """Reads `2160h`.

    Args:
        least: shorter ones are refused.
    """

    name = "DURATION"

    def __init__(self, least: timedelta) -> None:
        self._least = least

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it, or fail with the cure."""
        if isinstance(value, timedelta):
            return value
        try:
            found = timedelta(seconds=parse_duration(str(value)))
        except (ValueError, OverflowError):
            self.fail(f"{quoted(str(value))} is no duration, like 2160h", param, ctx)
        if found < self._least:
            least = int(self._least.total_seconds())
            self.fail(f"{quoted(str(value))} is too short: at least {least}s", param, ctx)
        return found


class Idleness(click.ParamType[float]):
    """Reads `720h`; `0` or `none` for ever, which is infinite."""

    name = "DURATION|none"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read it, or fail with the cure."""
        if isinstance(value, float):
            return value
        text = str(value)
        if text in _NEVER:
            return float("inf")
        try:
            return float(parse_duration(text))
        except ValueError:
            self.fail(f"{quoted(text)} is no duration, like 720h, and not none", param, ctx)
