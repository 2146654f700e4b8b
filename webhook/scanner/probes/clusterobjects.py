"""The objects that a probe in a cluster needs: a namespace of its own, what guards it, and the Pod itself.

Held against the threat "probe pods as a weapon": no token, restricted pod security, no network, limits, a deadline.
"""

from collections.abc import Sequence
from typing import Any

from webhook.scanner.probes.listening import PORT

Document = dict[str, Any]

# Not `notebook-name`, and no key with "notebook" in it: nbgate's own webhook judges pods that have that one.
LABEL = "nbgate.dev/probe"
ACCOUNT = POLICY = "nbgate-probe"
HOME = "/home/jovyan"
CONTAINER = "main"

# Kubeflow's spawner asks for 0.5 CPU and 1 Gi unless told otherwise; JupyterLab itself starts in 150 MiB. The request
# is small so that a full cluster still has room; the limits let a server start that loads a framework first.
_REQUESTS = {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "256Mi"}
_LIMITS = {"cpu": "2", "memory": "2Gi", "ephemeral-storage": "2Gi"}
# What s6-overlay restores into an empty home is a few megabytes.
_HOME_LIMIT = "1Gi"


def namespace(name: str) -> Document:
    """Return the namespace: nothing privileged runs there, and what is not restricted is warned of.

    Enforced is `baseline`, for the second start is as Kubeflow does it, and `restricted` would forbid that
    (https://kubernetes.io/docs/concepts/security/pod-security-standards/). A mesh's sidecar would be a second server.
    """
    labels = {
        "app.kubernetes.io/managed-by": "nbgate",
        "istio-injection": "disabled",
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service_account() -> Document:
    """Return the pods' account, which may do nothing and whose token they do not get."""
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT},
        "automountServiceAccountToken": False,
    }


def network_policy() -> Document:
    """Return the policy that lets nothing in or out of probes' pods.

    The kubelet's own connections are not subject to it, nor is a port-forward. It selects our pods only, so that it
    can do no harm in a namespace that others use too.
    """
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY},
        "spec": {
            "podSelector": {"matchExpressions": [{"key": LABEL, "operator": "Exists"}]},
            "policyTypes": ["Ingress", "Egress"],
        },
    }


def lets_nothing_through(policy: Document) -> bool:
    """Tell whether a stored NetworkPolicy is still ours; somebody may have opened it."""
    wanted = network_policy()["spec"]
    spec = policy.get("spec")
    if not isinstance(spec, dict):
        return False
    kept = {key: value for key, value in spec.items() if value != []}
    return bool(kept == wanted)


def pod(
    name: str,
    image: str,
    *,
    platform: str,
    prefix: str,
    home: bool,
    confined: bool,
    deadline: int,
    pull_secrets: Sequence[str],
) -> Document:
    """Return the Pod of one start, as Kubeflow's notebook-controller would make it, and stricter where `confined`.

    `confined` is what pod security's `restricted` asks for, `home` an empty volume at /home/jovyan, `prefix` what
    NB_PREFIX says. After `deadline` seconds the cluster itself ends it, whatever has become of us. `pull_secrets` are
    names of Secrets in the namespace.
    """
    system, _, architecture = platform.partition("/")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {
                LABEL: name,
                "app.kubernetes.io/managed-by": "nbgate",
                "sidecar.istio.io/inject": "false",
            },
        },
        "spec": {
            "activeDeadlineSeconds": deadline,
            "automountServiceAccountToken": False,
            "containers": [_container(image, prefix, home=home, confined=confined)],
            "enableServiceLinks": False,
            "imagePullSecrets": [{"name": secret} for secret in pull_secrets],
            "nodeSelector": {
                "kubernetes.io/os": system,
                "kubernetes.io/arch": architecture.partition("/")[0],
            },
            "restartPolicy": "Never",
            "securityContext": {
                "fsGroup": 100,
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "serviceAccountName": ACCOUNT,
            "terminationGracePeriodSeconds": 1,
            "volumes": [{"name": "home", "emptyDir": {"sizeLimit": _HOME_LIMIT}}] if home else [],
        },
    }


def _container(image: str, prefix: str, *, home: bool, confined: bool) -> Document:
    container: Document = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",  # it has a digest
        "env": [{"name": "NB_PREFIX", "value": prefix}],
        "ports": [{"containerPort": PORT, "name": "notebook-port", "protocol": "TCP"}],
        # How the kubelet tells whether the pod's own address answers: see startedpod.py.
        "readinessProbe": {
            "tcpSocket": {"port": PORT},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
            "failureThreshold": 1,
        },
        "resources": {"requests": dict(_REQUESTS), "limits": dict(_LIMITS)},
        "volumeMounts": [{"name": "home", "mountPath": HOME}] if home else [],
        "workingDir": HOME,
    }
    if confined:
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
    return container
