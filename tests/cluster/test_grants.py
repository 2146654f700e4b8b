"""Which rights manifests give, and which of them a request needs."""

from __future__ import annotations

import pytest

from tests.cluster.grants import Grant, granted, requests_in
from tests.cluster.manifests import Document

RULES: list[Document] = [
    {"apiGroups": ["nbgate.dev"], "resources": ["imagescans/status"], "verbs": ["update"]},
    {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["a", "b"], "verbs": ["get"]},
]


def role(kind: str, **place: str) -> list[Document]:
    """Return a role with these rules, bound to the account `worker`."""
    metadata = {"name": "does", **place}
    reference = {"kind": kind, "name": "does", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "worker", "namespace": "home"}
    return [
        {"kind": kind, "metadata": metadata, "rules": RULES},
        {
            "kind": f"{kind}Binding",
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [subject],
        },
    ]


def grant(verb: str, resource: str, namespace: str = "", name: str = "") -> Grant:
    return Grant(account="worker", verb=verb, resource=resource, namespace=namespace, name=name)


def test_each_verb_on_each_name_is_a_right_of_its_own() -> None:
    assert granted(role("ClusterRole")) == {
        grant("update", "imagescans.nbgate.dev/status"),
        grant("get", "secrets", name="a"),
        grant("get", "secrets", name="b"),
    }


def test_a_role_gives_rights_in_its_namespace_alone() -> None:
    assert {right.namespace for right in granted(role("Role", namespace="home"))} == {"home"}


def test_a_request_is_read_from_an_audit_event() -> None:
    place = {"resource": "imagescans", "subresource": "status", "apiGroup": "nbgate.dev"}
    user = {"username": "system:serviceaccount:home:worker"}
    named = {"user": user, "verb": "update", "objectRef": {**place, "name": "one"}}

    assert requests_in([named, {"user": user, "verb": "get"}]) == [
        grant("update", "imagescans.nbgate.dev/status", name="one")
    ]


@pytest.mark.parametrize(
    ("right", "allowed"),
    [
        (grant("get", "secrets"), True),
        (grant("get", "secrets", "home"), True),
        (grant("get", "secrets", "home", "a"), True),
        (grant("get", "secrets", "home", "b"), False),
        (grant("get", "secrets", "away"), False),
        (grant("list", "secrets"), False),
        (grant("get", "secrets/status"), False),
    ],
)
def test_a_right_allows_what_is_in_its_bounds(right: Grant, allowed: bool) -> None:  # noqa: FBT001 - a table
    assert right.allows(grant("get", "secrets", "home", "a")) is allowed
