"""Proxies: which variable means which address, and a real one in between."""

from __future__ import annotations

import base64

import pytest

from tests.scanner.hostile import HostileServer, response
from tests.scanner.sources.talking import NAME, as_manifest, manifest, refused, talking_to
from webhook.scanner.errors import Refused, Unreachable
from webhook.scanner.sources.proxies import proxy_for
from webhook.scanner.sources.urls import InvalidUrl, parse_url

PROXY = "http://proxy.tests:3128"


def chosen(url: str, **environ: str) -> str | None:
    proxy = proxy_for(parse_url(url), environ)
    return None if proxy is None else f"{proxy.host}:{proxy.port}"


def test_each_scheme_has_its_variable() -> None:
    assert chosen("https://a.tests/", https_proxy=PROXY) == "proxy.tests:3128"
    assert chosen("https://a.tests/", HTTPS_PROXY="proxy.tests") == "proxy.tests:80"
    assert chosen("https://a.tests/", http_proxy=PROXY) is None
    assert chosen("http://a.tests/", http_proxy=PROXY, https_proxy="x") == "proxy.tests:3128"
    # A web server sets it to what its client sends as the header Proxy.
    assert chosen("http://a.tests/", HTTP_PROXY=PROXY) is None


@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "0xa9fea9fe",
        "169.254.43518",
        "0251.0376.0251.0376",
        "127.1",
        "127.0.0.1.",
        "0x.",
    ],
)
def test_an_address_in_disguise_is_no_host_for_a_proxy_would_take_it_for_one(host: str) -> None:
    with pytest.raises(InvalidUrl, match="no host that could be looked up"):
        parse_url(f"http://{host}/latest/meta-data")
    assert parse_url("http://registry1.v2.x0:5000/").host == "registry1.v2.x0"


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost:5000"])
def test_this_machine_is_never_behind_a_proxy(host: str) -> None:
    assert chosen(f"https://{host}/", https_proxy=PROXY) is None


@pytest.mark.parametrize(
    "excluded", ["*", "a.tests", ".tests", "tests", "*.tests", "x, a.tests:443 ,y", "A.TESTS"]
)
def test_what_is_excluded_is_reached_directly(excluded: str) -> None:
    url = "https://a.tests/" if "443" not in excluded else "https://a.tests:443/"
    assert chosen(url, https_proxy=PROXY, no_proxy=excluded.replace(":443", "")) is None
    assert chosen(url, https_proxy=PROXY, NO_PROXY=excluded.replace(":443", "")) is None


def test_networks_and_addresses_are_excluded() -> None:
    assert chosen("https://10.1.2.3/", https_proxy=PROXY, no_proxy="10.0.0.0/8") is None
    assert chosen("https://10.1.2.3/", https_proxy=PROXY, no_proxy="10.1.2.3") is None
    assert chosen("https://11.1.2.3/", https_proxy=PROXY, no_proxy="10.0.0.0/8,x") is not None


@pytest.mark.parametrize(
    "excluded", ["", ",", "ests", "b.a.tests", "tests.", "a.tests:8443", "10.0.0.0/8"]
)
def test_what_is_not_excluded_is_not(excluded: str) -> None:
    assert chosen("https://a.tests/", https_proxy=PROXY, no_proxy=excluded) is not None


@pytest.mark.parametrize(
    "text", ["https://p:1", "socks5://u:secret@p:1", "http://u:secret@p:x", "http://"]
)
def test_a_proxy_that_cannot_be_used_is_refused_and_its_password_not_shown(text: str) -> None:
    message = refused(Refused, lambda: chosen("https://a.tests/", https_proxy=text))
    assert "secret" not in message
    assert "HTTPS_PROXY" in message


def test_a_registry_is_reached_through_a_proxy_which_looks_its_name_up() -> None:
    def resolve(host: str, _port: int) -> list[str]:
        raise AssertionError(f"{host} was looked up here")

    host = "registry.tests"
    with HostileServer(lambda _: [as_manifest(manifest())]) as proxy:
        environ = {"http_proxy": f"http://me:pass%20word@{proxy.host}"}
        with talking_to(
            host, plain_http=frozenset({host}), environ=environ, resolve=resolve
        ) as source:
            assert source.top()[1] == manifest()
    (asked,) = proxy.asked
    assert asked.target == f"http://registry.tests:80/v2/{NAME}/manifests/v1"
    login = asked.headers["proxy-authorization"].removeprefix("Basic ")
    assert base64.b64decode(login) == b"me:pass word"


def test_a_proxy_that_opens_no_tunnel_is_named_and_not_given_our_request() -> None:
    with HostileServer(lambda _: [response(403)]) as proxy:
        with talking_to(
            "registry.tests", environ={"https_proxy": f"http://{proxy.host}"}
        ) as source:
            message = refused(Unreachable, source.top)
        assert {(asked.method, asked.target) for asked in proxy.asked} == {
            ("CONNECT", "registry.tests:443")
        }
    assert "403" in message


def test_an_address_behind_a_proxy_is_judged_all_the_same() -> None:
    with HostileServer(lambda _: []) as proxy:
        environ = {"https_proxy": f"http://{proxy.host}"}
        with talking_to("169.254.169.254", environ=environ) as source:
            refused(Refused, source.top)
        with talking_to("10.0.0.1", environ=environ, private=False) as source:
            refused(Refused, source.top)
        assert proxy.asked == []
