"""What a tag names now, asked for and nothing else; and which registries may be near."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scanner.hostile import Answer, Asked, HostileServer, response
from tests.scanner.registry import RunningRegistry, sha256
from tests.scanner.sources.talking import (
    NAME,
    as_manifest,
    hostile,
    manifest,
    push,
    refused,
    talking_to,
)
from webhook.scanner.errors import NotFound, RateLimited, Refused, Unreachable

DIGEST = sha256(manifest())


def test_a_tag_costs_one_request_without_a_body(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path) as registry:
        digest = push(registry)
        before = len(registry.requests())
        with talking_to(registry.host, plain_http=frozenset({registry.host})) as source:
            assert source.digest() == digest == source.top()[0].digest
        asked = [(method, path) for method, path, _, _ in registry.requests()[before:]]
        assert asked == [(method, f"/v2/{NAME}/manifests/v1") for method in ("HEAD", "GET")]


@pytest.mark.parametrize(
    "head",
    [
        response(405),
        response(404),
        response(200),
        response(200, headers={"Docker-Content-Digest": "md5:1"}),
        response(200, headers={"Docker-Content-Digest": f"sha512:{'a' * 128}"}),
        response(200, headers={"Docker-Content-Digest": "sha256:abc"}),
    ],
)
def test_a_registry_that_does_not_answer_well_is_asked_for_the_manifest(head: bytes) -> None:
    def script(asked: Asked) -> Answer:
        return [head if asked.method == "HEAD" else as_manifest(manifest())]

    with hostile(script) as (server, source):
        assert source.digest() == DIGEST
        assert [asked.method for asked in server.asked] == ["HEAD", "GET"]


def test_a_tag_that_is_gone_is_not_found(tmp_path: Path) -> None:
    with RunningRegistry(tmp_path) as registry:
        push(registry)
        with talking_to(registry.host, name=f"{NAME}:gone") as source:
            assert "check name, tag and digest" in refused(NotFound, source.digest)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimited), (503, Unreachable)])
def test_a_registry_that_is_busy_is_not_asked_twice(status: int, error: type[Unreachable]) -> None:
    with hostile(lambda _: [response(status, headers={"Retry-After": "77"})]) as (server, source):
        refused(error, source.digest)
        assert {asked.method for asked in server.asked} == {"HEAD"}


@pytest.mark.parametrize("named", [True, False])
def test_where_others_may_not_be_near_those_that_are_named_may(named: bool) -> None:  # noqa: FBT001  # a case
    with HostileServer(lambda _: [as_manifest(manifest())]) as server:
        near = frozenset({server.host.upper() if named else "127.0.0.1:1"})
        told = frozenset({server.host})
        with talking_to(server.host, plain_http=told, private=False, private_hosts=near) as source:
            if named:
                source.top()
            else:
                assert "--private-registry" in refused(Refused, source.top)
        assert bool(server.asked) is named
