"""The objects that Kubeflow makes: profile namespaces, Notebooks and the StatefulSets of Notebooks.

As read in Kubeflow's profile-controller, jupyter web app ("the spawner") and notebook-controller, v1.8 to v1.10.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypedDict, Unpack

Document: TypeAlias = dict[str, Any]

NOTEBOOK_VERSIONS = ("v1", "v1beta1", "v1alpha1")

# What the spawner's form asks for unless the user says otherwise: limits are 1.2 times the requests.
RESOURCES: Mapping[str, Mapping[str, str]] = {
    "requests": {"cpu": "0.5", "memory": "1.0Gi"},
    "limits": {"cpu": "0.6", "memory": "1.2Gi"},
}


def profile(name: str) -> list[Document]:
    """Return a profile's namespace and the service account that the spawner gives to notebooks."""
    account = {"name": "default-editor", "namespace": name}
    return [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": name,
                "labels": {"app.kubernetes.io/part-of": "kubeflow-profile"},
            },
        },
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
    ]


class Choices(TypedDict, total=False):
    """What a user may choose for a Notebook; left out, it is as the spawner's form suggests."""

    labels: Mapping[str, str]  # besides `app`; "configurations" in the form are such labels
    annotations: Mapping[str, str]  # besides the server type
    env: Sequence[Document]
    claim: bool  # a workspace volume; default true
    mount: bool  # that volume at the home; default true. The spawner's first request, a dry run, has none
    security_context: Document  # the notebook container's
    resources: Mapping[str, Mapping[str, str]]


def notebook(
    name: str, namespace: str, image: str, *, version: str = "v1beta1", **choices: Unpack[Choices]
) -> Document:
    """Return a Notebook as the spawner makes it."""
    return {
        "apiVersion": f"kubeflow.org/{version}",
        "kind": "Notebook",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": name, **choices.get("labels", {})},
            "annotations": {
                "notebooks.kubeflow.org/server-type": "jupyter",
                **choices.get("annotations", {}),
            },
        },
        "spec": {"template": {"spec": _pod_spec(name, image, choices)}},
    }


def stateful_set_of(notebook: Document) -> Document:
    """Return what the notebook-controller makes of a Notebook, which is left as it is.

    The Notebook's labels come last and so overwrite `notebook-name`; a user's own NB_PREFIX, right
    or wrong, stays, as from Kubeflow v1.5 on; annotations that hold "notebook" or "kubectl" are
    dropped and the others copied, as from v1.8 on.
    """
    metadata = notebook["metadata"]
    name, namespace = metadata["name"], metadata["namespace"]
    spec = copy.deepcopy(notebook["spec"]["template"]["spec"])
    _complete(spec["containers"][0], name, namespace)
    spec.setdefault("securityContext", {"fsGroup": 100})
    labels = {"statefulset": name, "notebook-name": name, **metadata.get("labels", {})}
    annotations = {
        key: value
        for key, value in metadata.get("annotations", {}).items()
        if "notebook" not in key and "kubectl" not in key
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "replicas": 1,
            "serviceName": "",
            "selector": {"matchLabels": {"statefulset": name}},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec},
        },
    }


def stateful_set(
    name: str,
    namespace: str,
    image: str,
    *,
    containers_before: Sequence[Document] = (),
    **choices: Unpack[Choices],
) -> Document:
    """Return the StatefulSet of the Notebook that these arguments describe; see `notebook`.

    `containers_before` stand before the notebook's container, where Istio may put its proxy.
    """
    made = stateful_set_of(notebook(name, namespace, image, **choices))
    made["spec"]["template"]["spec"]["containers"][:0] = containers_before
    return made


def pod_of(stateful_set: Document) -> Document:
    """Return a Pod of a StatefulSet's template, as a user would create it without the controller."""
    metadata = stateful_set["metadata"]
    template = copy.deepcopy(stateful_set["spec"]["template"])
    identity = {"name": f"{metadata['name']}-0", "namespace": metadata["namespace"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], **identity},
        "spec": template["spec"],
    }


def _pod_spec(name: str, image: str, choices: Choices) -> Document:
    workspace = f"{name}-workspace"
    volumes: list[Document] = [{"name": "dshm", "emptyDir": {"medium": "Memory"}}]
    mounts = [{"name": "dshm", "mountPath": "/dev/shm"}]
    if choices.get("claim", True):
        volumes.append({"name": workspace, "persistentVolumeClaim": {"claimName": workspace}})
        if choices.get("mount", True):
            mounts.append({"name": workspace, "mountPath": "/home/jovyan"})
    container: Document = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": list(choices.get("env", ())),
        "resources": dict(choices.get("resources", RESOURCES)),
        "volumeMounts": mounts,
    }
    if "security_context" in choices:
        container["securityContext"] = choices["security_context"]
    return {
        "serviceAccountName": "default-editor",
        "containers": [container],
        "volumes": volumes,
        "tolerations": [],
    }


def _complete(container: Document, name: str, namespace: str) -> None:
    """Give a Notebook's first container what the notebook-controller adds where it is missing."""
    if not container.get("workingDir"):
        container["workingDir"] = "/home/jovyan"
    if not container.get("ports"):
        port = {"name": "notebook-port", "containerPort": 8888, "protocol": "TCP"}
        container["ports"] = [port]
    env = container.setdefault("env", [])
    if not any(entry["name"] == "NB_PREFIX" for entry in env):
        env.append({"name": "NB_PREFIX", "value": f"/notebook/{namespace}/{name}"})
