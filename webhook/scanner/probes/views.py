"""How addresses in a browser relate to the paths that a server is asked for, and where a redirect leads in that view.

Kubeflow's notebook-controller has Istio send everything under `/notebook/<namespace>/<name>/` to the notebook, either
as it is or, with the annotation `notebooks.kubeflow.org/http-rewrite-uri: /`, with that prefix replaced by `/`. A
browser resolves a Location against the address that it shows, which it never saw rewritten.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

# The host that a gateway would pass on. A name of documentation, RFC 2606: nobody's.
HOST = "kubeflow.example.com"

_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
# Dots are dots however they are written (WHATWG URL, "double-dot path segment").
_DOTS = re.compile(r"%2e", re.IGNORECASE)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LENGTH_LIMIT = 8 * 1024  # a request line that servers take: Apache 8 KiB, nginx 8 KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What part of the gateway's addresses belongs to the server. Addresses are a path with its query.

    Attributes:
        within: what an address of the server begins with; ends in a slash.
        stripped: the server is asked with `/` in the place of `within`.
    """

    within: str = "/"
    stripped: bool = False

    def target(self, address: str) -> str:
        """Give what the server is asked for where a browser shows `address`."""
        return "/" + address.removeprefix(self.within) if self.stripped else address

    def follow(self, address: str, location: str) -> str | None:
        """Give the address that a Location leads to; None where that is no longer the server's.

        `location` is a header's value as Latin-1, by whomever.
        """
        try:
            reached = urlsplit(urljoin(f"https://{HOST}{address}", _plain(location)))
            ours = _is_ours(reached.scheme, reached.netloc, reached.hostname, reached.port)
        except ValueError:
            return None
        path = _resolved(reached.path)
        found = f"{path}?{reached.query}" if reached.query else path
        if not ours or not path.startswith(self.within) or len(found) > _LENGTH_LIMIT:
            return None
        return found


def _is_ours(scheme: str, netloc: str, hostname: str | None, port: int | None) -> bool:
    # A port of the server's own, as nginx writes it unless told not to, leads past the gateway.
    return (
        hostname == HOST
        and "@" not in netloc
        and scheme in _DEFAULT_PORTS
        and port in {None, _DEFAULT_PORTS[scheme]}
    )


def _plain(location: str) -> str:
    """Write a Location with printable ASCII only; backslashes are slashes to browsers (WHATWG URL, "special")."""
    text = quote(location.strip().encode("latin-1", "replace"), safe=_PRINTABLE)
    before, mark, query = text.partition("?")
    return f"{before.replace(chr(92), '/')}{mark}{query}"


def _resolved(path: str) -> str:
    """Take dot segments out (RFC 3986, section 5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        plain = _DOTS.sub(".", segment)
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
    if segments and _DOTS.sub(".", segments[-1]) in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
