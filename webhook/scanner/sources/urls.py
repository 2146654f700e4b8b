"""Addresses of the web, read strictly: what a server says of where to go next is a stranger's word. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import httpcore

from webhook.core.words import cut
from webhook.scanner.sources.addresses import literal

_PORTS = {"http": 80, "https": 443}
# Presigned addresses of object stores have up to some 4 KiB; servers refuse more than 8 or 16 KiB themselves.
LENGTH_LIMIT = 16 * 1024
_TEXT = re.compile(r"[!-~]+")
# Letters, digits, "-", "." and "_" (which some internal names have), or what stands in brackets: an IPv6 address.
_HOST = re.compile(r"[0-9a-z_.-]{1,253}|\[[0-9a-f:.]{2,45}\]")
_NUMERIC = re.compile(
    r"(?:^|\.)(?:[0-9]+|0x[0-9a-f]*)\.?$"
)  # WHATWG URL, "ends in a number checker"
_SHOWN = 120


class InvalidUrl(ValueError):
    """A text is no address that we would go to; the message says why, as a clause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Url:
    """An http or https address without userinfo and fragment.

    Attributes:
        host: lower-case; IPv6 in brackets.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials belong to (RFC 6454)."""
        return (self.scheme, self.host, self.port)

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's own: what the Host header holds."""
        return self.host if self.port == _PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        # Without the query: that of a presigned address is a key.
        return cut(f"{self.scheme}://{self.authority}{self.target.partition('?')[0]}", _SHOWN)

    def wire(self) -> httpcore.URL:
        """Give it as httpcore takes it; the host of IPv6 without brackets."""
        return httpcore.URL(
            scheme=self.scheme,
            host=self.host.strip("[]"),
            port=self.port,
            target=self.target,
        )


def parse_url(text: str) -> Url:
    """Read an absolute http or https address. Raises InvalidUrl."""
    if len(text) > LENGTH_LIMIT:
        raise InvalidUrl(f"it has more than {LENGTH_LIMIT} characters")
    if not _TEXT.fullmatch(text) or "\\" in text:
        raise InvalidUrl("it has blanks, backslashes, control or non-ASCII characters")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InvalidUrl(f"it cannot be read: {cut(str(error), _SHOWN)}") from None
    if parts.scheme not in _PORTS:
        raise InvalidUrl("it is neither http nor https")
    if "@" in parts.netloc:
        raise InvalidUrl("it holds a user name or password")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    if not _HOST.fullmatch(host) or _is_odd_number(host):
        raise InvalidUrl("it has no host that could be looked up")
    query = f"?{parts.query}" if parts.query else ""
    return Url(
        scheme=parts.scheme,
        host=host,
        port=_PORTS[parts.scheme] if port is None else port,
        target=f"{parts.path or '/'}{query}",
    )


def _is_odd_number(host: str) -> bool:
    """Tell whether it ends in a number and is no address as it stands: 127.1, 2852039166, 0xa9fea9fe.

    Resolvers take such for IPv4 addresses (inet_aton(3)), and so do proxies, whose look-ups nobody here can judge.
    """
    return _NUMERIC.search(host) is not None and literal(host) is None


def resolve_url(base: Url, location: str) -> Url:
    """Read a Location header, which may be relative to where it was given (RFC 9110, 10.2.2). Raises InvalidUrl."""
    if len(location) > LENGTH_LIMIT:
        raise InvalidUrl(f"it has more than {LENGTH_LIMIT} characters")
    try:
        joined = urljoin(f"{base.scheme}://{base.authority}{base.target}", location)
    except ValueError as error:
        raise InvalidUrl(f"it cannot be read: {cut(str(error), _SHOWN)}") from None
    return parse_url(joined)
