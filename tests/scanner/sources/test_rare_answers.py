"""Answers and files that are rare and not hostile: each ends in one line that names the place and the cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scanner.hostile import FOREVER, HostileServer, head, response
from tests.scanner.sources.talking import (
    LAYER,
    as_manifest,
    blob_path,
    hostile,
    manifest,
    manifest_path,
    read,
    refused,
    talking_to,
)
from tests.scanner.tokenserver import IDENTITY_TOKEN
from webhook.scanner.errors import (
    BadContent,
    RateLimited,
    Refused,
    SourceError,
    Unauthorized,
    Unreachable,
)
from webhook.scanner.sources.localfile import LocalFile

UNREADABLE = Path("/proc/sys/net/ipv4/route/flush")  # a file that not even root may read
FAILING = Path("/sys/class/net/lo/speed")  # and one of which each read fails


def test_a_part_is_not_taken_for_the_whole_that_was_asked_for() -> None:
    part = response(206, LAYER[:1000], {"Content-Range": f"bytes 0-999/{len(LAYER)}"})
    answers = {manifest_path(): as_manifest(manifest()), blob_path(LAYER): part}
    with hostile(answers) as (_, source):
        assert "a part of it, though all was asked for" in refused(
            BadContent, lambda: read(source, LAYER)
        )


def test_a_password_is_needed_where_only_an_identity_token_is_there(tmp_path: Path) -> None:
    asking = response(401, headers={"WWW-Authenticate": 'Basic realm="here"'})
    with HostileServer(lambda _: [asking]) as server:
        file = tmp_path / "auth.json"
        file.write_text(
            f'{{"auths": {{"{server.host}": {{"identitytoken": "{IDENTITY_TOKEN}"}}}}}}'
        )
        options = {"plain_http": frozenset({server.host}), "auth_files": (file,)}
        with talking_to(server.host, **options) as source:
            said = refused(Unauthorized, source.top)
        assert "only an identity token" in said
        assert "docker login" in said
        assert IDENTITY_TOKEN not in said
        assert all("authorization" not in asked.headers for asked in server.asked)


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (404, Unreachable, "answers 404 when asked for a token"),
        (401, Unauthorized, "gives no token to somebody without a login"),
    ],
)
def test_a_token_server_that_gives_none_says_whether_to_wait_or_to_log_in(
    status: int, kind: type[SourceError], words: str
) -> None:
    realm = f'Bearer realm="http://{{}}/token",service="{SERVICE}"'
    hosts: list[str] = []

    def asking(_: object) -> list[bytes]:
        return [response(401, headers={"WWW-Authenticate": realm.format(hosts[0])})]

    answers = {manifest_path(): asking, "/v2/": asking, "/token": response(status)}
    with hostile(answers) as (server, source):
        hosts.append(server.host)
        assert words in refused(kind, source.top)


SERVICE = "registry.tests"


def test_a_date_of_no_zone_is_one_of_utc() -> None:
    """As RFC 5322 has it for -0000, which some proxies write."""
    after = "Wed, 21 Oct 2015 07:28:00 -0000"
    limited = response(429, headers={"Retry-After": after})
    with hostile(lambda _: [limited]) as (_, source), pytest.raises(RateLimited) as caught:
        source.top()
    assert caught.value.retry_after == 0


def test_an_error_without_end_is_not_read_to_it() -> None:
    """Its text is for people: what there is of it within a moment is enough."""
    begun = head(403, [("Content-Type", "application/json"), ("Content-Length", "1000")])
    with hostile(lambda _: [begun, b'{"errors": [{"message": "quota', FOREVER]) as (_, source):
        said = refused(Unauthorized, source.top)
    assert said.isprintable()


def test_authorities_that_cannot_be_read_are_told_of_with_the_variable(tmp_path: Path) -> None:
    with (
        HostileServer(lambda _: [as_manifest(manifest())]) as server,
        talking_to(server.host, environ={"SSL_CERT_FILE": str(tmp_path / "none.pem")}) as source,
    ):
        assert "correct SSL_CERT_FILE" in refused(Refused, source.top)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (UNREADABLE, "flush may not be read: grant this user read rights"),
        (FAILING, "speed cannot be read: Invalid argument; check the disk"),
    ],
)
def test_a_local_file_that_the_kernel_refuses_says_why(path: Path, words: str) -> None:
    def whole() -> bytes:
        file = LocalFile(path, "oci:here")
        try:
            return file.read(0, 10)
        finally:
            file.close()

    assert words in refused(SourceError, whole)
