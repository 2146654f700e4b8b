"""Faults of what makes the API server ask nbgate, and believe it."""

from __future__ import annotations

from tests.doctor.changes import (
    MUTATING,
    VALIDATING,
    adding,
    configuration,
    entry,
    outage,
    removing,
    setting,
)
from tests.doctor.fault import INSTALL, Fault

ALL_PODS = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["*"]}

ADMISSION = [
    Fault(
        "trial",
        "webhooks",
        "warning",
        "failurePolicy is Ignore, in trial",
        '"value": "Fail"',
        setting("pods.nbgate.dev", failurePolicy="Ignore"),
    ),
    Fault(
        "mutating side fails closed",
        "webhooks",
        "warning",
        "failurePolicy is Fail",
        '"value": "Ignore"',
        setting("mutate.pods.nbgate.dev", failurePolicy="Fail"),
    ),
    Fault(
        "closed for all pods",
        "webhooks",
        "wrong",
        "an outage blocks more than notebooks",
        '"path": "/webhooks/0/objectSelector"',
        setting("pods.nbgate.dev", objectSelector={}),
    ),
    Fault(
        "closed for all namespaces",
        "webhooks",
        "wrong",
        "namespaceSelector is empty",
        "kubeflow-profile",
        setting("pods.nbgate.dev", namespaceSelector=None),
    ),
    Fault(
        "open for all pods",
        "webhooks",
        "warning",
        "asked about more than notebooks",
        "notebook-name",
        setting("mutate.pods.nbgate.dev", objectSelector={}),
    ),
    Fault(
        "another selector",
        "webhooks",
        "warning",
        "what it leaves out is not guarded",
        "kubeflow-profile",
        setting(
            "ephemeral-containers.nbgate.dev", namespaceSelector={"matchLabels": {"team": "a"}}
        ),
    ),
    Fault(
        "a rule narrowed",
        "webhooks",
        "wrong",
        "do not ask about UPDATE pods",
        '"UPDATE"',
        setting("pods.nbgate.dev", rules=[{**ALL_PODS, "operations": ["CREATE"]}]),
    ),
    Fault(
        "a rule widened",
        "webhooks",
        "wrong",
        "ask about DELETE pods too",
        '"UPDATE"',
        setting(
            "pods.nbgate.dev", rules=[{**ALL_PODS, "operations": ["CREATE", "UPDATE", "DELETE"]}]
        ),
    ),
    Fault(
        "a slow timeout",
        "webhooks",
        "warning",
        "timeoutSeconds is 30, not 5",
        '"value": 5',
        setting("pods.nbgate.dev", timeoutSeconds=30),
    ),
    Fault(
        "another review version",
        "webhooks",
        "wrong",
        "admissionReviewVersions lacks v1",
        '["v1"]',
        setting("pods.nbgate.dev", admissionReviewVersions=["v1beta1"]),
    ),
    Fault(
        "conditions",
        "webhooks",
        "warning",
        "has matchConditions",
        '"value": []',
        setting("pods.nbgate.dev", matchConditions=[{"name": "x", "expression": "false"}]),
    ),
    Fault(
        "never asked again",
        "webhooks",
        "warning",
        "reinvocationPolicy is Never",
        "IfNeeded",
        setting("mutate.pods.nbgate.dev", reinvocationPolicy=None),
    ),
    Fault(
        "no mutating configuration",
        "webhooks",
        "wrong",
        "the API server asks nobody",
        INSTALL,
        removing(MUTATING, "nbgate"),
    ),
    Fault(
        "a missing entry",
        "webhooks",
        "wrong",
        "ephemeral-containers.nbgate.dev: is not there",
        INSTALL,
        lambda c: c.find(VALIDATING, "nbgate")["webhooks"].remove(
            entry(c, "ephemeral-containers.nbgate.dev")
        ),
    ),
    Fault(
        "a strange entry",
        "webhooks",
        "warning",
        "is none of nbgate's",
        "get validatingwebhookconfiguration",
        lambda c: c.find(VALIDATING, "nbgate")["webhooks"].append(
            {**entry(c, "policies.nbgate.dev"), "name": "x.example.com"}
        ),
    ),
    Fault(
        "the wrong end",
        "webhooks",
        "wrong",
        "443/mutate, not nbgate-system/nbgate:443/validate",
        '"/validate"',
        lambda c: entry(c, "pods.nbgate.dev")["clientConfig"]["service"].update(path="/mutate"),
    ),
    Fault(
        "an earlier install",
        "neighbours",
        "wrong",
        "from an earlier install?",
        "kubectl delete validatingwebhookconfiguration old",
        adding(configuration(VALIDATING, "old", {"name": "pods.nbgate.dev", "rules": []})),
    ),
    Fault(
        "PodDefaults afterwards",
        "neighbours",
        "warning",
        "runs after nbgate",
        "# rename it",
        adding(configuration(MUTATING, "poddefaults", {"name": "pd.kubeflow.org", "rules": []})),
    ),
    Fault(
        "no caBundle",
        "certificate",
        "wrong",
        "has no caBundle",
        "logs deployment/nbgate-controller",
        lambda c: entry(c, "pods.nbgate.dev")["clientConfig"].pop("caBundle"),
    ),
    Fault(
        "a caBundle that is none",
        "certificate",
        "wrong",
        "the bundle cannot be read",
        "logs",
        lambda c: entry(c, "pods.nbgate.dev")["clientConfig"].update(caBundle="aGVsbG8="),
    ),
    Fault(
        "an outage",
        "dry-run",
        "wrong",
        'failed calling webhook "pods.nbgate.dev": no endpoints',
        "docs/break-glass.md",
        outage,
    ),
]
