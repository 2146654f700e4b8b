"""nbgate's webhook configurations without an nbgate: the API server asks, and nobody answers."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

from tests.cluster.controlplane import ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from webhook.doctor import probes
from webhook.doctor.expected import MUTATING, VALIDATING, Entry, path_of

SECONDS = 20  # the API server takes up to about one to heed a change
KINDS = ("mutatingwebhookconfiguration", "validatingwebhookconfiguration")


def configurations() -> tuple[Document, Document]:
    """Both as deploy/ installs them, without a caBundle."""
    return (
        _configuration("MutatingWebhookConfiguration", MUTATING),
        _configuration("ValidatingWebhookConfiguration", VALIDATING),
    )


def _configuration(kind: str, entries: Sequence[Entry]) -> Document:
    service = {"namespace": "nbgate-system", "name": "nbgate"}
    hooks = [
        {**copy.deepcopy(one), "clientConfig": {"service": {**service, "path": path_of(one)}}}
        for one in entries
    ]
    api = "admissionregistration.k8s.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "nbgate"}, "webhooks": hooks}


@contextmanager
def orphaned(plane: ControlPlane, namespace: str, *made: Document) -> Iterator[None]:
    """Create configurations, both as they should be unless others are given, for as long as the context is open.

    `namespace` is a profile's. Waits until none of it counts any more.
    """
    plane.create(*(made or configurations()))
    try:
        yield
    finally:
        for kind in KINDS:
            plane.kubectl("delete", kind, "nbgate", "--ignore-not-found")
        wait_for(lambda: admitted(plane, namespace), SECONDS, "the configurations to be gone")


def admitted(plane: ControlPlane, namespace: str) -> bool:
    """Tell whether a notebook's pod that nbgate would refuse is admitted, by a dry run."""
    path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
    return plane.request("POST", path, probes.pod(namespace)).status == HTTPStatus.CREATED
