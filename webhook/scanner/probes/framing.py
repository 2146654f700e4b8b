"""What would keep Kubeflow's dashboard from showing a page in its iframe.

The dashboard and the notebooks are served by one gateway, under one origin. So `SAMEORIGIN` and `'self'` are fine, and
so is whatever names any host or the gateway's own.

- Content-Security-Policy, `frame-ancestors` (CSP level 3, section 6.4.2): every policy must allow it. Where there is
  one, X-Frame-Options counts no more (HTML, "check a navigation response's adherence to X-Frame-Options").
- X-Frame-Options: `DENY` forbids; `ALLOW-FROM` and words that nobody knows are ignored by browsers.
"""

from collections.abc import Sequence

from webhook.core.words import cut
from webhook.scanner.probes.views import HOST

_SHOWN = 200
_OPEN = {"*", "'self'", "http:", "https:", HOST, f"http://{HOST}", f"https://{HOST}"}


def frame_guard(policies: Sequence[str], options: Sequence[str]) -> str | None:
    """Name what forbids the iframe, cut; None where nothing does.

    `policies` are the values of Content-Security-Policy, `options` those of X-Frame-Options.
    """
    ancestors = [found for policy in policies for found in _frame_ancestors(policy)]
    if ancestors:
        closed = next((sources for sources in ancestors if not _OPEN & set(sources)), None)
        return None if closed is None else cut(" ".join(["frame-ancestors", *closed]), _SHOWN)
    words = {word.strip().lower() for value in options for word in value.split(",")}
    return "X-Frame-Options: DENY" if "deny" in words else None


def _frame_ancestors(header: str) -> list[list[str]]:
    """Give the sources of each policy's first frame-ancestors; a header's policies are parted by commas."""
    found = []
    for policy in header.lower().split(","):
        directives = (directive.split() for directive in policy.split(";"))
        first = next((words for words in directives if words[:1] == ["frame-ancestors"]), None)
        if first is not None:
            found.append(first[1:])
    return found
