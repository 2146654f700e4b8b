from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping

import pytest

from tests.scanner.probes.servers import (
    Answer,
    Direct,
    Headers,
    floods,
    http_server,
    raw_server,
    sends,
    waits_until_left,
)
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.asking import Asker, Silence, ask
from webhook.scanner.probes.observation import Page
from webhook.scanner.probes.views import HOST, View

PREFIX = "/notebook/nbgate-probe/p1"


def pages(answer: Answer) -> tuple[Page, Page, Page]:
    """Ask a server that answers so for its three pages."""
    with http_server(answer) as server:
        asker = Asker(connector=server, prefix=PREFIX)
        found = (asker.under_prefix(), asker.at_root(), asker.rewritten())
    first, second, third = found
    assert isinstance(first, Page)
    assert isinstance(second, Page)
    assert isinstance(third, Page)
    return first, second, third


def redirects(table: Mapping[str, str], status: int = 302) -> Answer:
    """Redirect from the paths of the table; every other path is there."""

    def answer(path: str, _: Mapping[str, str]) -> tuple[int, Headers]:
        return (status, [("Location", table[path])]) if path in table else (200, [])

    return answer


def test_a_server_under_its_prefix_is_good_there_and_nowhere_else() -> None:
    def answer(path: str, _: Mapping[str, str]) -> tuple[int, Headers]:
        good = path.startswith(f"{PREFIX}/")
        return (200, [("Access-Control-Allow-Origin", "*")]) if good else (404, [])

    prefix, root, rewritten = pages(answer)
    assert prefix == Page(asked=f"{PREFIX}/", path=f"{PREFIX}/", status=200, allow_origin="*")
    assert (root.status, root.good, rewritten.status) == (404, False, 404)


def test_a_server_at_its_root_is_good_there_and_behind_the_rewrite() -> None:
    prefix, root, rewritten = pages(lambda path, _: (200 if path == "/" else 404, []))
    assert (prefix.good, root.good, rewritten.good) == (False, True, True)
    assert (rewritten.asked, rewritten.path) == ("/", "/")


def test_the_request_is_a_get_as_a_browser_behind_the_gateway_sends_it() -> None:
    seen: dict[str, Mapping[str, str]] = {}

    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, Headers]:
        seen[path] = headers
        return 200, []

    pages(answer)
    assert seen[f"{PREFIX}/"]["host"] == HOST
    assert seen[f"{PREFIX}/"]["origin"] == f"https://{HOST}"
    assert "text/html" in seen[f"{PREFIX}/"]["accept"]
    assert "x-rstudio-root-path" not in seen[f"{PREFIX}/"]
    assert seen["/"]["x-rstudio-root-path"] == f"{PREFIX}/"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        "lab?reset",
        "./lab?reset",
        f"{PREFIX}/lab?reset",
        f"http://{HOST}{PREFIX}/lab?reset",
        f"https://{HOST}:443{PREFIX}/lab?reset",
        f"//{HOST}{PREFIX}/lab?reset",
        f"/x/..{PREFIX}/lab?reset",
    ],
)
def test_a_redirect_within_the_prefix_is_followed(status: int, location: str) -> None:
    prefix, _, _ = pages(redirects({f"{PREFIX}/": location}, status))
    assert (prefix.asked, prefix.path, prefix.status) == (
        f"{PREFIX}/",
        f"{PREFIX}/lab?reset",
        200,
    )
    assert prefix.good


@pytest.mark.parametrize(
    "location",
    [
        "/lab",
        "../other/",
        "%2e%2E/other/",
        PREFIX,
        f"{PREFIX}2/",
        "https://elsewhere.example.com/",
        f"https://{HOST}.evil.example.com{PREFIX}/",
        f"https://{HOST}:8888{PREFIX}/lab",
        f"https://me@{HOST}{PREFIX}/lab",
        "//elsewhere.example.com/",
        "/\\elsewhere.example.com/",
        "\\\\elsewhere.example.com/",
        "javascript:alert(1)",
        "http://[::1/",
        f"{PREFIX}/{'x' * 9000}",
    ],
)
def test_a_redirect_out_of_the_prefix_is_not_followed_and_named(location: str) -> None:
    with http_server(redirects({f"{PREFIX}/": location})) as server:
        page = Asker(connector=server, prefix=PREFIX).under_prefix()
        assert server.asked == [f"{PREFIX}/"]
    assert isinstance(page, Page)
    assert page.status == 302
    assert page.left is not None
    assert page.left[:100] == location[:100]
    assert len(page.left) <= 200
    assert not page.good


