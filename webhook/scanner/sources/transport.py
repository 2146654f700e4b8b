"""HTTP for one source: one request, one answer; every wait and every size bounded, faults said in our words.

Redirects, retries and credentials are not its business: `following`, `session`.
"""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import httpcore

from webhook import __version__
from webhook.core.words import cut
from webhook.scanner.errors import BadContent, Refused, Unreachable
from webhook.scanner.sources.addresses import literal
from webhook.scanner.sources.guard import Guard
from webhook.scanner.sources.network import (
    GuardedBackend,
    NotTls,
    ProxyBackend,
    Resolve,
    UntrustedCertificate,
)
from webhook.scanner.sources.patience import Deadline, Patience
from webhook.scanner.sources.proxies import Proxy, proxy_for
from webhook.scanner.sources.urls import Url

_AGENT = f"nbgate/{__version__}"
# Of a body that is no content: errors in JSON have some 200 bytes, and they come with the head of the answer.
_TAIL, _TAIL_SECONDS = 8 * 1024, 2
_FAULT_LENGTH = 200  # characters of a library's words in a message

# All that httpcore lets out; it leaves h11's and ours as they are.
_FAULTS = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ProxyError,
)


class NoTls(Unreachable):
    """There is somebody, who does not speak TLS.

    Attributes:
        url: what was asked for.
    """

    def __init__(self, message: str, url: Url) -> None:
        super().__init__(message)
        self.url = url


class Interrupted(Unreachable):
    """The answer's body broke off; what is left of it may be asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of a server."""

    url: Url
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # credentials are in them
    body: bytes = field(default=b"", repr=False)


class Answer:
    """A response whose body is still to be read; a context manager that lets go of it.

    Attributes:
        url: what was asked for.
    """

    def __init__(
        self, where: str, url: Url, response: httpcore.Response, timeouts: dict[str, Patience]
    ) -> None:
        self.url = url
        self.status: int = response.status
        self._where, self._response, self._timeouts = where, response, timeouts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def headers(self, name: str) -> list[str]:
        """Give all values of a header, in their order."""
        wanted = name.lower().encode()
        found = (value for key, value in self._response.headers if key.lower() == wanted)
        return [value.decode("latin-1") for value in found]

    def header(self, name: str) -> str | None:
        """Give the first value of a header."""
        return next(iter(self.headers(name)), None)

    def chunks(self, patience: Patience | None = None) -> Iterator[bytes]:
        """Read the body as it arrives, at most 64 KiB at a time, with a patience of its own if one is given.

        Raises Interrupted where it breaks off, Unreachable where patience ends.
        """
        if patience is not None:
            # httpcore looks it up when it begins to read a body.
            self._timeouts["read"] = patience
        try:
            yield from self._response.iter_stream()
        except httpcore.TimeoutException as error:
            raise Unreachable(_late(self._where, self.url, error)) from error
        except _FAULTS as error:
            raise Interrupted(
                f"{self._where}: {self.url.authority} broke off what it sent: {_words(error)}; "
                "try again later"
            ) from error

    def read(self, limit: int, what: str) -> bytes:
        """Read the body whole. Raises BadContent past the limit, which is in bytes."""
        data = self._first(limit + 1)
        if len(data) > limit:
            raise BadContent(
                f"{self._where}: {what} has more than the {limit} bytes that are read of one; "
                "the registry or what stands before it is broken"
            )
        return data

    def tail_off(self) -> bytes:
        """Let go of it, and give the first bytes of its body, for a message; none where it breaks off.

        A short body is read to its end, so that the connection serves again.
        """
        with self, suppress(Unreachable):
            return self._first(_TAIL, Deadline(_TAIL_SECONDS))[:_TAIL]
        return b""

    def _first(self, limit: int, patience: Patience | None = None) -> bytes:
        data = bytearray()
        for chunk in self.chunks(patience):
            data += chunk
            if len(data) >= limit:
                break
        return bytes(data)

    def close(self) -> None:
        """Let go: a connection whose answer was read whole serves again."""
        with suppress(*_FAULTS):
            self._response.close()


