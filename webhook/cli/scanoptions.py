"""What the options of `nbgate scan` mean: each value is read, or refused with the cure."""

import click

from webhook.core.document import parse_duration
from webhook.core.reference import InvalidReference, canonical_domain, quoted
from webhook.scanner.platforms import InvalidPlatform, parse_platform

# A server that has not answered after an hour does not: Kubeflow's users gave up long before.
_LONGEST = 3600


class Platform(click.ParamType[str]):
    """Reads `linux/amd64`."""

    name = "OS/ARCH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read it, or fail with the cure."""
        try:
            return parse_platform(str(value))
        except InvalidPlatform as error:
            self.fail(str(error), param, ctx)


class RegistryHost(click.ParamType[str]):
    """Reads `registry.example.com:5000`: a host as it stands in a reference."""

    name = "HOST"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Read it, or fail with the cure."""
        text = str(value)
        try:
            canonical_domain(text)
        except InvalidReference:
            # Its words are for the host in an image's name.
            self.fail(f"{quoted(text)} is no registry: write HOST or HOST:PORT", param, ctx)
        return text


class Wait(click.ParamType[int]):
    """Reads `2m` into seconds."""

    name = "DURATION"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read it, or fail with the cure."""
        if isinstance(value, int):
            return value
        text = str(value)
        try:
            seconds = parse_duration(text)
        except ValueError:
            self.fail(f"{quoted(text)} is no duration, like 90s or 2m", param, ctx)
        if seconds > _LONGEST:
            self.fail(f"{quoted(text)} is too long: at most 1h", param, ctx)
        return seconds
