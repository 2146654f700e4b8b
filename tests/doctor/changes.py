"""Ways in which an installation breaks: each gives a function that changes a cluster on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.cluster.manifests import Document
from tests.doctor.installation import NOW, PROFILE
from tests.doctor.papercluster import PaperCluster, namespace
from webhook.core.document import format_time

Change = Callable[[PaperCluster], object]

MUTATING, VALIDATING = "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"


def entry(cluster: PaperCluster, name: str) -> Document:
    hooks = [h for kind in (MUTATING, VALIDATING) for h in cluster.find(kind, "nbgate")["webhooks"]]
    return next(hook for hook in hooks if hook["name"] == name)


def setting(name: str, **fields: Any) -> Change:
    """Set fields of a webhook's entry."""
    return lambda cluster: entry(cluster, name).update(fields)


def removing(kind: str, name: str) -> Change:
    return lambda cluster: cluster.remove(kind, name)


def replacing(kind: str, name: str, part: str, content: Any) -> Change:
    return lambda cluster: cluster.find(kind, name).update({part: content})


def scaled(name: str, wanted: int, available: int) -> Change:
    def change(cluster: PaperCluster) -> None:
        found = cluster.find("Deployment", name)
        found["spec"]["replicas"], found["status"] = wanted, {"availableReplicas": available}

    return change


def running(image: str) -> Change:
    def change(cluster: PaperCluster) -> None:
        template = cluster.find("Deployment", "nbgate-webhook")["spec"]["template"]
        template["spec"]["containers"][0]["image"] = image

    return change


def unready(status: Document) -> Change:
    """A pod that is not ready; its server is not asked."""

    def change(cluster: PaperCluster) -> None:
        pod = cluster.find("Pod", "nbgate-webhook-0")
        pod["status"] = {"phase": "Pending", **status}

    return change


def adding(*documents: Document) -> Change:
    return lambda cluster: cluster.documents.extend(documents)


def without_field(kind: str, *path: str) -> Change:
    """Take a field out of a definition's schema."""

    def change(cluster: PaperCluster) -> None:
        version = cluster.find("CustomResourceDefinition", kind)["spec"]["versions"][0]
        at = version["schema"]["openAPIV3Schema"]
        for step in path[:-1]:
            at = at["properties"][step]
        del at["properties"][path[-1]]

    return change


def unserved(cluster: PaperCluster) -> None:
    definition = cluster.find("CustomResourceDefinition", "imagescans.nbgate.dev")
    definition["spec"]["versions"][0]["served"] = False


def scan(name: str, **status: Any) -> Document:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name, "creationTimestamp": format_time(NOW - 3600)},
        "spec": {"image": f"registry.example.com/{name}:v1"},
        "status": status,
    }


def granting(account: str, verb: str, resource: str, group: str = "") -> Change:
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "too-much"}}
    rules = [{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": "nbgate-system"}
    return adding(
        {**api, "kind": "ClusterRole", "rules": rules},
        {
            **api,
            "kind": "ClusterRoleBinding",
            "subjects": [subject],
            "roleRef": {"kind": "ClusterRole", "name": "too-much"},
        },
    )


def revoking(verb: str, resource: str) -> Change:
    """Take a verb on a resource out of every Role."""

    def change(cluster: PaperCluster) -> None:
        for role in [*cluster.of_kind("ClusterRole"), *cluster.of_kind("Role")]:
            for rule in role["rules"]:
                if resource in rule["resources"]:
                    rule["verbs"] = [v for v in rule["verbs"] if v != verb]

    return change


def configuration(kind: str, name: str, *entries: Document) -> Document:
    api = "admissionregistration.k8s.io/v1"
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, "webhooks": [*entries]}


def silent(cluster: PaperCluster) -> None:
    cluster.addresses.clear()


def outage(cluster: PaperCluster) -> None:
    cluster.calls = False


def soft(cluster: PaperCluster) -> None:
    cluster.find("Namespace", PROFILE)["metadata"]["labels"]["nbgate.dev/mode"] = "wran"


def unlabelled(cluster: PaperCluster) -> None:
    owner = {"kind": "Profile", "name": "team-b"}
    made = namespace("team-b")
    made["metadata"] = {"name": "team-b", "ownerReferences": [owner]}
    cluster.documents.append(made)


def no_profiles(cluster: PaperCluster) -> None:
    cluster.remove("Namespace", PROFILE)


def old_cluster(cluster: PaperCluster) -> None:
    cluster.kubernetes = (1, 19)
