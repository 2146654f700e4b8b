"""Redirects: few, never to a weaker scheme, never with what was meant for somebody else."""

from dataclasses import replace

from webhook.core.words import cut
from webhook.scanner.errors import BadContent, Refused
from webhook.scanner.sources.patience import Deadline
from webhook.scanner.sources.transport import Answer, Request, Transport
from webhook.scanner.sources.urls import InvalidUrl, Url, resolve_url

# Registries redirect a blob to their storage, and that perhaps once to a nearer copy.
REDIRECT_LIMIT = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})  # RFC 9110, section 15.4
_SHOWN = 120


def follow(transport: Transport, where: str, request: Request, deadline: Deadline) -> Answer:
    """Send a GET or a HEAD and go where the answers lead; Authorization goes to the first origin only.

    What addresses a redirect may lead to is the guard's to say.

    Raises:
        Refused: a redirect to a place that no redirect may name, or too many of them.
        Unreachable: no answer.
    """
    first = request.url
    for _ in range(REDIRECT_LIMIT + 1):
        answer = transport.send(request, deadline)
        if answer.status not in _REDIRECTS:
            return answer
        answer.tail_off()
        request = _next(where, first, request, answer.header("Location"))
    raise Refused(
        f"{where}: {first.authority} redirects more than {REDIRECT_LIMIT} times; "
        "it is broken, or what stands before it"
    )


def _next(where: str, first: Url, request: Request, location: str | None) -> Request:
    here = request.url
    if location is None:
        raise BadContent(
            f"{where}: {here.authority} redirects and does not say whereto; it is broken"
        )
    try:
        url = resolve_url(here, location)
    except InvalidUrl as error:
        raise Refused(
            f"{where}: {here.authority} redirects to {cut(location.partition('?')[0], _SHOWN)!r}, "
            f"and {error}; the registry is broken, or somebody wants us elsewhere"
        ) from error
    if here.scheme == "https" and url.scheme == "http":
        raise Refused(
            f"{where}: {here.authority} redirects from https to http, {url}; "
            "have the registry redirect to https"
        )
    headers = dict(request.headers)
    if url.origin != first.origin:
        headers.pop("Authorization", None)
    return replace(request, url=url, headers=headers)
