"""Tokens for a registry, by the OCI distribution protocol's token authentication, and who may be asked for one.

Sources: distribution/distribution, docs/spec/auth/token.md (GET with Basic credentials) and oauth.md (POST with an
identity token).
"""

import re
from dataclasses import dataclass
from urllib.parse import urlencode

import orjson

from webhook.core.words import cut
from webhook.scanner.errors import BadContent, Refused, ScanError, Unauthorized, Unreachable
from webhook.scanner.sources.addresses import literal
from webhook.scanner.sources.challenge import Challenge
from webhook.scanner.sources.credentials import Credentials
from webhook.scanner.sources.following import follow
from webhook.scanner.sources.patience import Deadline
from webhook.scanner.sources.retries import Retries, retried
from webhook.scanner.sources.transport import Answer, Request, Transport
from webhook.scanner.sources.urls import InvalidUrl, Url, parse_url

# Tokens of real registries have 0.3 to 5 KiB; a header line of more than 64 KiB no server takes.
_TOKEN_LIMIT = 64 * 1024
_ANSWER_LIMIT = 4 * _TOKEN_LIMIT  # two tokens, and what else is said of them
_TOKEN = re.compile(r"[!-~]+")
_SHOWN = 120
_CLIENT = "nbgate"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """Who may be asked for tokens, and for what.

    Attributes:
        registry: where the registry is; its path says nothing.
        name: what the person calls it: docker.io.
        scope: what tokens are asked for, whatever the challenge says.
        told: hosts that may give tokens though they are not the registry's own.
    """

    registry: Url
    name: str
    scope: str
    told: frozenset[str]


def fetch_token(
    transport: Transport,
    where: str,
    rules: TokenRules,
    challenge: Challenge,
    credentials: Credentials | None,
    retries: Retries,
    deadline: Deadline,
) -> str:
    """Ask for a token as a challenge says.

    Raises:
        Refused: its realm is a place that this registry may not send us to.
        Unauthorized: the token server refuses the credentials, or their absence.
        BadContent: what it gives is no token.
        Unreachable: no answer.
    """
    realm = check_realm(where, rules, challenge.parameters.get("realm", ""))
    request = _request(realm, rules.scope, challenge.parameters.get("service"), credentials)
    answer = retried(where, lambda: _ask(transport, where, request, deadline), retries, deadline)
    if answer.status != 200:
        raise _refusal(where, rules, answer, credentials)
    with answer:
        return _token(where, realm, answer.read(_ANSWER_LIMIT, f"the token of {realm.authority}"))


def check_realm(where: str, rules: TokenRules, realm: str) -> Url:
    """Read a realm and tell whether the registry may name it; addresses are the guard's to judge. Raises Refused.

    Its host is the registry's own, at any port; or the registry's parent domain, or below that, where the parent has at
    least two labels (registry-1.docker.io: docker.io and auth.docker.io); or one that the person named.
    """
    said = f"{where}: {rules.name} sends us for a token to"
    try:
        url = parse_url(realm)
    except InvalidUrl as error:
        raise Refused(
            f"{said} {cut(realm.partition('?')[0], _SHOWN)!r}, and {error}; the registry is misconfigured"
        ) from error
    host, own = url.host, rules.registry.host
    if not (host == own or {host, url.authority} & rules.told or _is_related(host, own)):
        raise Refused(
            f"{said} {url.authority}, which is not its own; if it is, say so: --token-realm {host}"
        )
    if url.scheme == "http" and rules.registry.scheme == "https":
        raise Refused(f"{said} {url}, which is not https; have the registry name an https realm")
    return url


def _is_related(host: str, own: str) -> bool:
    _, _, parent = own.partition(".")
    if literal(own) is not None or "." not in parent:
        return False
    return host == parent or host.endswith(f".{parent}")


def _request(
    realm: Url, scope: str, service: str | None, credentials: Credentials | None
) -> Request:
    asked = {"scope": scope} if service is None else {"service": service, "scope": scope}
    if credentials is not None and credentials.identity_token:
        form = {
            "grant_type": "refresh_token",
            "client_id": _CLIENT,
            "refresh_token": credentials.identity_token,
        }
        return Request(
            url=realm,
            method="POST",
            headers={
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=urlencode(form | asked).encode(),
        )
    joint = "&" if "?" in realm.target else "?"
    url = Url(
        scheme=realm.scheme,
        host=realm.host,
        port=realm.port,
        target=f"{realm.target}{joint}{urlencode(asked)}",
    )
    headers = {"Accept": "application/json"}
    if credentials is not None:
        headers["Authorization"] = credentials.basic
    return Request(url=url, headers=headers)


def _ask(transport: Transport, where: str, request: Request, deadline: Deadline) -> Answer:
    if request.method == "GET":
        return follow(transport, where, request, deadline)
    return transport.send(request, deadline)


def _refusal(
    where: str, rules: TokenRules, answer: Answer, credentials: Credentials | None
) -> ScanError:
    answer.tail_off()
    who = answer.url.authority
    if answer.status not in {400, 401, 403}:
        return Unreachable(
            f"{where}: {who} answers {answer.status} when asked for a token; try again later"
        )
    if credentials is None:
        return Unauthorized(
            f"{where}: {who} gives no token to somebody without a login; log in: docker login {rules.name}, "
            "or name a file with the login: --auth-file FILE"
        )
    return Unauthorized(
        f"{where}: {who} refuses the login that {credentials.source} has for {rules.name}; "
        f"log in again: docker login {rules.name}"
    )


def _token(where: str, realm: Url, data: bytes) -> str:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        document = None  # not chained: the error holds the text, and with it a token
    if not isinstance(document, dict):
        document = {}
    token = document.get("token") or document.get("access_token")
    if not isinstance(token, str) or len(token) > _TOKEN_LIMIT or not _TOKEN.fullmatch(token):
        raise BadContent(
            f"{where}: {realm.authority} gives no token that could be sent; the token server is broken"
        )
    return token
