"""Somebody else in the webhook's place, who allows everything: the API server believes only who has its CA's leaf."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from certs.authority import issue_authority
from certs.keypair import KeyPair
from tests.cluster import webhooks
from tests.cluster.controlplane import Answer, ControlPlane
from tests.cluster.enforcement import in_force
from tests.cluster.jsonwebhook import answering
from tests.cluster.manifests import pod_of, stateful_set

pytestmark = pytest.mark.cluster

IMAGE = "registry.example.com/anything:v1"
FAILED = 'failed calling webhook "pods.nbgate.dev"'
DAY = timedelta(days=1)


def authority() -> KeyPair:
    """Issue a CA by the name that nbgate's own has: a name is no proof."""
    return issue_authority("nbgate", now=datetime.now(UTC), lifetime=10 * DAY)


@contextmanager
def anybody(
    directory: Path, issuer: KeyPair, *, host: str = "127.0.0.1", code: int = 200
) -> Iterator[int]:
    """Allow everything, with this code, by a leaf of this CA for this host; give the port."""
    with answering(directory, issuer, lambda _: {}, host=host, code=code) as port:
        yield port


def created(plane: ControlPlane, namespace: str, port: int, trusted: KeyPair) -> Answer:
    """Create a notebook's pod behind a webhook at this port that is trusted by this CA."""
    pod = pod_of(stateful_set("nb", namespace, IMAGE))
    with in_force(plane, webhooks.validating(port, trusted.certificate_pem)):
        return plane.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)


def test_an_impostor_with_another_ca_is_not_believed(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    with anybody(tmp_path, authority()) as port:
        answer = created(control_plane, namespace, port, authority())
    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert FAILED in answer.document["message"]
    assert "x509" in answer.text


def test_a_leaf_for_another_host_is_not_believed(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    ours = authority()
    with anybody(tmp_path, ours, host="somebody.else.svc") as port:
        answer = created(control_plane, namespace, port, ours)
    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "x509" in answer.text


def test_an_error_that_says_allowed_admits_nothing(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    ours = authority()
    with anybody(tmp_path, ours, code=500) as port:
        answer = created(control_plane, namespace, port, ours)
    assert answer.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert FAILED in answer.document["message"]


def test_who_has_the_right_leaf_is_believed(
    control_plane: ControlPlane, namespace: str, tmp_path: Path
) -> None:
    """So what was refused above was refused for the certificate or the code: the key is what there is to guard."""
    ours = authority()
    with anybody(tmp_path, ours) as port:
        answer = created(control_plane, namespace, port, ours)
    assert answer.status == HTTPStatus.CREATED
