"""Which hosts may give tokens for which registry."""

from __future__ import annotations

import pytest

from tests.scanner.sources.talking import refused
from webhook.scanner.errors import Refused
from webhook.scanner.sources.tokens import TokenRules, check_realm
from webhook.scanner.sources.urls import parse_url


def rules(registry: str, *told: str) -> TokenRules:
    url = parse_url(registry)
    return TokenRules(
        registry=url, name=url.authority, scope="repository:a:pull", told=frozenset(told)
    )


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://registry-1.docker.io/", "https://auth.docker.io/token"),
        ("https://registry.gitlab.com/", "https://gitlab.com/jwt/auth"),
        ("https://ghcr.io/", "https://ghcr.io/token"),
        ("https://quay.io/", "https://quay.io:8443/v2/auth"),
        ("https://docker.elastic.co/", "https://docker-auth.elastic.co/auth"),
        ("https://10.0.0.1:5000/", "https://10.0.0.1/token"),
        ("http://127.0.0.1:5000/", "http://127.0.0.1:6000/token"),
        ("http://127.0.0.1:5000/", "https://127.0.0.1:6000/token"),
        ("https://registry.tests/", "https://REGISTRY.tests/token"),
    ],
)
def test_a_registry_names_its_own_realm(registry: str, realm: str) -> None:
    assert check_realm("x", rules(registry), realm).host in realm.lower()


@pytest.mark.parametrize(
    ("registry", "realm"),
    [
        ("https://ghcr.io/", "https://evil.io/token"),
        ("https://ghcr.io/", "https://io/token"),
        ("https://registry.tests/", "https://auth.tests/token"),
        ("https://registry-1.docker.io/", "https://evildocker.io/token"),
        ("https://registry-1.docker.io/", "https://docker.io.evil.example/token"),
        ("https://10.0.0.1/", "https://2.0.0.1/token"),
        ("https://127.0.0.1/", "https://localhost/token"),
    ],
)
def test_a_registry_does_not_name_another_s_realm(registry: str, realm: str) -> None:
    message = refused(Refused, lambda: check_realm("x", rules(registry), realm))
    host = parse_url(realm).host
    assert host in message
    assert f"--token-realm {host}" in message


@pytest.mark.parametrize("told", ["ghcr.io", "ghcr.io:8443"])
def test_what_was_told_passes(told: str) -> None:
    check_realm("x", rules("https://lscr.io/", told), "https://ghcr.io:8443/token")
    with pytest.raises(Refused):
        check_realm("x", rules("https://lscr.io/", "ghcr.io:1"), "https://ghcr.io/token")


@pytest.mark.parametrize("told", [(), ("registry.tests",)])
def test_a_realm_is_never_weaker_than_the_registry(told: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="not https"):
        check_realm("x", rules("https://registry.tests/", *told), "http://registry.tests/token")
