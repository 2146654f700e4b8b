"""Questions to one registry: where it wants a login or a token, that is had, once, and kept."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import NoReturn

import orjson

from webhook.core.words import cut
from webhook.scanner.errors import (
    BadContent,
    NotFound,
    ScanError,
    SourceError,
    Unauthorized,
    Unreachable,
)
from webhook.scanner.sources.challenge import Challenge, InvalidChallenge, parse_challenges
from webhook.scanner.sources.credentials import Credentials
from webhook.scanner.sources.following import follow
from webhook.scanner.sources.patience import Deadline
from webhook.scanner.sources.retries import Retries, retried
from webhook.scanner.sources.tokens import TokenRules, fetch_token
from webhook.scanner.sources.transport import Answer, Request, Transport
from webhook.scanner.sources.urls import Url

_SHOWN = 160  # characters of what the registry says itself


class Session:
    """What one source asks of its registry.

    Args:
        where: begins each message: `docker.io/library/nginx`.
        rules: the registry, and what tokens are asked for.
        find: gives the login for it, if there is one; asked only when the registry wants it.
    """

    def __init__(
        self,
        transport: Transport,
        where: str,
        rules: TokenRules,
        find: Callable[[], Credentials | None],
        retries: Retries,
    ) -> None:
        self._transport, self._where, self._rules = transport, where, rules
        self._find, self._retries = find, retries
        self._authorization: str | None = None

    def get(
        self,
        target: str,
        what: str,
        headers: Mapping[str, str],
        deadline: Deadline,
        method: str = "GET",
    ) -> Answer:
        """Ask for something; give an answer that has it (200 or 206), its body still to be read.

        `what` names it in messages: `blob sha256:…`. `method` is GET or HEAD. Raises SourceError, BadContent.
        """
        base = self._rules.registry
        url = Url(scheme=base.scheme, host=base.host, port=base.port, target=target)
        answer = self._ask(method, url, headers, deadline)
        if answer.status == 401 and answer.url.origin == base.origin:
            answer.tail_off()
            self._authorize(answer.headers("WWW-Authenticate"), deadline)
            answer = self._ask(method, url, headers, deadline)
        if answer.status not in {200, 206}:
            raise self._fault(answer, what)
        return answer

    @cached_property
    def _credentials(self) -> Credentials | None:
        return self._find()

    def _ask(self, method: str, url: Url, headers: Mapping[str, str], deadline: Deadline) -> Answer:
        all_headers = dict(headers)
        if self._authorization is not None:
            all_headers["Authorization"] = self._authorization
        request = Request(url=url, method=method, headers=all_headers)
        return retried(
            self._where,
            lambda: follow(self._transport, self._where, request, deadline),
            self._retries,
            deadline,
        )

    def _authorize(self, headers: list[str], deadline: Deadline) -> None:
        """Do as the challenges say; a token that no longer holds is replaced. Raises ScanError."""
        challenge = self._challenge(headers)
        if challenge.scheme == "bearer":
            token = fetch_token(
                self._transport,
                self._where,
                self._rules,
                challenge,
                self._credentials,
                self._retries,
                deadline,
            )
            self._authorization = f"Bearer {token}"
            return
        credentials = self._credentials
        if credentials is None:
            self._no_login()
        if credentials.identity_token:
            raise Unauthorized(
                f"{self._where}: {credentials.source} has only an identity token for {self._rules.name}, "
                "which asks for name and password; log in with them: docker login"
            )
        self._authorization = credentials.basic

    def _challenge(self, headers: list[str]) -> Challenge:
        try:
            challenges = parse_challenges(headers)
        except InvalidChallenge as error:
            raise BadContent(
                f"{self._where}: {self._rules.name} asks who we are, but its WWW-Authenticate header is "
                f"broken: {error}; the registry is misconfigured"
            ) from error
        for scheme in ("bearer", "basic"):
            for challenge in challenges:
                if challenge.scheme == scheme:
                    return challenge
        offered = cut(", ".join(challenge.scheme for challenge in challenges), _SHOWN) or "nothing"
        raise Unauthorized(
            f"{self._where}: {self._rules.name} refuses access and offers {offered} to log in with, "
            "neither Bearer nor Basic; is it a registry?"
        )

    def _no_login(self) -> NoReturn:
        raise Unauthorized(
            f"{self._where}: {self._rules.name} wants a login; log in: docker login {self._rules.name}, "
            "or name a file with the login: --auth-file FILE"
        )

    def _fault(self, answer: Answer, what: str) -> ScanError:
        said = _own_words(answer.tail_off())
        name, status, where = self._rules.name, answer.status, self._where
        if answer.url.origin != self._rules.registry.origin:
            fault = (
                f"{where}: {name} keeps {what} at {answer.url.authority}, which answers {status}"
            )
            return Unreachable(f"{fault}; try again later")
        if status in {401, 403}:
            return self._forbidden(what, said)
        if status == 404:
            return NotFound(f"{where}: {name} has no {what}{said}; check name, tag and digest")
        if status >= 500:
            return Unreachable(
                f"{where}: {name} answers {status} for {what}{said}; try again later"
            )
        return SourceError(f"{where}: {name} answers {status} for {what}{said}; is it a registry?")

    def _forbidden(self, what: str, said: str) -> Unauthorized:
        fault = f"{self._where}: {self._rules.name} does not give {what}"
        login = self._credentials if self._authorization else None
        if login is None:
            return Unauthorized(
                f"{fault} to somebody without a login{said}; check the name, or log in: "
                f"docker login {self._rules.name}"
            )
        return Unauthorized(
            f"{fault} to the login of {login.source}{said}; check the name, or log in as somebody "
            f"who may read it: docker login {self._rules.name}"
        )


def _own_words(body: bytes) -> str:
    """Read what a registry says of its error (OCI distribution-spec, error codes), to stand in a message."""
    try:
        error = orjson.loads(body)["errors"][0]
        words = f"{error['code']}: {error['message']}"
    except (ValueError, LookupError, TypeError):
        return ""
    return f" ({cut(words, _SHOWN)})"
