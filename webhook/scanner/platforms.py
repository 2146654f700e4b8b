"""Platforms as one text each: `linux/amd64`, `linux/arm/v7`. Equal texts are what runtimes hold for equal.

Source: containerd/platforms, normalizeOS and normalizeArch, which the kubelet's runtimes and BuildKit use. A variant
that every machine of its architecture has is left out: arm64 is arm64/v8, amd64 is amd64/v1. amd64/v2 is not amd64:
a plain machine does not run it.
"""

import re

from webhook.core.reference import quoted

UNKNOWN = "unknown/unknown"  # what BuildKit writes for attestations, which are for no machine

_PART = re.compile(
    r"[a-z0-9][a-z0-9._-]{0,30}"
)  # linux, ppc64le, v7; the longest that Go has is mips64p32le
_ALIASES = {"x86_64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "i386": "386"}
_WITH_VARIANT = {"armhf": "arm/v7", "armel": "arm/v6"}
_EQUAL = {
    "amd64/v1": "amd64",
    "arm64/v8": "arm64",
    "arm64/8": "arm64",
    "arm": "arm/v7",
    **{f"arm/{version}": f"arm/v{version}" for version in "5678"},
}


class InvalidPlatform(ValueError):
    """A text is no platform; the message says what is wrong and the cure, on one line."""


def parse_platform(text: str) -> str:
    """Read what a person writes, `linux/arm64/v8`, as the one text for it. Raises InvalidPlatform."""
    parts = text.split("/")
    if len(parts) not in {2, 3}:
        raise InvalidPlatform(f"{quoted(text)} is no platform: write OS/ARCH, such as linux/amd64")
    return platform_of(*parts)


def platform_of(system: str, architecture: str, variant: str = "") -> str:
    """Give the one text for a platform; an empty variant is none. Raises InvalidPlatform."""
    system, architecture, variant = system.lower(), architecture.lower(), variant.lower()
    for part in (system, architecture, variant or "none"):
        if not _PART.fullmatch(part):
            raise InvalidPlatform(
                f"{quoted(part)} cannot be part of a platform: write OS/ARCH, such as linux/amd64"
            )
    return f"{'darwin' if system == 'macos' else system}/{_machine(architecture, variant)}"


def _machine(architecture: str, variant: str) -> str:
    if whole := _WITH_VARIANT.get(architecture):
        return whole
    plain = _ALIASES.get(architecture, architecture)
    name = f"{plain}/{variant}" if variant else plain
    return _EQUAL.get(name, name)
