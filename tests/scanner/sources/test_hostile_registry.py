"""Registries that break, lie, stall or lead elsewhere: each ends in time, with an error that names it."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scanner.hostile import (
    FOREVER,
    Answer,
    Asked,
    HostileServer,
    document,
    dripped,
    endless,
    head,
    redirect,
    response,
)
from tests.scanner.registry import issue_server_files, sha256
from tests.scanner.sources.talking import (
    CONFIG,
    LAYER,
    NAME,
    as_manifest,
    blob_path,
    descriptor,
    hostile,
    login_file,
    manifest,
    manifest_path,
    read,
    refused,
    talking_to,
)
from webhook.scanner.errors import (
    BadContent,
    NotFound,
    RateLimited,
    Refused,
    ScanError,
    SourceError,
    Unauthorized,
    Unreachable,
)
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_MANIFEST
from webhook.scanner.sources.registry import Patiences, RegistrySource
from webhook.scanner.sources.transport import Interrupted

IN_TIME = 4.0  # seconds: what HASTE adds up to with all further tries, and the machine's own delays


@contextmanager
def in_time(seconds: float = IN_TIME) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


# --- what honest servers do, so that the tests below fail for what they say


def test_an_honest_answer_passes() -> None:
    digest = sha256(manifest())
    answers = {
        manifest_path(): as_manifest(manifest(), Docker_Content_Digest=digest),
        blob_path(LAYER): response(body=LAYER),
        blob_path(CONFIG): response(body=CONFIG),
    }
    with hostile(answers) as (server, source):
        assert source.top()[0].digest == digest
        assert read(source, LAYER) == LAYER
        assert source.document(descriptor(CONFIG, OCI_CONFIG)) == CONFIG
        assert server.asked[0].headers["user-agent"].startswith("nbgate/")
        assert OCI_MANIFEST in server.asked[0].headers["accept"]
        assert server.asked[1].headers["accept-encoding"] == "identity"


def test_a_reference_by_sha512_is_verified_with_sha512() -> None:
    digest = f"sha512:{hashlib.sha512(manifest()).hexdigest()}"
    name = f"{NAME}@{digest}"
    with hostile({manifest_path(digest): as_manifest(manifest())}, name=name) as (_, source):
        assert source.top()[0].digest == digest
    with hostile({manifest_path(digest): as_manifest(b"{}")}, name=name) as (_, source):
        assert digest in refused(BadContent, source.top)


# --- bytes that are not what was named


def test_a_manifest_of_another_digest_than_the_reference_has_is_refused_and_named() -> None:
    digest = sha256(b"another")
    answers = {manifest_path(digest): as_manifest(manifest())}
    with hostile(answers, name=f"{NAME}@{digest}") as (server, source):
        message = refused(BadContent, source.top)
    assert digest in message
    assert f"{server.host}/{NAME}: " in message


@pytest.mark.parametrize(
    "told", [sha256(b"other"), "sha512:" + "0" * 128, "md5:0", "", "sha256:" + "\u00e9" * 64]
)
def test_a_digest_header_that_lies_is_refused(told: str) -> None:
    answers = {manifest_path(): as_manifest(manifest(), Docker_Content_Digest=told)}
    with hostile(answers) as (_, source):
        assert "not that of its bytes" in refused(BadContent, source.top)


@pytest.mark.parametrize("data", [LAYER[:-1] + b"!", bytes(len(LAYER))])
def test_a_blob_of_other_bytes_is_refused_and_named(data: bytes) -> None:
    with hostile({blob_path(LAYER): response(body=data)}) as (_, source):
        assert descriptor(LAYER).digest in refused(BadContent, lambda: read(source, LAYER))


def test_a_blob_that_ends_early_without_a_length_is_refused() -> None:
    short = head(200, [("Connection", "close")]) + LAYER[:1000]
    with hostile({blob_path(LAYER): short}) as (_, source):
        message = refused(BadContent, lambda: read(source, LAYER))
    assert f"ends after 1000 of {len(LAYER)} bytes" in message


@pytest.mark.parametrize("length", [0, 1000, len(LAYER) + 1, 10**15])
def test_a_blob_of_another_length_than_was_named_is_refused_before_it_is_read(length: int) -> None:
    with hostile({blob_path(LAYER): response(body=LAYER, length=length)}) as (_, source):
        message = refused(BadContent, lambda: read(source, LAYER))
    assert f"{length}' bytes" in message


@pytest.mark.parametrize("length", ["-1", "many", "1, 2"])
def test_a_length_that_is_no_number_is_a_broken_answer(length: str) -> None:
    answer = head(200, [("Content-Length", length)]) + LAYER
    with hostile({blob_path(LAYER): answer}) as (_, source):
        refused(Unreachable, lambda: read(source, LAYER))


def test_a_blob_without_end_is_left_where_it_passes_what_was_named() -> None:
    def script(_: Asked) -> Answer:
        yield head(200, [("Connection", "close")])
        yield from endless()

    with hostile(script) as (_, source), in_time():
        assert "is longer than" in refused(BadContent, lambda: read(source, LAYER))


@pytest.mark.parametrize("declared", [True, False])
def test_a_huge_manifest_is_left_where_it_passes_the_limit(declared: bool) -> None:  # noqa: FBT001  # a case
    length = [("Content-Length", str(10**12))] if declared else []

    def script(_: Asked) -> Answer:
        yield head(200, [("Content-Type", OCI_MANIFEST), *length])
        yield from endless()

    with hostile(script) as (_, source), in_time():
        assert "4194304 bytes" in refused(BadContent, source.top)


def test_a_document_that_is_named_as_huge_is_not_even_asked_for() -> None:
    wanted = descriptor(bytes(5 * 1024 * 1024), OCI_CONFIG)
    with hostile({}) as (server, source):
        refused(BadContent, lambda: source.document(wanted))
        assert server.asked == []


@pytest.mark.parametrize(
    ("media_type", "words"),
    [
        ("text/html", "text/html"),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", "schema 1"),
        ("", "''"),
    ],
)
def test_what_is_neither_an_image_nor_an_index_is_refused_by_its_type(
    media_type: str, words: str
) -> None:
    answer = response(body=b"{}", headers={"Content-Type": media_type})
    with hostile({manifest_path(): answer}) as (_, source):
        assert words in refused(BadContent, source.top)


def test_the_parameters_of_a_media_type_do_not_matter() -> None:
    answer = response(body=b"{}", headers={"Content-Type": f"{OCI_MANIFEST}; charset=utf-8"})
    with hostile({manifest_path(): answer}) as (_, source):
        assert source.top()[0].media_type == OCI_MANIFEST


def test_json_of_any_depth_is_only_carried() -> None:
    deep = b"[" * 1_000_000
    with hostile({manifest_path(): as_manifest(deep)}) as (_, source), in_time():
        assert source.top()[1] == deep


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=200).map(lambda b: b"HTTP/1.1 " + b)))
def test_whatever_bytes_are_answered_only_our_errors_come_out(data: bytes) -> None:
    with hostile(lambda _: [data]) as (_, source):
        refused(ScanError, source.top)


# --- servers that break off


def test_a_blob_that_breaks_off_is_resumed_where_the_registry_can() -> None:
    def script(asked: Asked) -> Answer:
        if "range" not in asked.headers:
            return [response(body=LAYER[:100_000], length=len(LAYER))]
        start = int(asked.headers["range"].removeprefix("bytes=").removesuffix("-"))
        given = f"bytes {start}-{len(LAYER) - 1}/{len(LAYER)}"
        return [response(206, LAYER[start:], {"Content-Range": given})]

    with hostile(script) as (server, source):
        assert read(source, LAYER) == LAYER
        assert [asked.headers.get("range") for asked in server.asked] == [None, "bytes=100000-"]


@pytest.mark.parametrize(
    "rest",
    [
        response(200, LAYER),
        response(206, LAYER[100_000:]),
        response(206, LAYER[:100], {"Content-Range": f"bytes 0-99/{len(LAYER)}"}),
    ],
)
def test_what_is_no_rest_of_a_blob_is_not_taken_for_it(rest: bytes) -> None:
    def script(asked: Asked) -> Answer:
        return [
            rest if "range" in asked.headers else response(body=LAYER[:100_000], length=len(LAYER))
        ]

    with hostile(script) as (_, source):
        message = refused(Unreachable, lambda: read(source, LAYER))
    assert "cannot send the rest" in message


def broken(act: Callable[[], object]) -> str:
    """Expect a transfer that broke off; give the message."""
    return refused(Interrupted, act)


def test_a_blob_that_breaks_off_again_and_again_is_given_up() -> None:
    def script(asked: Asked) -> Answer:
        start = int(asked.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        given = f"bytes {start}-{len(LAYER) - 1}/{len(LAYER)}"
        status, piece = (206, {"Content-Range": given}) if start else (200, {})
        return [response(status, LAYER[start : start + 1000], piece, length=len(LAYER) - start)]

    with hostile(script) as (server, source):
        assert "broke off" in broken(lambda: read(source, LAYER))
        assert len(server.asked) == 3


def test_a_registry_that_is_busy_is_asked_thrice_and_an_answer_then_counts() -> None:
    answers = [response(503), response(502), as_manifest(manifest())]
    with hostile(lambda _: [answers.pop(0)]) as (server, source):
        assert source.top()[1] == manifest()
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_registry_that_stays_busy_is_unreachable(status: int) -> None:
    with hostile(lambda _: [response(status)]) as (server, source), in_time():
        assert str(status) in refused(Unreachable, source.top)
        assert len(server.asked) == 3


@pytest.mark.parametrize("status", [500, 501])
def test_a_registry_that_fails_is_asked_once(status: int) -> None:
    with hostile(lambda _: [response(status)]) as (server, source):
        assert str(status) in refused(Unreachable, source.top)
        assert len(server.asked) == 1


def test_a_registry_that_asks_for_patience_gets_a_little_and_then_is_left_alone() -> None:
    with hostile(lambda _: [response(429, headers={"Retry-After": "0"})]) as (server, source):
        refused(RateLimited, source.top)
        assert len(server.asked) == 3
    with (
        hostile(lambda _: [response(429, headers={"Retry-After": "3600"})]) as (server, source),
        in_time(),
    ):
        with pytest.raises(RateLimited) as caught:
            source.top()
        assert caught.value.retry_after == 3600
        assert "3600 s" in str(caught.value)
        assert len(server.asked) == 1


@pytest.mark.parametrize("after", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", "9" * 5000])
def test_any_retry_after_is_read_or_passed_over(after: str) -> None:
    with (
        hostile(lambda _: [response(429, headers={"Retry-After": after})]) as (_, source),
        in_time(),
    ):
        refused(RateLimited, source.top)


def test_nobody_there_is_unreachable() -> None:
    with HostileServer(lambda _: []) as server:
        host = server.host
    with talking_to(host) as source, in_time():
        message = refused(Unreachable, source.top)
    assert host in message
    assert "refused" in message


# --- servers that stall


@contextmanager
def deaf_port() -> Iterator[str]:
    """Listen with a queue that is full, so that nobody gets through."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        host, port = listener.getsockname()
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex((host, port))
        yield f"{host}:{port}"


