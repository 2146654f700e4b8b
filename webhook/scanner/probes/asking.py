"""Ask a server for a page as a browser behind Kubeflow's gateway would, and follow where it leads."""

import re
import time
from dataclasses import dataclass

from webhook.core.words import cut
from webhook.scanner.probes.connector import Connector
from webhook.scanner.probes.framing import frame_guard
from webhook.scanner.probes.observation import Page
from webhook.scanner.probes.transport import Head, NoAnswer, fetch_head
from webhook.scanner.probes.views import HOST, View

# Seconds for one page with all its redirects: far beyond what a person would wait, so that only the dead are cut off.
PAGE_TIME = 10.0
MAX_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_SHOWN = 200

# A redirect through a sign-in ends only where the cookie that it set comes back (RStudio with auth-none does so).
_MAX_COOKIES = 20
_COOKIE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256})=([!#-+\--:<-\[\]-~]{0,4096})")

_HEADERS = {
    "Host": HOST,
    # A server that sends CORS headers to browsers only qualifies; one that gives this back instead of * does not.
    "Origin": f"https://{HOST}",
    "Accept": "text/html,*/*;q=0.8",
    "User-Agent": "nbgate",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """No HTTP came back.

    Attributes:
        reason: what came instead, as a clause.
        listening: something took the connection.
    """

    reason: str
    listening: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Asks one server for the three pages. Everything raises ProbeError where the connector does.

    Attributes:
        prefix: what NB_PREFIX was; no trailing slash.
    """

    connector: Connector
    prefix: str

    def under_prefix(self) -> Page | Silence:
        """Ask for what Kubeflow opens, `<prefix>/`; redirects may not leave the prefix."""
        return ask(self.connector, View(within=f"{self.prefix}/"), f"{self.prefix}/", {})

    def at_root(self) -> Page | Silence:
        """Ask for `/`."""
        return ask(self.connector, View(), "/", {})

    def rewritten(self) -> Page | Silence:
        """Ask for `/` as a browser at `<prefix>/` does where Istio rewrites the prefix to `/`.

        The further header is what Kubeflow's spawner has Istio set for RStudio, server type group-two; it does so with
        a trailing slash (crud-web-apps, jupyter, form.py). Others do not know it.
        """
        view = View(within=f"{self.prefix}/", stripped=True)
        return ask(
            self.connector, view, f"{self.prefix}/", {"X-RStudio-Root-Path": f"{self.prefix}/"}
        )


def ask(
    connector: Connector,
    view: View,
    address: str,
    headers: dict[str, str],
    limit: float = PAGE_TIME,
) -> Page | Silence:
    """Ask for the page at an address of the view, and follow redirects within it, all in `limit` seconds.

    A redirect that leads out of the view, or further than 10 redirects, or to no answer, is itself the final answer.
    Raises ProbeError where the connector does.
    """
    deadline = time.monotonic() + limit
    asked, cookies = view.target(address), dict[str, str]()
    page: Page | None = None
    for _ in range(MAX_REDIRECTS + 1):
        try:
            head = fetch_head(
                connector, view.target(address), _request_headers(headers, cookies), deadline
            )
        except NoAnswer as error:
            return page or Silence(reason=str(error), listening=error.listening)
        location = _location(head)
        following = view.follow(address, location) if location is not None else None
        left = location if following is None else None
        page = _page(asked, view.target(address), head, left)
        if following is None:
            return page
        _keep_cookies(cookies, head)
        address = following
    if page is None:
        raise AssertionError("at least one answer was had")
    return page


def _request_headers(headers: dict[str, str], cookies: dict[str, str]) -> dict[str, str]:
    sent = _HEADERS | headers
    if cookies:
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return sent


def _location(head: Head) -> str | None:
    return next(iter(head.all("location")), None) if head.status in _REDIRECTS else None


def _keep_cookies(cookies: dict[str, str], head: Head) -> None:
    """Take over what an answer sets, by name; an empty value takes one away, and too many are not taken."""
    for header in head.all("set-cookie"):
        found = _COOKIE.match(header)
        if found is None:
            continue
        name, value = found.groups()
        cookies.pop(name, None)
        if value and len(cookies) < _MAX_COOKIES:
            cookies[name] = value


def _page(asked: str, path: str, head: Head, left: str | None) -> Page:
    # Several values never match in a browser, and joined they are no `*` either.
    origins = head.all("access-control-allow-origin")
    return Page(
        asked=asked,
        path=cut(path, _SHOWN),
        status=head.status,
        allow_origin=cut(", ".join(origins), _SHOWN) if origins else None,
        frame_guard=frame_guard(head.all("content-security-policy"), head.all("x-frame-options")),
        left=None if left is None else cut(left, _SHOWN),
    )
