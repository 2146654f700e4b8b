"""An installation as it should be: what deploy/ installs, and what a cluster makes of it."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import yaml

from tests.cluster.manifests import Document
from tests.doctor.papercluster import namespace
from webhook.core.document import format_time
from webhook.doctor.place import NAMESPACE
from webhook.doctor.workloads import COMPONENTS

# The handshakes go by this machine's clock, and so does the rest.
NOW = time.time()
PROFILE = "team-a"
PODS = {"webhook": 3, "controller": 2}

DEPLOY = Path(__file__).parents[2] / "deploy"


def manifests(overlay: str = "self-managed") -> list[Document]:
    """All that an overlay of deploy/ installs, with the one patch that all overlays have: tests/deploy renders them."""
    base = yaml.safe_load((DEPLOY / "base/kustomization.yaml").read_text())
    folders = ("crds", "base", f"overlays/{overlay}")
    files = sorted(file for folder in folders for file in (DEPLOY / folder).rglob("*.yaml"))
    found: list[Document] = [
        document
        for file in files
        if file.name != "kustomization.yaml"
        for document in yaml.safe_load_all(file.read_text())
    ]
    for deployment in (one for one in found if one["kind"] == "Deployment"):
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        container["image"] += f":{base['images'][0]['newTag']}"
        if container["name"] == "controller":
            flag = "self" if overlay == "self-managed" else "none"
            container["args"].append(f"--certificates={flag}")
    return found


def lived_in(documents: list[Document], bundle: bytes) -> list[Document]:
    """What a cluster makes of it: statuses, pods, Endpoints, caBundles; and a profile with a notebook's scan."""
    for document in documents:
        _settle(document, bundle)
    pods = [_pod(component, number) for component, count in PODS.items() for number in range(count)]
    return [
        *documents,
        *pods,
        _endpoints(),
        namespace(PROFILE),
        _notebook_definition(),
        _policy(),
        _scan("good", "Complete", "Conforms"),
        _scan("bad", "Complete", "Violates"),
    ]


def _settle(document: Document, bundle: bytes) -> None:
    match document["kind"]:
        case "CustomResourceDefinition":
            document["status"] = {"conditions": [{"type": "Established", "status": "True"}]}
        case "Deployment":
            document["status"] = {"availableReplicas": document["spec"]["replicas"]}
        case "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration":
            for entry in document["webhooks"]:
                entry["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
        case "PodDisruptionBudget":
            document["status"] = {"disruptionsAllowed": 1}
        case "Lease":
            document["spec"] = {
                "holderIdentity": "nbgate-controller-0",
                "leaseDurationSeconds": 15,
                "renewTime": format_time(NOW - 2),
            }


def _pod(component: str, number: int) -> Document:
    name = f"{COMPONENTS[component]}-{number}"
    labels = {"app.kubernetes.io/name": "nbgate", "app.kubernetes.io/component": component}
    port = {"name": "https", "containerPort": 8443}
    if component == "controller":
        port = {"name": "http", "containerPort": 8080}
    state = {"name": component, "state": {"running": {}}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"containers": [{"name": component, "ports": [port]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [state],
        },
    }


def _endpoints() -> Document:
    addresses = [{"ip": f"10.0.0.{number}"} for number in range(PODS["webhook"])]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "nbgate", "namespace": NAMESPACE},
        "subsets": [{"addresses": addresses}],
    }


def _notebook_definition() -> Document:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "notebooks.kubeflow.org"},
        "spec": {"versions": [{"name": "v1", "served": True}]},
    }


def _policy() -> Document:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "default", "generation": 3},
        "spec": {"unknown": "Warn"},
        "status": {"observedGeneration": 3, "mode": "Deny", "valid": True, "inForce": True},
    }


def _scan(name: str, phase: str, verdict: str) -> Document:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name, "creationTimestamp": format_time(NOW - 86400)},
        "spec": {"image": f"registry.example.com/{name}:v1"},
        "status": {"phase": phase, "verdict": verdict, "scannedAt": format_time(NOW - 3600)},
    }
