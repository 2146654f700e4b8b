"""Builders of what the API server sends, and of the documents that a decision rests on.

What they build has the fields, and the order of types, of the recorded reviews in tests/data/reviews: defaults that
the API server fills in, labels of the StatefulSet controller, a service account's token volume. A builder returns
fresh JSON each time, which a test may change.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from webhook.core.decision import Snapshot
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.requirements import REQUIREMENTS
from webhook.core.review import Operation, Request, parse_review
from webhook.core.scan import Scan, compact, read_scan_document
from webhook.core.verdict import build_index

Json = dict[str, Any]

RECORDED = Path(__file__).parents[1] / "data" / "reviews"
IMAGE = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0"
CUDA_IMAGE = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0"
DIGEST = "sha256:" + "a" * 64
PLATFORM_DIGEST = "sha256:" + "b" * 64
OTHER_DIGEST = "sha256:" + "c" * 64
NAMESPACE = "team-a"
NOTEBOOK = "my-nb"
PREFIX = f"/notebook/{NAMESPACE}/{NOTEBOOK}"
HOME = "/home/jovyan"
HELP = "https://github.com/nbgate/nbgate/blob/main/docs/requirements.md"
# 2026-01-02T00:00:00Z, a day after the builders' scans: fresh under the default policy
NOW = 1767312000.0
SCANNED = "2026-01-01T00:00:00Z"
DAY = 86400.0
CONTROLLER = "system:serviceaccount:kube-system:statefulset-controller"
USER = "alice@example.com"
_TOKEN = "default-token-nhl58"
_TOKEN_MOUNT = {
    "name": _TOKEN,
    "readOnly": True,
    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
}


def recorded(name: str) -> Json:
    """Read one recorded review: `create-pods` and so on."""
    document: Json = json.loads((RECORDED / f"{name}.json").read_bytes())
    return document


def container(name: str = NOTEBOOK, image: str = IMAGE, **fields: Any) -> Json:
    """Build a container as admitted by an API server; `fields` are added, or replace what is there."""
    return {
        "name": name,
        "image": image,
        "resources": {},
        "volumeMounts": [dict(_TOKEN_MOUNT)],
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "imagePullPolicy": "IfNotPresent",
        **fields,
    }


def finished_container(name: str = NOTEBOOK, image: str = IMAGE, **fields: Any) -> Json:
    """Build a notebook's container that lacks nothing: prefix, user, home, and the digest of the builders' scan."""
    pinned = image if "@" in image else f"{image}@{DIGEST}"
    return container(
        name,
        pinned,
        **{
            "env": [{"name": "NB_PREFIX", "value": PREFIX}],
            "securityContext": {"runAsUser": 1000, "runAsNonRoot": True},
            "volumeMounts": [dict(_TOKEN_MOUNT), {"name": "home", "mountPath": HOME}],
            **fields,
        },
    )


def pod(
    *containers: Json,
    notebook: str | None = NOTEBOOK,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """Build a pod that a user made: labelled for `notebook`, or for none, with no owner."""
    named = {} if notebook is None else {"notebook-name": notebook}
    meta: Json = {
        "name": f"{notebook or 'bare'}-0",
        "namespace": NAMESPACE,
        "uid": "6ed56b02-2f30-4cdc-b97a-6b4b547f9cd1",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {**named, **(labels or {})},
    }
    if annotations is not None:
        meta["annotations"] = dict(annotations)
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {**meta, **(metadata or {})},
        "spec": {
            "volumes": [{"name": _TOKEN, "secret": {"secretName": _TOKEN}}],
            "containers": list(containers) or [container()],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default-editor",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [_unreachable("not-ready"), _unreachable("unreachable")],
            "priority": 0,
            "enableServiceLinks": True,
            **spec,
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


def _unreachable(key: str) -> Json:
    return {
        "key": f"node.kubernetes.io/{key}",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 300,
    }


def owner(name: str, kind: str = "StatefulSet", *, controller: bool = True) -> Json:
    """Build an owner reference."""
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "name": name,
        "uid": "b3e6cc3b-3268-4670-96e2-0316c43aa1dd",
        "controller": controller,
        "blockOwnerDeletion": True,
    }


def stateful_set_pod(
    *containers: Json,
    notebook: str = NOTEBOOK,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """Build a pod as the StatefulSet controller makes it; a Notebook's `labels` overwrite the controllers' own."""
    return pod(
        *containers,
        notebook=notebook,
        labels={
            "controller-revision-hash": f"{notebook}-5bd486d55d",
            "statefulset": notebook,
            "statefulset.kubernetes.io/pod-name": f"{notebook}-0",
            **(labels or {}),
        },
        annotations=annotations,
        metadata={"generateName": f"{notebook}-", "ownerReferences": [owner(notebook)]},
        **spec,
    )


def finished_pod(*containers: Json, **fields: Any) -> Json:
    """Build a controller's pod that lacks nothing that nbgate patches."""
    return stateful_set_pod(
        *(containers or (finished_container(),)),
        **{
            "securityContext": {"fsGroup": 100},
            "volumes": [
                {"name": _TOKEN, "secret": {"secretName": _TOKEN}},
                workspace("home"),
            ],
            **fields,
        },
    )