@contextmanager
def mute_port() -> Iterator[str]:
    """Take connections and never say a word, not even in a TLS handshake."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host, port = listener.getsockname()
        yield f"{host}:{port}"


def test_a_registry_that_never_takes_the_connection_is_left_in_time() -> None:
    with deaf_port() as host, talking_to(host) as source, in_time():
        assert host in refused(Unreachable, source.top)


@pytest.mark.parametrize("plain", [True, False])
def test_a_registry_that_says_nothing_is_left_in_time(plain: bool) -> None:  # noqa: FBT001  # a case
    with mute_port() as host:
        told = frozenset({host} if plain else ())
        with talking_to(host, plain_http=told) as source, in_time():
            assert "waited in vain" in refused(Unreachable, source.top)


def test_a_name_that_is_not_looked_up_in_time_is_given_up() -> None:
    given_up = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        given_up.wait(30)
        return []

    with talking_to("registry.tests", resolve=resolve) as source, in_time():
        assert "waited in vain for registry.tests" in refused(Unreachable, source.top)
    given_up.set()


def test_dripped_headers_are_left_in_time() -> None:
    answer = as_manifest(manifest())
    with hostile(lambda _: dripped(answer, 0.05)) as (_, source), in_time():
        assert "within 1 s" in refused(Unreachable, source.top)


def test_endless_headers_are_left_in_time() -> None:
    def script(_: Asked) -> Answer:
        yield b"HTTP/1.1 200 OK\r\n"
        yield from endless(b"X-More: of it\r\n" * 1000)

    with hostile(script) as (_, source), in_time():
        refused(Unreachable, source.top)


def test_endless_preliminary_answers_are_left_in_time() -> None:
    with (
        hostile(lambda _: endless(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000)) as (_, source),
        in_time(),
    ):
        refused(Unreachable, source.top)


def test_a_dripped_document_is_left_in_time() -> None:
    def script(_: Asked) -> Answer:
        yield as_manifest(b"", Content_Length="2000").partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        yield from dripped(bytes(2000), 0.05)

    with hostile(script) as (_, source), in_time():
        refused(Unreachable, source.top)


@pytest.mark.parametrize("pause", [0.02, FOREVER])
def test_a_dripped_or_stalled_blob_is_left_in_time(pause: float) -> None:
    def script(_: Asked) -> Answer:
        yield head(200, [("Content-Length", str(len(LAYER)))]) + LAYER[:5000]
        yield from dripped(LAYER[5000:], pause)

    with hostile(script) as (_, source), in_time():
        assert "too slowly" in refused(Unreachable, lambda: read(source, LAYER))


def test_a_slow_blob_that_keeps_to_the_rate_is_read_however_long_it_takes() -> None:
    def script(_: Asked) -> Answer:
        yield head(200, [("Content-Length", str(len(LAYER)))])
        for start in range(0, len(LAYER), 16_000):
            yield LAYER[start : start + 16_000]
            yield 0.05

    # 16,000 bytes each 0.05 s are 320,000 a second; a whole blob takes 0.8 s.
    patient = Patiences(connect=0.5, document=1, blob_begin=0.5, blob_pause=0.2, blob_rate=160_000)
    with hostile(script, patiences=patient) as (_, source):
        assert read(source, LAYER) == LAYER


def test_a_reader_who_takes_his_time_is_not_taken_for_a_stalled_server() -> None:
    patient = Patiences(connect=0.5, document=1, blob_begin=0.3, blob_pause=0.3, blob_rate=1e9)
    answers = {blob_path(LAYER): response(body=LAYER)}
    with (
        hostile(answers, patiences=patient) as (_, source),
        source.blob(descriptor(LAYER)) as chunks,
    ):
        first = next(chunks)
        time.sleep(0.6)  # longer than any patience: it is the reader's own time
        assert first + b"".join(chunks) == LAYER


# --- redirects


def test_a_redirect_is_followed_and_the_credentials_stay_behind(tmp_path: Path) -> None:
    with HostileServer(lambda _: [response(body=LAYER)]) as storage:
        challenge = {"WWW-Authenticate": 'Basic realm="x"'}

        def script(asked: Asked) -> Answer:
            if "authorization" not in asked.headers:
                return [response(401, headers=challenge)]
            return [redirect(f"http://{storage.host}/elsewhere?signature=secret")]

        with hostile(script) as (server, _):
            file = login_file(tmp_path, server.host)
            told = frozenset({server.host})
            with talking_to(server.host, plain_http=told, auth_files=(file,)) as source:
                assert read(source, LAYER) == LAYER
        assert [asked.target for asked in storage.asked] == ["/elsewhere?signature=secret"]
        assert "authorization" not in storage.asked[0].headers
        assert len([asked for asked in server.asked if "authorization" in asked.headers]) == 1


def test_a_redirect_within_the_registry_keeps_the_credentials(tmp_path: Path) -> None:
    def script(asked: Asked) -> Answer:
        if "authorization" not in asked.headers:
            return [response(401, headers={"WWW-Authenticate": "Basic"})]
        return [response(body=LAYER) if asked.path == "/x" else redirect("/x")]

    with HostileServer(script) as server:
        file = login_file(tmp_path, server.host)
        told = frozenset({server.host})
        with talking_to(server.host, plain_http=told, auth_files=(file,)) as source:
            assert read(source, LAYER) == LAYER


def test_a_login_that_storage_asks_for_is_not_given(tmp_path: Path) -> None:
    challenge = response(401, headers={"WWW-Authenticate": "Basic"})
    with (
        HostileServer(lambda _: [challenge]) as storage,
        HostileServer(lambda _: [redirect(f"http://{storage.host}/x")]) as server,
    ):
        file = login_file(tmp_path, server.host)
        told = frozenset({server.host})
        with talking_to(server.host, plain_http=told, auth_files=(file,)) as source:
            message = refused(Unreachable, lambda: read(source, LAYER))
    assert f"{storage.host}, which answers 401" in message
    assert all("authorization" not in asked.headers for asked in storage.asked + server.asked)


@pytest.mark.parametrize(
    "place",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/x",
        "http://[::ffff:169.254.169.254]/x",
        "http://[fd00:ec2::254]/x",
        "http://0.0.0.0/x",
        "https://metadata.tests/x",
    ],
)
def test_a_redirect_to_a_link_local_or_metadata_address_is_refused(place: str) -> None:
    def resolve(host: str, port: int) -> list[str]:
        # As the system does for other spellings of an address.
        named = {"metadata.tests": "169.254.169.254"}
        return [named.get(host) or str(socket.getaddrinfo(host, port)[0][4][0])]

    with hostile(lambda _: [redirect(place)], resolve=resolve) as (_, source), in_time():
        message = refused(Refused, lambda: read(source, LAYER))
    assert "link-local, metadata or reserved" in message


@pytest.mark.parametrize(
    "place",
    [
        "file:///etc/passwd",
        "http://0xa9fea9fe/x",
        "http://2852039166/x",
        "ftp://127.0.0.1/x",
        "http://user:pass@127.0.0.1/x",
        "gopher://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://a b/",
        "http://[::1/",
        "x" * 20_000,
    ],
)
def test_a_redirect_to_what_is_no_plain_web_address_is_refused(
    place: str,
) -> None:
    with hostile(lambda _: [redirect(place)]) as (server, source):
        message = refused(Refused, lambda: read(source, LAYER))
        assert len(server.asked) == 1
    assert "redirects to" in message


def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issue_server_files(tmp_path))
    trust = {"SSL_CERT_FILE": str(tmp_path / "ca.crt")}
    with (
        HostileServer(lambda _: [response(body=LAYER)]) as storage,
        HostileServer(lambda _: [redirect(f"http://{storage.host}/x")], tls=context) as server,
        talking_to(server.host, environ=trust) as source,
    ):
        message = refused(Refused, lambda: read(source, LAYER))
        assert storage.asked == []
    assert "from https to http" in message


def test_a_redirect_without_a_place_is_bad() -> None:
    with hostile(lambda _: [response(302)]) as (_, source):
        refused(BadContent, source.top)


def test_redirects_without_end_are_left_after_five() -> None:
    def script(asked: Asked) -> Answer:
        return [redirect(f"/{len(asked.path)}{asked.path}")]

    with hostile(script) as (server, source):
        assert "more than 5 times" in refused(Refused, source.top)
        assert len(server.asked) == 6


def test_a_redirect_in_a_circle_is_left_after_five() -> None:
    with hostile(lambda asked: [redirect(asked.path)]) as (server, source):
        refused(Refused, source.top)
        assert len(server.asked) == 6


def test_a_place_that_answers_a_redirect_with_nothing_is_the_storage_s_fault() -> None:
    with (
        HostileServer(lambda _: [response(404)]) as storage,
        hostile(lambda _: [redirect(f"http://{storage.host}/x")]) as (_, source),
    ):
        message = refused(Unreachable, lambda: read(source, LAYER))
    assert f"{storage.host}, which answers 404" in message


# --- token realms


def challenged(realm: str, then: bytes = b"") -> dict[str, object]:
    header = {
        "WWW-Authenticate": f'Bearer realm="{realm}",service="s",scope="repository:*:push,pull"'
    }

    def script(asked: Asked) -> Answer:
        return [
            then if then and "authorization" in asked.headers else response(401, headers=header)
        ]

    return {manifest_path(): script}


def test_a_token_realm_on_another_host_is_refused_and_never_asked(tmp_path: Path) -> None:
    with HostileServer(lambda _: [document({"token": "x"})], address="127.0.0.2") as other:
        with (
            HostileServer(lambda _: []) as _,
            hostile(challenged(f"http://{other.host}/token")) as (server, _s),
        ):
            file = login_file(tmp_path, server.host)
            told = frozenset({server.host})
            with talking_to(server.host, plain_http=told, auth_files=(file,)) as source:
                message = refused(Refused, source.top)
        assert other.asked == []
    assert f"{other.host}, which is not its own" in message
    assert "--token-realm 127.0.0.2" in message


@pytest.mark.parametrize("with_port", [True, False])
def test_a_token_realm_that_was_told_is_asked_for_what_we_want_only(with_port: bool) -> None:  # noqa: FBT001  # a case
    with HostileServer(lambda _: [document({"token": "x"})], address="127.0.0.2") as other:
        told = frozenset({other.host if with_port else "127.0.0.2"})
        answers = challenged(f"http://{other.host}/token?a=b", as_manifest(manifest()))
        with hostile(answers, token_realms=told) as (server, source):
            assert source.top()[1] == manifest()
            assert server.asked[-1].headers["authorization"] == "Bearer x"
        assert [asked.target for asked in other.asked] == [
            "/token?a=b&service=s&scope=repository%3Ateam%2Fnotebook%3Apull"
        ]


@pytest.mark.parametrize(
    "realm", ["", "x", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "http://169.254.169.254/"]
)
def test_a_realm_that_is_no_place_is_refused(realm: str) -> None:
    with hostile(challenged(realm)) as (_, source):
        refused(Refused, source.top)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b'{"token": 1}',
        b'{"token": ""}',
        b'{"token": "a\\r\\nb"}',
        b'{"token": "\xc3\xa9"}',
        b"[" * 5000,
        b'{"token": "' + b"x" * 70_000 + b'"}',
        b"x" * 300_000,
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(answer: bytes) -> None:
    def script(asked: Asked) -> Answer:
        if asked.path == "/token":
            return [response(body=answer)]
        host = asked.headers["host"]
        return [response(401, headers={"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})]

    with hostile(script) as (_, source):
        refused(BadContent, source.top)


def test_a_token_that_is_refused_is_asked_for_once() -> None:
    def script(asked: Asked) -> Answer:
        host = asked.headers["host"]
        if asked.path == "/token":
            return [document({"token": "secret"})]
        return [response(401, headers={"WWW-Authenticate": f'Bearer realm="http://{host}/token"'})]

    with hostile(script) as (server, source):
        message = refused(Unauthorized, source.top)
        assert [asked.path for asked in server.asked] == [
            manifest_path(),
            "/token",
            manifest_path(),
        ]
    assert "secret" not in message


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ('Bearer realm="', BadContent),
        ("Negotiate", Unauthorized),
        ("", Unauthorized),
        ("x" * 9000, BadContent),
        ("Basic", Unauthorized),
    ],
)
def test_any_challenge_ends_in_an_error_of_ours(header: str, kind: type[SourceError]) -> None:
    with hostile(lambda _: [response(401, headers={"WWW-Authenticate": header})]) as (_, source):
        refused(kind, source.top)


def test_what_a_registry_says_of_its_errors_cannot_break_a_line() -> None:
    error = document({"errors": [{"code": "X\n\u001b[31m", "message": "y" * 5000}]})
    answer = error.replace(b"200 OK", b"404 Not Found")
    with hostile({manifest_path(): answer}) as (_, source):
        assert "X??[31m: yyy" in refused(NotFound, source.top)


def test_a_source_can_be_closed_in_the_middle_of_a_blob() -> None:
    with hostile({blob_path(LAYER): response(body=LAYER)}) as (_, source):
        with source.blob(descriptor(LAYER)) as chunks:
            next(chunks)
        assert isinstance(source, RegistrySource)
        assert read(source, LAYER) == LAYER
