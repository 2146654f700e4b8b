"""Every object is one that Kubernetes knows, from the oldest version whose schemas there are to the newest.

What is older, 1.20, is asked itself: see tests/cluster/test_deploy_applied.py.
"""

from __future__ import annotations

from pathlib import Path

import kubernetes_validate
import pytest

from tests.deploy.rendering import Document, Objects, chart, composed, overlay

VERSIONS = ("1.25", "1.31", kubernetes_validate.latest_version())
# Kinds of others, whose definitions we do not have.
FOREIGN = {"cert-manager.io", "monitoring.coreos.com"}
WORKLOAD = {
    "nodeSelector": {"a": "b"},
    "tolerations": [{"operator": "Exists"}],
    "priorityClassName": "mine",
}
CHOSEN = {
    "webhook": WORKLOAD,
    "controller": WORKLOAD,
    "imagePullSecrets": [{"name": "s"}],
    "monitoring": {"enabled": True},
    "namespace": {"create": True},
}


@pytest.fixture(scope="module", params=["self-managed", "cert-manager", "chart"])
def objects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Objects:
    if request.param == "chart":
        return chart(CHOSEN)
    return composed(tmp_path_factory.mktemp("composed"), request.param, "monitoring")


@pytest.mark.parametrize("version", VERSIONS)
def test_all_is_what_kubernetes_knows(objects: Objects, version: str) -> None:
    own = [o for o in objects.values() if o["apiVersion"].partition("/")[0] not in FOREIGN]
    assert len(own) > 30
    for document in own:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_field_that_kubernetes_does_not_know_is_found() -> None:
    deployment: Document = overlay("self-managed")["Deployment", "nbgate-system", "nbgate-webhook"]
    template = deployment["spec"]["template"]
    pod = {**template["spec"], "securityContexts": {}}
    wrong = {
        **deployment,
        "spec": {**deployment["spec"], "template": {**template, "spec": pod}},
    }
    with pytest.raises(kubernetes_validate.ValidationError, match="securityContexts"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_kubernetes_1_20_gets_budgets_that_it_knows(tmp_path: Path) -> None:
    made = composed(tmp_path, "self-managed", "kubernetes-1.20")
    usual = overlay("self-managed")
    changed = [key for key in usual if made[key] != usual[key]]
    assert made.keys() == usual.keys()
    assert {kind for kind, _, _ in changed} == {"PodDisruptionBudget"}
    assert all(made[key] == {**usual[key], "apiVersion": "policy/v1beta1"} for key in changed)