def workspace(name: str = f"{NOTEBOOK}-workspace", claim: str = f"{NOTEBOOK}-workspace") -> Json:
    """Build the volume of a workspace's claim."""
    return {"name": name, "persistentVolumeClaim": {"claimName": claim}}


def notebook(
    *containers: Json,
    name: str = NOTEBOOK,
    annotations: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """Build a Notebook as Kubeflow's web app makes it."""
    return {
        "apiVersion": "kubeflow.org/v1beta1",
        "kind": "Notebook",
        "metadata": {
            "annotations": {
                "notebooks.kubeflow.org/server-type": "jupyter",
                **(annotations or {}),
            },
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "generation": 1,
            "labels": {"app": name},
            "name": name,
            "namespace": NAMESPACE,
            "uid": "efd03cd8-9c91-4f6e-b9ae-1069ae671b55",
            **(metadata or {}),
        },
        "spec": {
            "template": {
                "spec": {
                    "containers": list(containers) or [{"name": name, "image": IMAGE}],
                    "securityContext": {"fsGroup": 100},
                    **spec,
                }
            }
        },
    }


def ephemeral_containers(*containers: Json) -> Json:
    """Build the object of `pods/ephemeralcontainers` as servers before 1.22 send it: without labels."""
    return {
        "kind": "EphemeralContainers",
        "apiVersion": "v1",
        "metadata": {
            "name": f"{NOTEBOOK}-0",
            "namespace": NAMESPACE,
            "uid": "6ed56b02-2f30-4cdc-b97a-6b4b547f9cd1",
            "resourceVersion": "318",
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "ephemeralContainers": list(containers),
    }


_RESOURCES = {
    "Pod": ("", "v1", "pods"),
    "EphemeralContainers": ("", "v1", "pods"),
    "Notebook": ("kubeflow.org", "v1beta1", "notebooks"),
    "StatefulSet": ("apps", "v1", "statefulsets"),
}


def review(
    new: Json | None,
    *,
    old: Json | None = None,
    operation: Operation | None = None,
    user: str = CONTROLLER,
    namespace: str = NAMESPACE,
    name: str | None = None,
    subresource: str | None = None,
    dry_run: bool = False,
) -> Json:
    """Build an AdmissionReview; the operation is CREATE, or UPDATE where there is an old object."""
    source = new or old or {}
    kind = source["kind"]
    group, version, plural = _RESOURCES[kind]
    by_kind = {"group": group, "version": version, "kind": kind}
    by_name = {"group": group, "version": version, "resource": plural}
    request: Json = {
        "uid": "8adbba00-55da-4fb5-8494-14cec71aa613",
        "kind": by_kind,
        "resource": by_name,
        "requestKind": dict(by_kind),
        "requestResource": dict(by_name),
        "name": source["metadata"].get("name", "") if name is None else name,
        "namespace": namespace,
        "operation": operation or ("UPDATE" if old else "CREATE"),
        "userInfo": {"username": user, "groups": ["system:authenticated"]},
        "object": new,
        "oldObject": old,
        "dryRun": dry_run,
    }
    if subresource is not None:
        request |= {"subResource": subresource, "requestSubResource": subresource}
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request}


def request(new: Json | None, **fields: Any) -> Request:
    """Build an AdmissionReview and read it as the server does, from its bytes; `fields` are those of `review`."""
    return parse_review(json.dumps(review(new, **fields)).encode())


def scan_document(
    image: str = IMAGE,
    *,
    name: str = "scan",
    digest: str | None = DIGEST,
    platforms: tuple[str, ...] = (PLATFORM_DIGEST,),
    fails: Mapping[str, str] | None = None,
    unknown: Mapping[str, str] | None = None,
    cuda: bool | None = None,
    **status: Any,
) -> Json:
    """Build an ImageScan with a check for each requirement.

    `fails` and `unknown` give messages by requirement; fields of `status` are added or replaced, None removes one.
    """
    wrong, unsure = fails or {}, unknown or {}
    verdict = "Violates" if wrong else "Unknown" if unsure else "Conforms"
    whole = {
        "phase": "Complete",
        "digest": digest,
        "manifests": [{"platform": "linux/amd64", "digest": found} for found in platforms],
        "verdict": verdict,
        "serving": "Prefix",
        "checks": [_check(requirement, wrong, unsure) for requirement in REQUIREMENTS],
        "facts": {"user": "1000", "exposedPorts": [8888], "cuda": cuda},
        "resolvedAt": SCANNED,
        "scannedAt": SCANNED,
        "scanner": "nbgate/0.1.0",
        "conditions": [],
        **status,
    }
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name},
        "spec": {"image": image, "interval": "24h"},
        "status": {key: value for key, value in whole.items() if value is not None},
    }


