"""Manifests as the requests that the API server would make of them: what `nbgate review` decides on."""

from collections.abc import Mapping
from typing import Any

from webhook.core import policyreview
from webhook.core.actions import MODE_LABEL, mode_of
from webhook.core.pod import read_metadata, read_spec
from webhook.core.reading import Malformed, inside, text
from webhook.core.review import Request, read_review
from webhook.core.words import cut

_STATEFULSET_CONTROLLER = "system:serviceaccount:kube-system:statefulset-controller"
# What a request calls the resource of a kind, with its group; a StatefulSet stands for its pod.
_RESOURCES = {
    "Pod": ("", "pods"),
    "Notebook": ("kubeflow.org", "notebooks"),
    "StatefulSet": ("", "pods"),
    "NotebookPolicy": policyreview.RESOURCE,
}
KINDS = (*_RESOURCES, "AdmissionReview")


def namespace_mode(document: Mapping[str, Any]) -> tuple[str, str] | None:
    """Read a Namespace document into its name and mode, or None for another kind. Raises Malformed."""
    if document.get("kind") != "Namespace":
        return None
    meta = read_metadata(document)
    return meta.name, mode_of(meta.labels.get(MODE_LABEL))


def request_for(document: Mapping[str, Any], namespace: str) -> Request:
    """Make the request that creates what the document describes.

    `namespace` counts where the document names none. A StatefulSet becomes the pod that its controller creates, by
    that controller's request.

    Raises:
        Malformed: the kind is none of KINDS, or a field has a wrong type.
        ReviewError: an AdmissionReview is malformed.
    """
    kind = document.get("kind")
    if kind == "AdmissionReview":
        return read_review(document)
    if not isinstance(kind, str) or kind not in _RESOURCES:
        shown = cut(kind, 60) if isinstance(kind, str) else "missing"
        raise Malformed("kind", f"must be one of {', '.join(KINDS)}, Namespace; it is {shown}")
    named = inside(document, "metadata", lambda meta: text(meta, "namespace"))
    group, resource = _RESOURCES[kind]
    request = Request(
        uid="review",
        group=group,
        resource=resource,
        kind="Pod" if resource == "pods" else kind,
        operation="CREATE",
        namespace="" if kind == "NotebookPolicy" else named or namespace,
        name=read_metadata(document).name,
        user="",
        groups=(),
        dry_run=False,
        object=document,
        old_object=None,
    )
    return _created_by_controller(request, document) if kind == "StatefulSet" else request


def _created_by_controller(request: Request, document: Mapping[str, Any]) -> Request:
    template = inside(document, "spec", lambda spec: inside(spec, "template", _whole_template))
    if template is None:
        raise Malformed("spec.template", "is missing")
    owner = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": request.name,
        "controller": True,
    }
    metadata = {
        **(template.get("metadata") or {}),
        "name": f"{request.name}-0",
        "generateName": f"{request.name}-",
        "namespace": request.namespace,
        "ownerReferences": [owner],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template.get("spec")}
    return request._replace(name=f"{request.name}-0", user=_STATEFULSET_CONTROLLER, object=pod)


def _whole_template(template: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what the pod is made of, so that a fault is named where it stands in the StatefulSet."""
    read_metadata(template)
    inside(template, "spec", read_spec)
    return template
