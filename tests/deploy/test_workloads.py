"""What runs is confined, is rolled out without loss, and is told flags that there are."""

from __future__ import annotations

from typing import Any

import click
import pytest

from tests.cluster import webhooks
from tests.deploy.rendering import Document, chart, kinds, overlay
from webhook.cli.main import nbgate
from webhook.scanner.probes import clusterobjects

OVERLAYS = ("self-managed", "cert-manager")
COMPONENTS = ("webhook", "controller")
# Of a webhook configuration; the API server waits no longer (k8s.io/api/admissionregistration/v1).
LONGEST_CALL = 30


def deployment(component: str, name: str = "self-managed") -> Document:
    found: Document = overlay(name)["Deployment", "nbgate-system", f"nbgate-{component}"]
    return found


def pod(component: str, name: str = "self-managed") -> Document:
    spec: Document = deployment(component, name)["spec"]["template"]["spec"]
    return spec


def container(component: str, name: str = "self-managed") -> Document:
    (found,) = pod(component, name)["containers"]
    assert found["name"] == component
    single: Document = found
    return single


def parsed(component: str, name: str = "self-managed") -> click.Context:
    """Read a container's command line. Raises UsageError for a flag or value that there is not."""
    command, *flags = container(component, name)["args"]
    found = nbgate.get_command(click.Context(nbgate), command)
    assert found is not None
    return found.make_context(command, flags)


@pytest.mark.parametrize("name", OVERLAYS)
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_flags_are_flags_of_the_command(component: str, name: str) -> None:
    assert not parsed(component, name).args