def test_at_the_root_a_redirect_may_lead_anywhere_in_the_server() -> None:
    _, root, _ = pages(redirects({"/": "/lab"}))
    assert (root.path, root.status, root.left) == ("/lab", 200, None)
    _, root, _ = pages(redirects({"/": "https://elsewhere.example.com/lab"}))
    assert (root.status, root.left) == (302, "https://elsewhere.example.com/lab")


def test_behind_the_rewrite_redirects_are_resolved_as_the_browser_sees_them() -> None:
    _, _, rewritten = pages(redirects({"/": "./login", "/login": f"{PREFIX}/folder/?x=1"}))
    assert (rewritten.path, rewritten.status, rewritten.left) == ("/folder/?x=1", 200, None)


def test_behind_the_rewrite_a_redirect_to_the_servers_own_root_leaves_the_notebook() -> None:
    _, root, rewritten = pages(redirects({"/": "/login"}))
    assert root.good
    assert (rewritten.status, rewritten.left) == (302, "/login")


def test_a_server_that_knows_the_rstudio_header_stays_in_the_prefix() -> None:
    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, Headers]:
        base = headers.get("x-rstudio-root-path", "/")
        return (302, [("Location", f"{base}auth-sign-in")]) if path == "/" else (200, [])

    _, _, rewritten = pages(answer)
    assert (rewritten.path, rewritten.good) == ("/auth-sign-in", True)


def test_a_cookie_that_a_redirect_sets_is_sent_along_the_way_and_not_to_the_next_page() -> None:
    def answer(path: str, headers: Mapping[str, str]) -> tuple[int, Headers]:
        if "user=me" in headers.get("cookie", ""):
            return 200, []
        cookies = [("Set-Cookie", "old=; Max-Age=0"), ("Set-Cookie", "user=me; HttpOnly")]
        return 302, [("Location", path), *cookies]

    with http_server(answer) as server:
        page = ask(server, View(), "/", {})
        assert isinstance(page, Page)
        assert page.good
        assert server.asked == ["/", "/"]
        ask(server, View(), "/", {})
        assert len(server.asked) == 4


def test_a_redirect_loop_ends_after_ten_redirects_with_a_page_that_is_not_good() -> None:
    with http_server(redirects({"/": "/"})) as server:
        page = ask(server, View(), "/", {})
        assert len(server.asked) == 11
    assert isinstance(page, Page)
    assert (page.status, page.left, page.good) == (302, None, False)


def test_ten_redirects_are_followed() -> None:
    with http_server(redirects({f"/{n}": f"/{n + 1}" for n in range(10)})) as server:
        page = ask(server, View(), "/0", {})
    assert isinstance(page, Page)
    assert (page.path, page.status) == ("/10", 200)


def test_a_redirect_without_a_location_is_a_page_that_is_not_good() -> None:
    _, root, _ = pages(lambda *_: (302, []))
    assert (root.status, root.good, root.left) == (302, False, None)


def test_an_origin_that_is_echoed_is_told_as_it_was_sent() -> None:
    _, root, _ = pages(
        lambda _, headers: (200, [("Access-Control-Allow-Origin", headers["origin"])])
    )
    assert root.allow_origin == f"https://{HOST}"


def test_a_header_sent_only_to_requests_with_an_origin_counts() -> None:
    def answer(_: str, headers: Mapping[str, str]) -> tuple[int, Headers]:
        return 200, [("Access-Control-Allow-Origin", "*")] if "origin" in headers else []

    assert pages(answer)[1].allow_origin == "*"


def test_two_origin_headers_are_no_star() -> None:
    twice = [("Access-Control-Allow-Origin", "*"), ("access-control-allow-origin", "*")]
    assert pages(lambda *_: (200, twice))[1].allow_origin == "*, *"


def test_what_strangers_wrote_is_cut_and_clean() -> None:
    _, root, _ = pages(lambda *_: (200, [("Access-Control-Allow-Origin", "\x85" + "x" * 5000)]))
    assert root.allow_origin is not None
    assert root.allow_origin.startswith("?xxx")
    assert len(root.allow_origin) == 200


