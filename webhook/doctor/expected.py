"""What this version installs, where doctor compares it: a test proves it equal to deploy/ and to docs/webhooks.md.

Addresses and caBundle are left out: the one is the installation's, the other the certificates'.
"""

from typing import Any

Entry = dict[str, Any]

PROFILE_LABEL = "app.kubernetes.io/part-of"
PROFILE = "kubeflow-profile"
PROFILES: Entry = {"matchLabels": {PROFILE_LABEL: PROFILE}}
NOTEBOOK_PODS: Entry = {"matchExpressions": [{"key": "notebook-name", "operator": "Exists"}]}

MUTATE, VALIDATE = "/mutate", "/validate"
_MUTATES = "mutate.pods.nbgate.dev"


def _rule(
    group: str, version: str, resource: str, *operations: str, scope: str = "Namespaced"
) -> Entry:
    return {
        "apiGroups": [group],
        "apiVersions": [version],
        "resources": [resource],
        "operations": list(operations),
        "scope": scope,
    }


def _entry(
    name: str, rule: Entry, *, profiles: bool = True, failure: str = "Fail", seconds: int = 5
) -> Entry:
    selector = {"namespaceSelector": PROFILES} if profiles else {}
    return {
        "name": name,
        "rules": [rule],
        **selector,
        "failurePolicy": failure,
        "timeoutSeconds": seconds,
        "matchPolicy": "Equivalent",
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
    }


def _policies(name: str) -> Entry:
    """Make an entry for NotebookPolicies.

    An outage must not keep the platform team from editing its policy; replicas follow no wrong one all the same.
    """
    rule = _rule("nbgate.dev", "v1alpha1", "notebookpolicies", "CREATE", "UPDATE", scope="Cluster")
    return _entry(name, rule, profiles=False, failure="Ignore")


MUTATING: tuple[Entry, ...] = (
    {
        **_entry(
            _MUTATES,
            _rule("", "v1", "pods", "CREATE"),
            failure="Ignore",
            seconds=2,
        ),
        "objectSelector": NOTEBOOK_PODS,
        "reinvocationPolicy": "IfNeeded",
    },
    # It changes nothing: here it is asked before the API server compares with the definition, and says every fault.
    _policies("first.policies.nbgate.dev"),
)

VALIDATING: tuple[Entry, ...] = (
    {
        **_entry("pods.nbgate.dev", _rule("", "v1", "pods", "CREATE", "UPDATE")),
        "objectSelector": NOTEBOOK_PODS,
    },
    # Before Kubernetes 1.22 its request carries no labels, so that an objectSelector would match nothing.
    _entry(
        "ephemeral-containers.nbgate.dev", _rule("", "v1", "pods/ephemeralcontainers", "UPDATE")
    ),
    _entry("notebooks.nbgate.dev", _rule("kubeflow.org", "*", "notebooks", "CREATE", "UPDATE")),
    _policies("policies.nbgate.dev"),
)


def path_of(entry: Entry) -> str:
    """Say where an entry sends its requests: one mutates, all others judge."""
    return MUTATE if entry["name"] == _MUTATES else VALIDATE