class Transport:
    """Connections of one source, as its guard lets them pass.

    Args:
        where: begins each message.
        environ: of it, the proxies' variables, and SSL_CERT_FILE and SSL_CERT_DIR, which name authorities that are
            trusted beside the system's own.
        connect_seconds: for looking up, connecting and shaking hands together.
    """

    def __init__(
        self,
        where: str,
        guard: Guard,
        *,
        environ: Mapping[str, str],
        resolve: Resolve,
        connect_seconds: float,
    ) -> None:
        self._where, self._guard = where, guard
        self._environ, self._resolve = environ, resolve
        self._connect_seconds = connect_seconds
        self._pools: dict[tuple[str, Proxy | None], httpcore.ConnectionPool] = {}

    def send(self, request: Request, deadline: Deadline) -> Answer:
        """Send a request and wait for the head of its answer; the body has the same deadline.

        Raises:
            Refused: the guard does not let us go there, or the certificate is not trusted.
            NoTls: https was asked for, and something else is spoken there.
            Unreachable: there is no answer.
        """
        pool = self._pool(request.url)
        timeouts = self._timeouts(deadline)
        try:
            response = pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=request.url.wire(),
                    headers=_all_headers(request),
                    content=request.body or None,
                    extensions={"timeout": timeouts},
                )
            )
        except UntrustedCertificate as error:
            raise Refused(_untrusted(self._where, request.url, error)) from error
        except NotTls as error:
            raise NoTls(_no_tls(self._where, request.url, error), request.url) from error
        except httpcore.TimeoutException as error:
            raise Unreachable(_late(self._where, request.url, error)) from error
        except _FAULTS as error:
            raise Unreachable(
                f"{self._where}: {request.url.authority} does not answer: {_words(error)}; "
                "check its name, its port and the network, or try again later"
            ) from error
        return Answer(self._where, request.url, response, timeouts)

    def close(self) -> None:
        """Close all connections."""
        for pool in self._pools.values():
            pool.close()

    def _timeouts(self, deadline: Deadline) -> dict[str, Patience]:
        connecting = Deadline(self._connect_seconds, past="no connection within {} s")
        return {"connect": deadline.sooner(connecting), "read": deadline, "write": deadline}

    def _pool(self, url: Url) -> httpcore.ConnectionPool:
        proxy = proxy_for(url, self._environ)
        if proxy is not None:
            # The proxy looks names up; what is an address already can be judged here.
            address = literal(url.host)
            self._guard.admit(url.host, [] if address is None else [address])
        key = (url.scheme, proxy)
        if key not in self._pools:
            self._pools[key] = self._new_pool(url.scheme, proxy)
        return self._pools[key]

    def _new_pool(self, scheme: str, proxy: Proxy | None) -> httpcore.ConnectionPool:
        backend = GuardedBackend(self._guard, self._resolve) if proxy is None else ProxyBackend()
        return httpcore.ConnectionPool(
            ssl_context=self._trust() if scheme == "https" else None,
            proxy=None if proxy is None else _as_httpcore(proxy),
            network_backend=backend,
            # None: no limit. Whoever reads several blobs at once must not wait for himself.
            max_connections=None,
            max_keepalive_connections=4,
            keepalive_expiry=30,
        )

    def _trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        file, folder = self._environ.get("SSL_CERT_FILE"), self._environ.get("SSL_CERT_DIR")
        try:
            if file or folder:
                context.load_verify_locations(file or None, folder or None)
        except OSError as error:
            raise Refused(
                f"{self._where}: the certificates of {cut(str(file or folder), _FAULT_LENGTH)} cannot "
                "be read; correct SSL_CERT_FILE and SSL_CERT_DIR"
            ) from error
        return context


def _all_headers(request: Request) -> list[tuple[bytes | str, bytes | str]]:
    own = {"Host": request.url.authority, "User-Agent": _AGENT}
    if request.body:
        own["Content-Length"] = str(len(request.body))
    return [*own.items(), *request.headers.items()]


def _as_httpcore(proxy: Proxy) -> httpcore.Proxy:
    url = httpcore.URL(scheme="http", host=proxy.host, port=proxy.port, target="/")
    if proxy.credentials is None:
        return httpcore.Proxy(url)
    user, password = proxy.credentials
    return httpcore.Proxy(url, auth=(user.encode(), password.encode()))


def _untrusted(where: str, url: Url, error: Exception) -> str:
    return (
        f"{where}: the certificate of {url.authority} is not trusted: {_words(error)}; "
        "name a file with the certificate of its authority in SSL_CERT_FILE"
    )


def _no_tls(where: str, url: Url, error: Exception) -> str:
    return (
        f"{where}: {url.authority} does not speak TLS: {_words(error)}; "
        f"if it is a registry without, say so: --plain-http {url.authority}"
    )


def _late(where: str, url: Url, error: Exception) -> str:
    return f"{where}: waited in vain for {url.authority}: {_words(error)}; try again later"


def _words(error: Exception) -> str:
    return cut(str(error), _FAULT_LENGTH) or type(error).__name__