def test_the_overlays_differ_in_who_looks_after_certificates() -> None:
    flags = {name: container("controller", name)["args"][-1] for name in OVERLAYS}
    assert flags == {"self-managed": "--certificates=self", "cert-manager": "--certificates=none"}
    common = overlay("self-managed").keys() & overlay("cert-manager").keys()
    only = {name: overlay(name).keys() - common for name in OVERLAYS}
    assert {kind for kind, _, _ in only["cert-manager"]} == {"Issuer", "Certificate"}
    assert {name for _, _, name in only["self-managed"]} == {
        "nbgate-tls",
        "nbgate-ca",
        "nbgate-controller-certificates",
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_pods_meet_the_restricted_standard_and_more(component: str) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    spec, one = pod(component), container(component)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 65532  # as in the Dockerfile
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert one["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not spec.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
    assert all(volume.keys() == {"name", "emptyDir"} for volume in spec["volumes"])
    assert all("sizeLimit" in volume["emptyDir"] for volume in spec["volumes"])
    mounted = {mount["name"] for mount in one["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_namespaces_enforce_what_their_pods_meet() -> None:
    levels = {
        document["metadata"]["name"]: document["metadata"]["labels"][
            "pod-security.kubernetes.io/enforce"
        ]
        for document in kinds(overlay("self-managed"), "Namespace")
    }
    assert levels == {"nbgate-system": "restricted", "nbgate-probes": "baseline"}


def test_only_pods_that_ask_get_a_token() -> None:
    accounts = kinds(overlay("self-managed"), "ServiceAccount")
    assert all(account["automountServiceAccountToken"] is False for account in accounts)
    assert all(pod(component)["automountServiceAccountToken"] for component in COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_resources_are_asked_for_and_only_memory_is_limited(component: str) -> None:
    resources = container(component)["resources"]
    assert {"cpu", "memory"} <= resources["requests"].keys()
    assert resources["limits"].keys() == {"memory"}


def test_a_webhook_is_replaced_before_it_leaves_and_ends_what_runs() -> None:
    spec = deployment("webhook")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    grace = parsed("webhook").params["grace"]
    assert pod("webhook")["terminationGracePeriodSeconds"] >= grace + LONGEST_CALL + 30
    (budget,) = [
        found
        for found in kinds(overlay("self-managed"), "PodDisruptionBudget")
        if found["metadata"]["name"] == "nbgate-webhook"
    ]
    assert budget["spec"]["minAvailable"] == spec["replicas"] - 1 == 2


def test_a_critical_pod_finds_a_quota_that_permits_it() -> None:
    (quota,) = kinds(overlay("self-managed"), "ResourceQuota")
    (scope,) = quota["spec"]["scopeSelector"]["matchExpressions"]
    assert scope["values"] == [pod("webhook")["priorityClassName"]]
    spec = deployment("webhook")["spec"]
    surge = spec["strategy"]["rollingUpdate"]["maxSurge"]
    assert int(quota["spec"]["hard"]["pods"]) >= spec["replicas"] + surge


@pytest.mark.parametrize("component", COMPONENTS)
def test_all_that_selects_a_component_selects_its_pods_and_no_others(component: str) -> None:
    labels = deployment(component)["spec"]["template"]["metadata"]["labels"]
    mine = {key: labels[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/component")}
    assert mine["app.kubernetes.io/component"] == component
    spec = deployment(component)["spec"]
    selectors = [spec["selector"]["matchLabels"]]
    selectors += [
        constraint["labelSelector"]["matchLabels"]
        for constraint in pod(component)["topologySpreadConstraints"]
    ]
    selectors += [
        found["spec"].get("selector", found["spec"].get("podSelector"))["matchLabels"]
        for kind in ("PodDisruptionBudget", "NetworkPolicy")
        for found in kinds(overlay("self-managed"), kind)
        if found["metadata"]["name"] == f"nbgate-{component}"
    ]
    assert selectors == [mine] * len(selectors)
    assert len(selectors) >= 4


def test_the_service_leads_to_the_webhooks_port() -> None:
    service = overlay("self-managed")["Service", "nbgate-system", "nbgate"]
    (port,) = service["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (443, container("webhook")["ports"][0]["name"])
    labels = deployment("webhook")["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


@pytest.mark.parametrize("component", COMPONENTS)
def test_probes_ask_for_the_port_that_the_flags_name(component: str) -> None:
    one = container(component)
    (listen,) = [flag for flag in one["args"] if flag.startswith("--listen=")]
    (port,) = one["ports"]
    assert listen.endswith(f":{port['containerPort']}")
    for probe, path in (
        ("startupProbe", "/livez"),
        ("livenessProbe", "/livez"),
        ("readinessProbe", "/readyz"),
    ):
        asked = one[probe]["httpGet"]
        assert (asked["path"], asked["port"]) == (path, port["name"])
        assert asked.get("scheme", "HTTP") == ("HTTPS" if component == "webhook" else "HTTP")


def rules_of(policy: Document) -> dict[str, Any]:
    spec = policy["spec"]
    return {direction: spec.get(direction.lower()) for direction in spec["policyTypes"]}


def test_the_network_lets_the_api_server_in_and_the_webhook_out_to_it_alone() -> None:
    rules = rules_of(overlay("self-managed")["NetworkPolicy", "nbgate-system", "nbgate-webhook"])
    assert rules["Ingress"] == [{"ports": [{"port": "https", "protocol": "TCP"}]}]
    (out,) = rules["Egress"]
    assert out == {"ports": [{"port": port, "protocol": "TCP"} for port in (443, 6443)]}


def test_nobody_calls_the_controller() -> None:
    rules = rules_of(overlay("self-managed")["NetworkPolicy", "nbgate-system", "nbgate-controller"])
    assert rules["Ingress"] == []


def test_where_images_are_started_is_as_the_scanner_makes_it() -> None:
    namespace = "nbgate-probes"
    found = overlay("self-managed")
    assert found["Namespace", "", namespace] == clusterobjects.namespace(namespace)
    for wanted in (clusterobjects.service_account(), clusterobjects.network_policy()):
        held = found[wanted["kind"], namespace, wanted["metadata"]["name"]]
        assert held == {**wanted, "metadata": {**wanted["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_configurations_are_those_that_the_tests_run_behind(name: str) -> None:
    for made in (webhooks.mutating(1, b""), webhooks.validating(1, b"")):
        found = overlay(name)[made["kind"], "", "nbgate"]
        assert without_address(found["webhooks"]) == without_address(made["webhooks"])


def without_address(hooks: list[Document]) -> list[Document]:
    return [{key: hook[key] for key in hook if key != "clientConfig"} for hook in hooks]


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_manifest_says_anything_of_what_controllers_write(name: str) -> None:
    for objects in (overlay(name), chart()):
        for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
            for hook in objects[kind, "", "nbgate"]["webhooks"]:
                assert hook["clientConfig"].keys() == {"service"}
        for secret in kinds(objects, "Secret"):
            assert not secret.keys() & {"data", "stringData"}
        for lease in kinds(objects, "Lease"):
            assert "spec" not in lease


def test_cert_manager_issues_for_the_host_that_is_called_and_is_believed() -> None:
    found = overlay("cert-manager")
    certificate = found["Certificate", "nbgate-system", "nbgate-tls"]
    assert certificate["spec"]["dnsNames"] == ["nbgate.nbgate-system.svc"]
    assert certificate["spec"]["secretName"] == "nbgate-tls"
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        annotations = found[kind, "", "nbgate"]["metadata"]["annotations"]
        assert annotations == {"cert-manager.io/inject-ca-from": "nbgate-system/nbgate-tls"}
