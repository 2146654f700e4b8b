"""What registries answer, heads, manifests, configs, tokens and layers; and what containers answer."""

import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain, repeat

from tests.fuzz.images import LAYER, UPPER, image_of_lines
from tests.fuzz.parts import joined, parts_of
from tests.fuzz.played import played_source
from tests.fuzz.target import Target, one_line
from webhook.core.reference import check_digest
from webhook.scanner.checks.empty_home import enough_of
from webhook.scanner.errors import ScanError
from webhook.scanner.layers.stack import read_files
from webhook.scanner.probes.asking import Silence, ask
from webhook.scanner.probes.views import View
from webhook.scanner.progress import Silent
from webhook.scanner.resolving import load_image

_NAME = "registry.example.com/team/notebook:v1"
_LONGEST = 16_000


def check_registry(data: bytes) -> None:
    """An image is resolved and its layers are read from whatever is answered, or a ScanError says in a line why not."""
    answers = [part.data for part in parts_of(data)]
    with closing(played_source(answers, _NAME)) as source:
        try:
            image = load_image(source, None)
            for one in image.platforms:
                read_files(source, one, None, enough_of(one.config), Silent())
        except ScanError as error:
            one_line(str(error), _LONGEST)
    with closing(played_source(answers, _NAME)) as source:
        try:
            check_digest(source.digest())
        except ScanError as error:
            one_line(str(error), _LONGEST)


class _Plays:
    """A connector to a container that answers as the parts say, and with the last of them for ever."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = chain(answers, repeat(answers[-1]))
        self._peers: list[socket.socket] = []

    def connect(self, timeout: float) -> socket.socket:
        assert timeout > 0
        here, there = socket.socketpair()
        self._peers.append(there)
        there.setblocking(False)
        # What does not fit the socket's buffer is not sent: it is more than a head may have.
        there.send(next(self._answers) or b"\n")
        there.shutdown(socket.SHUT_WR)
        return here

    def close(self) -> None:
        for peer in self._peers:
            peer.close()


@contextmanager
def _playing(data: bytes) -> Iterator[_Plays]:
    plays = _Plays([part.data for part in parts_of(data)])
    try:
        yield plays
    finally:
        plays.close()


def check_page(data: bytes) -> None:
    """A page is had from whatever a container answers, or its silence is explained; nothing of it breaks a line."""
    prefix = "/notebook/a/b/"
    for view in (View(), View(within=prefix), View(within=prefix, stripped=True)):
        with _playing(data) as plays:
            started = time.monotonic()
            found = ask(plays, view, view.within, {}, limit=5)
            assert time.monotonic() - started < 10
        if isinstance(found, Silence):
            one_line(found.reason)
            continue
        for text in (found.path, found.allow_origin, found.frame_guard, found.left):
            assert not text or text.isprintable()
            assert text is None or len(text) <= 300


_MANIFEST, *_BLOBS = image_of_lines(LAYER, UPPER, first=0)


def _answer(head: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body


def _registries() -> list[bytes]:
    told = (
        b"Content-Type: application/vnd.oci.image.manifest.v1+json\r\nDocker-Content-Digest: @d7@"
    )
    # The parts that answer come first; behind them stands what they hold, for its digest to be named.
    manifest, config, layer, upper = (part.data for part in parts_of(joined(_MANIFEST, *_BLOBS)))
    plain = joined(
        _answer(told.replace(b"@d7@", b"sha256:" + b"0" * 64), manifest),
        _answer(told.partition(b"\r\n")[0], manifest),
    )
    whole = joined(
        _answer(told.partition(b"\r\n")[0], manifest),
        _answer(b"Content-Length: %d" % len(config), config),
        _answer(b"Connection: close", upper),
        _answer(b"Connection: close", layer),
    )
    challenge = (
        b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer "
        b'realm="https://auth.example.com/token",service="registry.example.com"\r\nContent-Length: 0\r\n\r\n'
    )
    token = _answer(b"Content-Length: 15", b'{"token":"abc"}')
    moved = (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /v2/elsewhere\r\nContent-Length: 0\r\n\r\n"
    )
    busy = b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: Wed, 21 Oct 2026 07:28:00 GMT\r\n\r\n"
    refused = b'HTTP/1.1 403 Forbidden\r\n\r\n{"errors":[{"code":"DENIED","message":"no"}]}'
    return [plain, whole, joined(challenge, token, whole), joined(moved, whole), busy, refused]


def _pages() -> list[bytes]:
    page = (
        b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\n"
        b"Content-Security-Policy: frame-ancestors 'self'\r\nX-Frame-Options: DENY\r\n\r\n<html>"
    )
    login = (
        b"HTTP/1.1 302 Found\r\nLocation: /notebook/a/b/lab?x=1\r\nSet-Cookie: a=b; Path=/\r\n\r\n"
    )
    return [page, joined(login, page), login]


TARGETS = (
    Target(
        name="registry",
        check=check_registry,
        seeds=_registries,
        words=(
            *(
                b"Retry-After: ",
                b"Location: ",
                b"WWW-Authenticate: Basic",
                b"Docker-Content-Digest: ",
            ),
            *(b"HTTP/1.1 429 \r\n", b"HTTP/1.1 206 \r\n", b"Content-Range: bytes ", b"\r\n\r\n"),
            *(
                b"Transfer-Encoding: chunked\r\n",
                b"+9999999999999999",
                b'"access_token":',
                b"HTTP/1.1 503 \r\n",
            ),
        ),
    ),
    Target(
        name="page",
        check=check_page,
        seeds=_pages,
        words=(
            b"Location: ",
            b"Set-Cookie: ",
            b"frame-ancestors",
            b"HTTP/1.1 302 \r\n",
            b"//",
            b"%2e%2e/",
        ),
    ),
)
