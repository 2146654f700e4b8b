"""Which proxy leads to an address, by the variables that programs have in common. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from urllib.parse import unquote, urlsplit

from webhook.scanner.errors import Refused
from webhook.scanner.sources.addresses import Zone, literal, zone_of
from webhook.scanner.sources.urls import Url


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy, with the name and password that its operator wrote into its address, if any."""

    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)


def proxy_for(url: Url, environ: Mapping[str, str]) -> Proxy | None:
    """Tell the proxy that leads to an address; None where nothing stands between.

    `https_proxy`, `http_proxy` and `no_proxy`, or in capitals (but HTTP_PROXY, which a web server may set to a header
    of its client), as curl reads them. This machine itself is never behind a proxy, as Go has it.

    Raises:
        Refused: the variable holds what is no address of an HTTP proxy.
    """
    names = [f"{url.scheme}_proxy"] + (["HTTPS_PROXY"] if url.scheme == "https" else [])
    text = next((environ[name] for name in names if environ.get(name)), "")
    if not text or _is_here(url.host):
        return None
    excluded = (environ.get("no_proxy") or environ.get("NO_PROXY") or "").split(",")
    if any(_covers(pattern.strip().lower(), url) for pattern in excluded):
        return None
    return _parse(text, names[-1])


def _is_here(host: str) -> bool:
    address = literal(host)
    return host == "localhost" or (address is not None and zone_of(address) is Zone.LOOPBACK)


def _covers(pattern: str, url: Url) -> bool:
    """Tell whether one entry of no_proxy means an address: `*`, a host and all below it, HOST:PORT, or a network."""
    if pattern in {"*", url.authority}:
        return True
    address = literal(url.host)
    if address is None:
        name = pattern.removeprefix("*").removeprefix(".")
        return bool(name) and (url.host == name or url.host.endswith(f".{name}"))
    try:
        return address in ip_network(pattern, strict=False)
    except ValueError:
        return False


def _parse(text: str, name: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        # The text itself is not shown: it may hold a password.
        raise Refused(f"{name} is no address of an HTTP proxy: write http://HOST:PORT, or unset it")
    credentials = None
    if parts.username:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    return Proxy(host=parts.hostname, port=port, credentials=credentials)
