"""Names are looked up once, every address is judged, and the one that was judged is connected to."""

from __future__ import annotations

import pytest

from tests.scanner.hostile import HostileServer, response
from tests.scanner.sources.talking import as_manifest, manifest, refused, talking_to
from webhook.scanner.errors import NotFound, Refused, SourceError
from webhook.scanner.sources.transport import NoTls


def test_a_name_that_means_another_address_at_the_second_look_gains_nothing() -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    with HostileServer(lambda _: [response(404)]) as server:
        host = f"rebinding.tests:{server.port}"
        told = frozenset({host})
        with talking_to(
            host, plain_http=told, resolve=lambda _host, _port: answers.pop(0)
        ) as source:
            # One look for one connection, though it is judged and connected to.
            refused(NotFound, source.top)
            assert answers == [["169.254.169.254"]]
            # The next connection is judged anew.
            assert "169.254.169.254" in refused(Refused, source.top)
        assert len(server.asked) == 1


def test_all_addresses_are_tried_until_one_answers() -> None:
    with HostileServer(lambda _: [as_manifest(manifest())]) as server:
        host = f"registry.tests:{server.port}"
        with talking_to(
            host,
            plain_http=frozenset({host}),
            resolve=lambda _host, _port: ["127.0.0.9", "::1", "127.0.0.1"],
        ) as source:
            assert source.top()[1] == manifest()


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    with HostileServer(lambda _: [as_manifest(manifest())]) as server:
        host = f"registry.tests:{server.port}"
        with talking_to(
            host, resolve=lambda _host, _port: ["127.0.0.1", "169.254.169.254"]
        ) as source:
            refused(Refused, source.top)
        assert server.asked == []


@pytest.mark.parametrize("private", [True, False])
def test_a_registry_here_is_reached_only_where_that_is_allowed(private: bool) -> None:  # noqa: FBT001  # a case
    with HostileServer(lambda _: [as_manifest(manifest())]) as server:
        told = frozenset({server.host})
        with talking_to(server.host, plain_http=told, private=private) as source:
            if private:
                source.top()
            else:
                assert "only public registries" in refused(Refused, source.top)
        assert bool(server.asked) is private


@pytest.mark.parametrize(
    "host",
    ["no-such-registry.invalid", f"{'a' * 64}.tests", "registry.tests:0", "[::1]:1", "0.0.0.0:1"],
)
def test_a_host_that_is_nowhere_is_one_of_our_errors(host: str) -> None:
    with talking_to(host) as source, pytest.raises(SourceError):
        source.top()


def test_http_is_not_tried_where_a_name_may_lead_outside() -> None:
    with HostileServer(lambda _: [as_manifest(manifest())]) as server:
        host = f"registry.tests:{server.port}"
        # 10.255.255.1 is never reached: the first address answers.
        with talking_to(host, resolve=lambda _host, _port: ["127.0.0.1", "10.255.255.1"]) as source:
            message = refused(NoTls, source.top)
        assert all(asked.method != "GET" for asked in server.asked)
    assert f"--plain-http {host}" in message
