"""What `nbgate doctor` says to type cures what it names, on a real control plane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.doctoring import doctor, typed
from tests.cluster.orphaned import configurations, orphaned
from webhook.doctor.expected import MUTATE

pytestmark = pytest.mark.cluster


@pytest.fixture
def broken(control_plane: ControlPlane, namespace: str) -> Iterator[ControlPlane]:
    """Both configurations for a Service that is not there, with a fault in every field that has a cure."""
    mutating, validating = configurations()
    pods, ephemeral, notebooks, _ = validating["webhooks"]
    mutating["webhooks"][0] |= {"reinvocationPolicy": "Never", "timeoutSeconds": 10}
    pods |= {"failurePolicy": "Ignore", "objectSelector": {}, "matchPolicy": "Exact"}
    ephemeral |= {"namespaceSelector": {"matchLabels": {"team": "a"}}, "sideEffects": "None"}
    notebooks["rules"][0]["operations"] = ["CREATE"]
    notebooks["clientConfig"]["service"]["path"] = MUTATE
    with orphaned(control_plane, namespace, mutating, validating):
        yield control_plane


def test_what_is_to_be_typed_cures_the_configurations(broken: ControlPlane, namespace: str) -> None:
    before = doctor(broken.kubeconfig)
    assert before.results["webhooks"] == "wrong"
    assert len(before.cures("webhooks")) == 9
    for cure in before.cures("webhooks"):
        typed(broken, cure)
    after = doctor(broken.kubeconfig, "--profile", namespace)
    assert after.results["webhooks"] == "ok", after.said("webhooks")
    # closed now, and the Service is not there
    assert 'failed calling webhook "pods.nbgate.dev"' in after.said("dry-run")
    assert 'service "nbgate" not found' in after.said("dry-run")
