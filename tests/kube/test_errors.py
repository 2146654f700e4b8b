"""What the API server answers becomes one line with the cure; its words are strangers' words too."""

from __future__ import annotations

import json

import pytest

from webhook.kubeerrors import (
    Asked,
    Conflict,
    Forbidden,
    KubeError,
    NotFound,
    Refused,
    Resource,
    Unreachable,
    refusal,
)

PODS = Resource(group="", version="v1", name="pods")
SCANS = Resource(group="nbgate.dev", version="v1alpha1", name="imagescans")
CREATE = Asked("create", PODS, "probes")


def status(message: str, reason: str = "") -> bytes:
    return json.dumps({"kind": "Status", "message": message, "reason": reason}).encode()


@pytest.mark.parametrize(
    ("code", "message", "reason", "kind"),
    [
        (401, "Unauthorized", "Unauthorized", Forbidden),
        (403, 'pods is forbidden: User "bob" cannot create resource "pods"', "", Forbidden),
        (403, 'pods "a" is forbidden: exceeded quota: small', "Forbidden", Refused),
        (403, 'admission webhook "w" denied the request: no', "Forbidden", Refused),
        (404, 'namespaces "probes" not found', "NotFound", NotFound),
        (409, "already exists", "AlreadyExists", Conflict),
        (409, "the object has been modified", "Conflict", Conflict),
        (422, "spec.containers: Required value", "Invalid", Refused),
        (429, "too many requests", "TooManyRequests", Unreachable),
        (500, "etcdserver: request timed out", "InternalError", Unreachable),
        (302, "", "", Unreachable),
    ],
)
def test_each_answer_has_its_error(
    code: int, message: str, reason: str, kind: type[KubeError]
) -> None:
    assert type(refusal(CREATE, code, status(message, reason))) is kind


def test_who_may_not_is_told_what_to_grant() -> None:
    body = status('User "system:serviceaccount:a:b" cannot get resource "pods/log"')

    told = str(refusal(Asked("get", PODS, "probes", "one", "log"), 403, body))

    assert told == (
        "cannot get pods/log one in namespace probes: system:serviceaccount:a:b may not; "
        "give it a Role with verb get on pods/log"
    )


def test_outside_of_namespaces_that_takes_a_cluster_role() -> None:
    body = status('User "bob" cannot update resource "imagescans/status"')

    told = str(refusal(Asked("update", SCANS, name="a", subresource="status"), 403, body))

    assert told.endswith("a ClusterRole with verb update on imagescans.nbgate.dev/status")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"kind": "Pod"}', b"\xff"])
def test_a_refusal_that_is_no_status_is_none_of_the_api_servers(body: bytes) -> None:
    assert type(refusal(CREATE, 422, body)) is Unreachable


def test_words_of_strangers_stay_on_one_line_and_short() -> None:
    told = str(refusal(CREATE, 422, status("a\nb\x1b[2J" + "x" * 10_000)))

    assert told.isprintable()
    assert len(told) < 500


def test_names_cannot_leave_their_place_in_a_path() -> None:
    assert Asked("get", PODS, "a/b", "../c").path == "/api/v1/namespaces/a%2Fb/pods/..%2Fc"
    assert Asked("get", SCANS, name="a", subresource="status").path == (
        "/apis/nbgate.dev/v1alpha1/imagescans/a/status"
    )