def test_what_forbids_the_iframe_is_named() -> None:
    _, root, _ = pages(lambda *_: (200, [("X-Frame-Options", "deny")]))
    assert root.frame_guard == "X-Frame-Options: DENY"


def silence(talk: Callable[[socket.socket], None], limit: float = 10.0) -> Silence:
    with raw_server(talk) as server:
        found = ask(server, View(), "/", {}, limit=limit)
    assert isinstance(found, Silence)
    return found


def test_a_port_where_nothing_listens_is_silence_and_not_listening() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    found = ask(Direct(port), View(), "/", {})
    assert isinstance(found, Silence)
    assert not found.listening
    assert "refused" in found.reason


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x00\x02\x02\x28", b"hello there\r\n\r\n", b""],
)
def test_what_is_not_http_is_silence_but_listens(said: bytes) -> None:
    found = silence(sends(said))
    assert found.listening
    assert found.reason


def test_a_connection_that_is_closed_in_the_middle_of_the_head_is_silence() -> None:
    assert silence(sends(b"HTTP/1.1 200 OK\r\nServer: x")).listening


def test_a_server_that_accepts_and_says_nothing_is_left_at_the_deadline() -> None:
    begin = time.monotonic()
    found = silence(waits_until_left, limit=0.3)
    assert "in time" in found.reason
    assert 0.3 <= time.monotonic() - begin < 2


def test_a_slow_drip_of_headers_is_left_at_the_deadline() -> None:
    left = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        try:
            while not left.wait(0.02):
                connection.sendall(b"X: y\r\n")
        except OSError:
            left.set()

    begin = time.monotonic()
    assert "in time" in silence(drip, limit=0.3).reason
    assert time.monotonic() - begin < 2
    assert left.is_set()


def test_a_slow_chain_of_redirects_shares_one_deadline() -> None:
    def answer(path: str, _: Mapping[str, str]) -> tuple[int, Headers]:
        time.sleep(0.1)  # the server's own slowness, not a wait for anything
        return 302, [("Location", f"{path}x")]

    begin = time.monotonic()
    with http_server(answer) as server:
        page = ask(server, View(), "/", {}, limit=0.35)
        assert len(server.asked) < 6
    assert time.monotonic() - begin < 1.5
    assert isinstance(page, Page)
    assert page.status == 302


@pytest.mark.parametrize(
    ("beginning", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"\r\n"),
    ],
)
def test_endless_headers_end_at_a_limit(beginning: bytes, piece: bytes) -> None:
    begin = time.monotonic()
    found = silence(floods(beginning, piece))
    assert found.listening
    assert time.monotonic() - begin < 2


def test_of_an_endless_body_a_bounded_part_is_read() -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")
        while True:
            sent += connection.send(b"\x1f\x8b" * 32768)

    with raw_server(talk) as server:
        page = ask(server, View(), "/", {})
    assert isinstance(page, Page)
    assert page.good
    # A mebibyte, and what lies in the buffers of two sockets, never read.
    assert sent < 16 * 1024 * 1024


def test_a_body_that_never_ends_is_not_waited_for() -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n")
        waits_until_left(connection)

    begin = time.monotonic()
    with raw_server(talk) as server:
        page = ask(server, View(), "/", {})
    assert isinstance(page, Page)
    assert page.good
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize("size", [0, 1000, 500_000])
def test_a_server_with_a_short_body_sees_its_connection_closed_in_peace(size: int) -> None:
    ends: list[bytes | OSError] = []

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
        connection.sendall(head + b"x" * size)
        try:
            ends.append(connection.recv(1))
        except OSError as error:
            ends.append(error)

    with raw_server(talk) as server:
        ask(server, View(), "/", {})
    assert ends == [b""]


def test_a_redirect_to_where_nothing_answers_is_itself_the_answer() -> None:
    answers = iter([sends(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n"), sends(b"")])

    def talk(connection: socket.socket) -> None:
        next(answers)(connection)

    with raw_server(talk) as server:
        page = ask(server, View(), "/", {})
    assert isinstance(page, Page)
    assert (page.path, page.status, page.good) == ("/", 302, False)


def test_a_broken_connector_is_no_silence() -> None:
    class Broken:
        def connect(self, timeout: float) -> socket.socket:
            raise ProbeError(f"podman: broken, for all of {timeout} s")

    with pytest.raises(ProbeError, match="broken"):
        ask(Broken(), View(), "/", {})
