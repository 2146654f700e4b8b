"""A registry that plays answers from a script, whatever it is asked: httpcore and h11 read them, no socket is opened.

So an input can send the scanner wherever it likes, and nothing leaves this process.
"""

import ssl
from collections.abc import Iterable, Iterator
from typing import Any

import httpcore

from webhook.core.reference import parse
from webhook.scanner.sources.addresses import literal
from webhook.scanner.sources.guard import Guard
from webhook.scanner.sources.network import Resolve
from webhook.scanner.sources.proxies import Proxy
from webhook.scanner.sources.registry import Patiences, RegistryOptions, RegistrySource
from webhook.scanner.sources.retries import Retries
from webhook.scanner.sources.transport import Transport

# Handed over, for httpcore would make one for each connection, and none shakes hands.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_PUBLIC = literal("192.88.99.1")  # of no special kind; nothing connects to it


def played_source(answers: Iterable[bytes], name: str) -> RegistrySource:
    """Open an image of a registry that gives these answers one after the other, and then none."""
    patiences = Patiences(connect=5, document=5, blob_begin=5, blob_pause=5)
    options = RegistryOptions(
        user_files=False, patiences=patiences, retries=Retries(pauses=(0.0,), longest=0.0)
    )
    source = RegistrySource(parse(name), options)
    source._transport = _Played(iter(answers), source._where, source._guard, options.resolve)
    source._session = source._new_session()
    return source


class _Played(Transport):
    """Connections that lead to the script, if the guard lets them pass."""

    def __init__(
        self, answers: Iterator[bytes], where: str, guard: Guard, resolve: Resolve
    ) -> None:
        super().__init__(where, guard, environ={}, resolve=resolve, connect_seconds=5)
        self._answers = answers

    def _new_pool(self, scheme: str, proxy: Proxy | None) -> httpcore.ConnectionPool:
        assert proxy is None
        assert scheme in {"http", "https"}
        backend = _Backend(self._answers, self._guard)
        return httpcore.ConnectionPool(ssl_context=_NO_TLS, network_backend=backend)


class _Backend(httpcore.NetworkBackend):
    def __init__(self, answers: Iterator[bytes], guard: Guard) -> None:
        self._answers = answers
        self._guard = guard

    def connect_tcp(self, host: str, *_: Any, **_more: Any) -> httpcore.NetworkStream:
        address = literal(host) or _PUBLIC
        assert address is not None
        self._guard.admit(host, [address])
        return _Stream(self._answers)


class _Stream(httpcore.NetworkStream):
    """What is written asks for the next answer; what is read is that, to its end."""

    def __init__(self, answers: Iterator[bytes]) -> None:
        self._answers = answers
        self._asked = False
        self._left = b""
        self._ended = False

    def read(self, max_bytes: int, timeout: Any = None) -> bytes:
        timeout.left()
        if self._asked:
            self._asked, self._left = False, next(self._answers, b"")
        found, self._left = self._left[:max_bytes], self._left[max_bytes:]
        self._ended = not found
        timeout.arrived(len(found), 0.0)
        return found

    def write(self, buffer: bytes, timeout: Any = None) -> None:
        timeout.left()
        self._asked = self._asked or bool(buffer)

    def close(self) -> None:
        self._left = b""

    def start_tls(self, *_: Any, **_more: Any) -> httpcore.NetworkStream:
        return self

    def get_extra_info(self, info: str) -> Any:
        # So httpcore learns of a connection that has ended.
        return bool(self._left) or self._ended if info == "is_readable" else None
