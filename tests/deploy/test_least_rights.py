"""What the manifests let each account do: who writes verdicts, and what nobody may, in every way of installing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.grants import Grant, granted
from tests.deploy.rendering import Document, Objects, chart, kinds, overlay

WEBHOOK, CONTROLLER = "nbgate-webhook", "nbgate-controller"
WAYS = {
    "self-managed": lambda: overlay("self-managed"),
    "cert-manager": lambda: overlay("cert-manager"),
    "chart": lambda: chart({"namespace": {"create": True}}),
    "chart with cert-manager": lambda: chart(
        {"namespace": {"create": True}, "certificates": {"provider": "certManager"}}
    ),
}
ROLES = ("Role", "ClusterRole")
READS = {"get", "list", "watch"}
# By which an account makes itself more than it is (kubernetes.io/docs/concepts/security/rbac-good-practices).
ESCALATING_VERBS = {"escalate", "bind", "impersonate", "approve", "sign", "use", "*"}
KINDS = ("imagescans.nbgate.dev", "notebookpolicies.nbgate.dev")
OURS = {f"{kind}{part}" for kind in KINDS for part in ("", "/status")}


@pytest.fixture(params=WAYS)
def installed(request: pytest.FixtureRequest) -> Objects:
    return WAYS[request.param]()


@pytest.fixture
def rights(installed: Objects) -> set[Grant]:
    return granted([*installed.values()])


def writes(rights: set[Grant]) -> Iterator[Grant]:
    yield from (right for right in rights if right.verb not in READS)


def rules(installed: Objects) -> Iterator[Document]:
    for kind in ROLES:
        for role in kinds(installed, kind):
            yield from role["rules"]


def test_only_the_controller_writes_verdicts_and_nobody_a_policy(rights: set[Grant]) -> None:
    of_ours = {(right.account, right.verb, right.resource) for right in writes(rights)
               if right.resource in OURS}  # fmt: skip
    assert of_ours == {
        (WEBHOOK, "create", "imagescans.nbgate.dev"),
        (CONTROLLER, "delete", "imagescans.nbgate.dev"),
        (CONTROLLER, "update", "imagescans.nbgate.dev/status"),
        (CONTROLLER, "update", "notebookpolicies.nbgate.dev/status"),
    }


def test_the_webhook_asks_for_scans_and_writes_nothing_else(rights: set[Grant]) -> None:
    own = {right for right in writes(rights) if right.account == WEBHOOK}
    assert {(right.verb, right.resource) for right in own} == {("create", "imagescans.nbgate.dev")}


def test_no_right_makes_its_holder_more_than_it_is(installed: Objects, rights: set[Grant]) -> None:
    for rule in rules(installed):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert "nonResourceURLs" not in rule
    assert not {right.verb for right in rights} & ESCALATING_VERBS
    resources = {right.resource for right in rights}
    assert not {r for r in resources if r.endswith(("rbac.authorization.k8s.io", "token"))}
    assert not resources & {"pods/exec", "pods/attach", "pods/ephemeralcontainers", "nodes",
                            "nodes/proxy", "serviceaccounts/token", "persistentvolumes"}  # fmt: skip


def test_secrets_are_named_and_those_of_users_are_nobodys(rights: set[Grant]) -> None:
    of_secrets = {right for right in rights if right.resource == "secrets"}
    assert {right.namespace for right in of_secrets} <= {"nbgate-system"}
    assert {right.name for right in of_secrets} <= {"nbgate-tls", "nbgate-ca"}
    assert {right.name for right in of_secrets if right.account == WEBHOOK} == {"nbgate-tls"}


def test_pods_are_started_among_probes_alone(rights: set[Grant]) -> None:
    workloads = {"pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps",
                 "replicasets.apps", "jobs.batch", "cronjobs.batch"}  # fmt: skip
    started = {right for right in writes(rights) if right.resource in workloads}
    assert {(r.account, r.namespace, r.resource) for r in started} == {
        (CONTROLLER, "nbgate-probes", "pods")
    }


def test_webhook_configurations_are_written_by_name_and_not_at_all_with_cert_manager() -> None:
    for way, name in (("self-managed", {"nbgate"}), ("cert-manager", set())):
        for right in granted([*WAYS[way]().values()]):
            if "webhookconfigurations" in right.resource:
                assert (right.account, right.verb) in {(CONTROLLER, "get"), (CONTROLLER, "update")}
                assert right.name in name


def test_no_role_grows_into_anybody_elses(installed: Objects) -> None:
    """Aggregated roles would give our kinds to whoever administers a namespace, or theirs to us."""
    for kind in ROLES:
        for role in kinds(installed, kind):
            assert "aggregationRule" not in role
            labels = role["metadata"].get("labels", {})
            assert not [key for key in labels if "aggregate-to" in key]


def test_rights_go_to_our_own_accounts_and_to_nobody_else(installed: Objects) -> None:
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in kinds(installed, kind):
            for subject in binding["subjects"]:
                assert subject["kind"] == "ServiceAccount"
                assert (subject["namespace"], subject["name"]) in {
                    ("nbgate-system", WEBHOOK),
                    ("nbgate-system", CONTROLLER),
                }
    accounts = {account["metadata"]["name"] for account in kinds(installed, "ServiceAccount")}
    assert accounts == {WEBHOOK, CONTROLLER, "nbgate-probe"}


def test_the_guarding_side_fails_closed_and_asks_about_every_way_in(installed: Objects) -> None:
    hooks = installed["ValidatingWebhookConfiguration", "", "nbgate"]["webhooks"]
    guarding = {hook["name"]: hook for hook in hooks if hook["name"] != "policies.nbgate.dev"}
    assert {hook["failurePolicy"] for hook in guarding.values()} == {"Fail"}
    asked = {
        (resource, operation)
        for hook in guarding.values()
        for rule in hook["rules"]
        for resource in rule["resources"]
        for operation in rule["operations"]
    }
    assert asked == {
        ("pods", "CREATE"),
        ("pods", "UPDATE"),
        ("pods/ephemeralcontainers", "UPDATE"),
        ("notebooks", "CREATE"),
        ("notebooks", "UPDATE"),
    }
    profiles = {"matchLabels": {"app.kubernetes.io/part-of": "kubeflow-profile"}}
    for hook in guarding.values():
        assert hook["namespaceSelector"] == profiles
        assert hook["matchPolicy"] == "Equivalent"
        assert "matchConditions" not in hook
    labelled = {name for name, hook in guarding.items() if "objectSelector" in hook}
    assert labelled == {"pods.nbgate.dev"}
    selector = guarding["pods.nbgate.dev"]["objectSelector"]
    assert selector == {"matchExpressions": [{"key": "notebook-name", "operator": "Exists"}]}
