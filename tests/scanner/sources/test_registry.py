"""The source against a real docker-registry: each way in, and what is found behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scanner.registry import RunningRegistry
from tests.scanner.sources.talking import (
    CONFIG,
    LAYER,
    NAME,
    descriptor,
    login_file,
    manifest,
    push,
    read,
    refused,
    talking_to,
)
from tests.scanner.tokenserver import IDENTITY_TOKEN, TokenServer
from webhook.scanner.errors import NotFound, Refused, Unauthorized
from webhook.scanner.image import Descriptor
from webhook.scanner.mediatypes import OCI_CONFIG, OCI_MANIFEST
from webhook.scanner.sources.registry import RegistrySource


def see_all(source: RegistrySource) -> str:
    """Read the manifest, the config and the layer; give the digest that was found."""
    top, data = source.top()
    assert data == manifest()
    assert (top.media_type, top.size) == (OCI_MANIFEST, len(data))
    assert source.document(top) == data
    assert source.document(descriptor(CONFIG, OCI_CONFIG)) == CONFIG
    assert read(source, LAYER) == LAYER
    return top.digest


def test_an_image_is_read_whole_without_a_login_and_http_on_loopback_is_found_out(
    tmp_path: Path,
) -> None:
    with RunningRegistry(tmp_path) as registry:
        digest = push(registry)
        with talking_to(registry.host) as source:
            known = (source.plain_http, see_all(source), source.plain_http)
            assert known == (False, digest, True)
            assert source.pull_name(digest) == f"{registry.host}/{NAME}@{digest}"


def test_a_digest_counts_and_the_tag_beside_it_is_decoration(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path) as registry:
        digest = push(registry)
        with talking_to(registry.host, name=f"{NAME}:gone@{digest}") as source:
            assert see_all(source) == digest


def test_an_image_that_is_not_there_is_not_found_and_the_message_says_what_the_registry_says(
    tmp_path: Path,
) -> None:
    with RunningRegistry(tmp_path) as registry:
        push(registry)
        with talking_to(registry.host, name=f"{NAME}:v2") as source:
            message = refused(NotFound, source.top)
        assert f"{registry.host}/{NAME}: " in message
        assert "has no manifest v2 (MANIFEST_UNKNOWN: manifest unknown)" in message
        with talking_to(registry.host) as source:
            assert "has no blob sha256:" in refused(NotFound, lambda: read(source, b"not there"))


def test_a_password_from_a_config_file_opens_a_registry(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path, password=True) as registry:
        push(registry)
        file = login_file(tmp_path, registry.host)
        with talking_to(registry.host, auth_files=(file,)) as source:
            see_all(source)
        # Once it is known that a login is wanted, it is sent unasked.
        statuses = [status for method, _, status, _ in registry.requests() if method == "GET"]
        assert statuses.count(401) == 1


def test_without_a_login_the_message_says_how_to_log_in(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path, password=True) as registry:
        with talking_to(registry.host) as source:
            message = refused(Unauthorized, source.top)
        assert f"docker login {registry.host}" in message
        assert "--auth-file" in message


def test_a_wrong_password_is_refused_and_never_shown(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path, password=True) as registry:
        file = login_file(tmp_path, registry.host, password="wrong, and secret")
        with talking_to(registry.host, auth_files=(file,)) as source:
            message = refused(Unauthorized, source.top)
        assert str(file) in message
        assert "secret" not in message


def test_a_token_is_had_with_the_password_for_pulling_this_repository_only_and_kept(
    tmp_path: Path,
) -> None:
    with TokenServer(tmp_path) as tokens, RunningRegistry(tmp_path, tokens=tokens) as registry:
        push(registry)
        file = login_file(tmp_path, registry.host)
        with talking_to(registry.host, auth_files=(file,)) as source:
            see_all(source)
        assert [asked["scope"] for asked in tokens.asked] == [f"repository:{NAME}:pull"]


def test_a_token_is_had_without_a_login_where_anybody_may_pull(tmp_path: Path) -> None:
    with (
        TokenServer(tmp_path, anonymous=True) as tokens,
        RunningRegistry(tmp_path, tokens=tokens) as registry,
    ):
        push(registry)
        with talking_to(registry.host) as source:
            see_all(source)
        assert [asked["_authorization"] for asked in tokens.asked] == [""]


def test_an_identity_token_is_exchanged_by_post(tmp_path: Path) -> None:
    with TokenServer(tmp_path) as tokens, RunningRegistry(tmp_path, tokens=tokens) as registry:
        push(registry)
        file = tmp_path / "auth.json"
        file.write_text(
            f'{{"auths": {{"{registry.host}": {{"identitytoken": "{IDENTITY_TOKEN}"}}}}}}'
        )
        with talking_to(registry.host, auth_files=(file,)) as source:
            see_all(source)
        assert [asked["_method"] for asked in tokens.asked] == ["POST"]
        assert tokens.asked[0]["grant_type"] == "refresh_token"


def test_a_token_that_has_run_out_is_renewed_once(tmp_path: Path) -> None:
    with (
        TokenServer(tmp_path, anonymous=True) as tokens,
        RunningRegistry(tmp_path, tokens=tokens) as registry,
    ):
        push(registry)
        with talking_to(registry.host) as source:
            source.top()
            assert len(tokens.asked) == 1
            source._session._authorization = "Bearer run.out.token"
            see_all(source)
            assert len(tokens.asked) == 2
            tokens.lifetime = -600
            source._session._authorization = None
            message = refused(Unauthorized, source.top)
        assert "to somebody without a login" in message
        assert len(tokens.asked) == 3


def test_no_token_without_a_login_says_how_to_log_in(tmp_path: Path) -> None:
    with TokenServer(tmp_path) as tokens, RunningRegistry(tmp_path, tokens=tokens) as registry:
        with talking_to(registry.host) as source:
            message = refused(Unauthorized, source.top)
        assert f"docker login {registry.host}" in message


def test_https_is_spoken_with_a_registry_whose_authority_is_named(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path, tls=True) as registry:
        digest = push(registry)
        trust = {"SSL_CERT_FILE": str(registry.authority)}
        with talking_to(registry.host, environ=trust) as source:
            assert see_all(source) == digest
            assert not source.plain_http


def test_a_certificate_of_an_unknown_authority_is_refused_and_http_is_not_tried(
    tmp_path: Path,
) -> None:
    with RunningRegistry(tmp_path, tls=True) as registry:
        push(registry)
        before = len(registry.requests())
        with talking_to(registry.host) as source:
            message = refused(Refused, source.top)
            assert not source.plain_http
        assert "SSL_CERT_FILE" in message
        assert len(registry.requests()) == before


def test_a_token_realm_without_tls_is_refused_where_the_registry_has_it(tmp_path: Path) -> None:
    with (
        TokenServer(tmp_path) as tokens,
        RunningRegistry(tmp_path, tokens=tokens, tls=True) as registry,
    ):
        trust = {"SSL_CERT_FILE": str(registry.authority)}
        file = login_file(tmp_path, registry.host)
        with talking_to(registry.host, environ=trust, auth_files=(file,)) as source:
            message = refused(Refused, source.top)
        assert f"{tokens.realm}, which is not https" in message
        assert tokens.asked == []


def test_http_is_not_found_out_but_told_where_the_registry_is_known_by_a_name_elsewhere(
    tmp_path: Path,
) -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    with RunningRegistry(tmp_path) as registry:
        digest = push(registry)
        host = f"registry.tests:{registry.port}"
        with talking_to(host, plain_http=frozenset({host}), resolve=resolve) as source:
            assert see_all(source) == digest


@pytest.mark.parametrize("digest", ["sha256:../../../x", "sha256:" + "A" * 64, ""])
def test_what_is_no_digest_never_gets_into_an_address(tmp_path: Path, digest: str) -> None:
    wrong = Descriptor(media_type=OCI_CONFIG, digest=digest, size=1)
    with RunningRegistry(tmp_path) as registry:
        before = len(registry.requests())
        with talking_to(registry.host) as source:
            with pytest.raises(Exception, match="digest"):
                source.document(wrong)
            with pytest.raises(Exception, match="digest"), source.blob(wrong):
                pass
        assert len(registry.requests()) == before