def _check(requirement: str, fails: Mapping[str, str], unknown: Mapping[str, str]) -> Json:
    result = "Fail" if requirement in fails else "Unknown" if requirement in unknown else "Pass"
    message = fails.get(requirement) or unknown.get(requirement) or "seen"
    return {
        "requirement": requirement,
        "result": result,
        "evidence": "Probe",
        "message": message,
    }


def pending_document(
    image: str = IMAGE, *, phase: str = "Pending", name: str = "scan", why: str = ""
) -> Json:
    """Build an ImageScan without a result yet; `why` is how the last try failed."""
    condition = {"type": "Scanned", "status": "False", "reason": "Tried", "message": why}
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "ImageScan",
        "metadata": {"name": name},
        "spec": {"image": image},
        "status": {"phase": phase, "conditions": [condition] if why else []},
    }


def scan(document: Json) -> Scan:
    """Read an ImageScan as a store does."""
    return compact(read_scan_document(document))


def policy(**spec: Any) -> Json:
    """Build a NotebookPolicy with this spec."""
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": "default"},
        "spec": spec,
    }


def exemption(**fields: Any) -> Json:
    """Build an exemption of the builders' namespace that holds at NOW; `fields` replace what is there."""
    return {
        "name": "legacy",
        "namespaces": [NAMESPACE],
        "reason": "migrating, TICKET-1",
        "expires": "2026-03-31",
        **fields,
    }


def snapshot(*scans: Json, modes: Mapping[str, str] | None = None, **spec: Any) -> Snapshot:
    """Build what a decision knows: these scans, and the default policy or one with this spec."""
    return Snapshot(
        scans=build_index([scan(document) for document in scans]),
        policy=read_policy(policy(**spec)) if spec else DEFAULT_POLICY,
        modes=modes or {},
    )
