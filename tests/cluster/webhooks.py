"""The webhook configurations of a deployed nbgate, with a server of the tests' own instead of a Service."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Literal

from tests.cluster.manifests import Document

FailurePolicy = Literal["Ignore", "Fail"]

# Mutating configurations run in the order of their names: this one after `admission-webhook-…`, which applies
# PodDefaults and refuses a pod on a conflict with what is already there, and after `istio-…`.
NAME = "nbgate"

# Nothing outside users' profiles is ever matched, so an outage of the webhook can block nothing else.
PROFILES: Document = {"matchLabels": {"app.kubernetes.io/part-of": "kubeflow-profile"}}
NOTEBOOK_PODS: Document = {"matchExpressions": [{"key": "notebook-name", "operator": "Exists"}]}


def mutating(port: int, ca_bundle: bytes, *, failure_policy: FailurePolicy = "Ignore") -> Document:
    """Return the MutatingWebhookConfiguration for a server on this port of 127.0.0.1.

    `ca_bundle` is PEM. It may fail open, because the validating side judges what comes out.
    """
    common = _webhook(f"https://127.0.0.1:{port}/mutate", ca_bundle, failure_policy, seconds=2)
    pods = {
        # Not the validating side's name: the API server keys audit annotations by it, and keeps the first of two.
        "name": "mutate.pods.nbgate.dev",
        "rules": [_rule("", "v1", "pods", ["CREATE"])],
        "objectSelector": NOTEBOOK_PODS,
        # A later webhook may add a container or undo a patch; nbgate's patches are idempotent.
        "reinvocationPolicy": "IfNeeded",
    }
    judging = _webhook(f"https://127.0.0.1:{port}/validate", ca_bundle, failure_policy, seconds=5)
    policies = _policies("first.policies.nbgate.dev", judging)
    return _configuration("MutatingWebhookConfiguration", [{**common, **pods}, policies])


def validating(port: int, ca_bundle: bytes, *, failure_policy: FailurePolicy = "Fail") -> Document:
    """Return the ValidatingWebhookConfiguration for a server on this port of 127.0.0.1; see `mutating`.

    Ephemeral containers have an entry without objectSelector. Before Kubernetes 1.22 their request
    carries an EphemeralContainers, which has no labels: a selector would let every one of them by.
    """
    common = _webhook(f"https://127.0.0.1:{port}/validate", ca_bundle, failure_policy, seconds=5)
    pods = {
        "name": "pods.nbgate.dev",
        "rules": [_rule("", "v1", "pods", ["CREATE", "UPDATE"])],
        "objectSelector": NOTEBOOK_PODS,
    }
    ephemeral_containers = {
        "name": "ephemeral-containers.nbgate.dev",
        "rules": [_rule("", "v1", "pods/ephemeralcontainers", ["UPDATE"])],
    }
    notebooks = {
        "name": "notebooks.nbgate.dev",
        "rules": [_rule("kubeflow.org", "*", "notebooks", ["CREATE", "UPDATE"])],
    }
    hooks = [{**common, **part} for part in (pods, ephemeral_containers, notebooks)]
    return _configuration(
        "ValidatingWebhookConfiguration", [*hooks, _policies("policies.nbgate.dev", common)]
    )


def _policies(name: str, common: Document) -> Document:
    """Return an entry for NotebookPolicies, which are in no namespace that could be selected.

    It always fails open: an outage must not keep the platform team from its policy, and what slips by then, no replica
    follows. The mutating one changes nothing; it is asked before the API server compares with the definition, and would
    tell of the first wrong type alone.
    """
    rule = _rule("nbgate.dev", "v1alpha1", "notebookpolicies", ["CREATE", "UPDATE"])
    return {
        **{key: value for key, value in common.items() if key != "namespaceSelector"},
        "name": name,
        "rules": [{**rule, "scope": "Cluster"}],
        "failurePolicy": "Ignore",
    }


def _configuration(kind: str, webhooks: Sequence[Document]) -> Document:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": NAME},
        "webhooks": list(webhooks),
    }


def _webhook(
    url: str, ca_bundle: bytes, failure_policy: FailurePolicy, *, seconds: int
) -> Document:
    return {
        "clientConfig": {"url": url, "caBundle": base64.b64encode(ca_bundle).decode()},
        "namespaceSelector": PROFILES,
        "failurePolicy": failure_policy,
        "sideEffects": "NoneOnDryRun",
        "timeoutSeconds": seconds,
        "admissionReviewVersions": ["v1"],
        "matchPolicy": "Equivalent",
    }


def _rule(group: str, version: str, resource: str, operations: Sequence[str]) -> Document:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": [resource],
        "operations": list(operations),
        "scope": "Namespaced",
    }
