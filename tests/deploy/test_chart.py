"""The chart holds what the overlays hold, object by object."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.rendering import (
    CHART,
    Document,
    Objects,
    chart,
    chart_text,
    composed,
    kinds,
    overlay,
)
from tests.deploy.tools import ToolFailed

WITH_NAMESPACE = {"namespace": {"create": True}}
CERT_MANAGER = {"certificates": {"provider": "certManager"}}
PROFILE = "app.kubernetes.io/part-of"
MONITORING = {"monitoring": {"enabled": True}}


def normal(objects: Objects) -> dict[tuple[str, str, str], Document]:
    """Leave out what belongs to Helm alone: that it must not delete an object with its release."""
    found = {}
    for key, document in copy.deepcopy(dict(objects)).items():
        annotations = document["metadata"].get("annotations", {})
        annotations.pop("helm.sh/resource-policy", None)
        if not annotations:
            document["metadata"].pop("annotations", None)
        found[key] = document
    return found


def test_the_default_chart_is_the_self_managed_overlay() -> None:
    assert normal(chart(WITH_NAMESPACE)) == normal(overlay("self-managed"))


def test_the_chart_with_cert_manager_is_the_overlay_with_cert_manager() -> None:
    made = chart({**WITH_NAMESPACE, **CERT_MANAGER})
    assert normal(made) == normal(overlay("cert-manager"))


@pytest.mark.parametrize(("name", "values"), [("self-managed", {}), ("cert-manager", CERT_MANAGER)])
def test_the_chart_with_monitoring_is_the_overlay_with_the_component(
    tmp_path: Path, name: str, values: Document
) -> None:
    made = chart({**WITH_NAMESPACE, **values, **MONITORING})
    assert normal(made) == normal(composed(tmp_path, name, "monitoring"))


def test_helm_makes_the_namespace_only_if_asked_to() -> None:
    without = overlay("self-managed").keys() - chart().keys()
    assert without == {("Namespace", "", "nbgate-system")}


def test_another_namespace_is_named_everywhere() -> None:
    text = chart_text({**WITH_NAMESPACE, **MONITORING, **CERT_MANAGER}, "--namespace", "elsewhere")
    assert "nbgate-system" not in text
    assert "nbgate.elsewhere.svc" in text


def test_what_helm_must_not_delete_is_marked() -> None:
    kept = {
        key
        for key, document in chart({**WITH_NAMESPACE, "policy": {"unknown": "Deny"}}).items()
        if document["metadata"].get("annotations", {}).get("helm.sh/resource-policy") == "keep"
    }
    assert {kind for kind, _, _ in kept} == {"CustomResourceDefinition", "Namespace"}
    # A cluster that knows the kind gets the policy with the release; else the notes say to upgrade once more.
    again = chart({"policy": {"unknown": "Deny"}}, "--api-versions", "nbgate.dev/v1alpha1")
    policy = again["NotebookPolicy", "", "default"]
    assert policy["spec"] == {"unknown": "Deny"}
    assert policy["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_a_policy_as_text_keeps_what_helm_would_drop() -> None:
    text = "pod:\n  runAsUser: null\n  gpu: {action: 'Off'}\n"
    made = chart({"policy": text, "crds": {"install": False}})
    assert made["NotebookPolicy", "", "default"]["spec"] == yaml.safe_load(text)
    assert not kinds(made, "CustomResourceDefinition")


def test_what_is_chosen_for_pods_arrives() -> None:
    toleration = {"key": "k", "operator": "Exists"}
    workload = {
        "replicas": 5,
        "nodeSelector": {"a": "b"},
        "tolerations": [toleration],
        "priorityClassName": "mine",
        "resources": {"limits": {"cpu": "1"}},
        "extraArgs": ["--log-level=debug"],
    }
    image = {"repository": "r.example/n", "tag": "t", "digest": f"sha256:{'a' * 64}"}
    made = chart(
        {
            "webhook": workload,
            "controller": workload,
            "image": image,
            "imagePullSecrets": [{"name": "s"}],
        }
    )
    for deployment in kinds(made, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert deployment["spec"]["replicas"] == 5
        assert pod["nodeSelector"] == {"a": "b"}
        assert pod["tolerations"] == [toleration]
        assert pod["priorityClassName"] == "mine"
        assert pod["imagePullSecrets"] == [{"name": "s"}]
        assert container["resources"]["limits"] == {"cpu": "1", "memory": _memory(container)}
        assert container["args"][-1] == "--log-level=debug"
        assert container["image"] == f"r.example/n:t@sha256:{'a' * 64}"
    budgets = kinds(made, "PodDisruptionBudget")
    assert [budget["spec"]["minAvailable"] for budget in budgets] == [4, 4]
    (quota,) = kinds(made, "ResourceQuota")
    assert quota["spec"]["scopeSelector"]["matchExpressions"][0]["values"] == ["mine"]


def _memory(container: Document) -> str:
    # Helm merges mappings: a limit that is not named stays
    return {"webhook": "512Mi", "controller": "1Gi"}[container["name"]]


def test_what_is_chosen_for_admission_arrives() -> None:
    selector = {"matchLabels": {"team": "notebooks"}, "matchExpressions": []}
    policy = {"mutate": "Fail", "validate": "Ignore"}
    made = chart({"admission": {"failurePolicy": policy, "namespaceSelector": selector}})
    profiles = {PROFILE: "kubeflow-profile", "team": "notebooks"}
    for kind, failure in (("Mutating", "Fail"), ("Validating", "Ignore")):
        configuration = made[f"{kind}WebhookConfiguration", "", "nbgate"]
        for webhook in configuration["webhooks"]:
            if "policies.nbgate.dev" in webhook["name"]:
                assert webhook["failurePolicy"] == "Ignore"
            else:
                assert webhook["failurePolicy"] == failure
                assert webhook["namespaceSelector"]["matchLabels"] == profiles


def test_network_policies_can_be_left_out_but_not_the_probes() -> None:
    made = chart({"networkPolicy": {"enabled": False}, **MONITORING})
    assert [policy["metadata"]["name"] for policy in kinds(made, "NetworkPolicy")] == [
        "nbgate-probe"
    ]


def test_ports_of_api_servers_and_registries_can_be_added() -> None:
    made = chart({"networkPolicy": {"apiServerPorts": [8443], "registryPorts": [5000]}})
    egress = {
        policy["metadata"]["name"]: [port["port"] for port in policy["spec"]["egress"][0]["ports"]]
        for policy in kinds(made, "NetworkPolicy")
        if policy["metadata"]["name"] in {"nbgate-webhook", "nbgate-controller"}
    }
    assert egress == {"nbgate-webhook": [8443], "nbgate-controller": [8443, 443, 5000]}


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"webook": {}}, "webook"),
        ({"webhook": {"replica": 2}}, "replica"),
        ({"webhook": {"replicas": 0}}, "replicas"),
        ({"webhook": {"replicas": "3"}}, "replicas"),
        ({"webhook": {"extraArgs": ["serve"]}}, "extraArgs"),
        ({"certificates": {"provider": "cert-manager"}}, "provider"),
        ({"admission": {"failurePolicy": {"validate": "fail"}}}, "validate"),
        ({"admission": {"namespaceSelector": None}}, "namespaceSelector"),
        (
            {"admission": {"namespaceSelector": {"matchLabels": {PROFILE: None}}}},
            "namespaceSelector",
        ),
        ({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts"),
        ({"image": {"digest": "sha256:0"}}, "digest"),
        ({"policy": ["unknown"]}, "policy"),
    ],
)
def test_a_value_that_is_none_is_refused_by_its_name(values: dict[str, Any], place: str) -> None:
    with pytest.raises(ToolFailed, match=place):
        chart(values)


def test_every_value_is_described_and_every_description_has_a_value() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    definitions = schema["definitions"]

    def compare(value: object, described: Document, path: str) -> None:
        described = definitions.get(described.get("$ref", "").rpartition("/")[2], described)
        if not isinstance(value, dict) or described.get("additionalProperties") is not False:
            return
        named = described["properties"].keys() - {"global", "matchExpressions"}
        assert value.keys() == named, path
        for key, inner in value.items():
            compare(inner, described["properties"][key], f"{path}.{key}")

    compare(values, schema, "")
