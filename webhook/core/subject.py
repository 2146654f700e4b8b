"""What a request asks nbgate to judge: a notebook's pod, a Notebook, or containers added to a running pod."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from webhook.core.identity import is_notebook, notebook_container, notebook_names
from webhook.core.pod import (
    MIRROR_ANNOTATION,
    Container,
    Metadata,
    PodSpec,
    read_containers,
    read_metadata,
    read_spec,
)
from webhook.core.reading import Malformed, inside
from webhook.core.review import Request, ReviewError

SubjectKind = Literal["Pod", "Notebook", "EphemeralContainers"]
_HANDLED = frozenset(
    {("", "pods"), ("", "pods/ephemeralcontainers"), ("kubeflow.org", "notebooks")}
)


class Subject(NamedTuple):
    """One object to judge.

    Attributes:
        namespace: the request's.
        notebook: the notebook's name; for an EphemeralContainers object, which has no labels, the pod's.
        path: where the spec stands in the object, with its dot: `spec.` or `spec.template.spec.`.
        serving: the containers that count as the notebook, the surest first; more than one only where the identity
            of a stored pod is not certain, none where the spec has no regular container.
    """

    kind: SubjectKind
    meta: Metadata
    namespace: str
    notebook: str
    spec: PodSpec
    path: str
    serving: tuple[Container, ...]


def read_subject(request: Request) -> Subject | None:
    """Read what is to be judged, or None for what nbgate leaves alone.

    Left alone are other kinds and operations, pods that are no notebooks, mirror pods, and objects being deleted.

    Raises:
        ReviewError: the object is missing, or a field of it has a wrong type.
    """
    if request.operation not in ("CREATE", "UPDATE"):
        return None
    if (request.group, request.resource) not in _HANDLED:
        return None
    if request.object is None:
        raise ReviewError(f"request.object is missing, though the operation is {request.operation}")
    return _read(request, request.object, "object", _stored_metadata(request))


def read_stored(request: Request) -> Subject | None:
    """Read the stored object of an UPDATE, or None where there is none or it was no notebook. Raises ReviewError."""
    if request.operation != "UPDATE" or request.old_object is None:
        return None
    return _read(request, request.old_object, "oldObject", _stored_metadata(request))


def _read(
    request: Request, source: Mapping[str, Any], step: str, stored: Metadata | None
) -> Subject | None:
    try:
        meta = read_metadata(source)
        if meta.deleting:
            return None
        if request.resource == "notebooks":
            return _notebook(request, meta, source)
        if source.get("kind") == "EphemeralContainers":
            return _ephemeral(request, meta, source)
        return _pod(request, meta, source, stored)
    except Malformed as error:
        raise ReviewError(str(error.under(step).under("request"))) from None


def _pod(
    request: Request, meta: Metadata, source: Mapping[str, Any], stored: Metadata | None
) -> Subject | None:
    """Read a pod that is a notebook's, or was one before this request: dropping the label sets nobody free."""
    if not is_notebook(meta) and not (stored is not None and is_notebook(stored)):
        return None
    if MIRROR_ANNOTATION in meta.annotations:
        return None
    if not request.namespace:
        raise ReviewError("request.namespace is missing: a pod has one")
    spec = inside(source, "spec", read_spec) or read_spec({})
    names = notebook_names(meta, request.user, stored)
    return Subject(
        kind="Pod",
        meta=meta,
        namespace=request.namespace,
        notebook=names[0],
        spec=spec,
        path="spec.",
        serving=_serving(spec, names),
    )


def _stored_metadata(request: Request) -> Metadata | None:
    if request.operation != "UPDATE" or request.old_object is None:
        return None
    try:
        return read_metadata(request.old_object)
    except Malformed as error:
        raise ReviewError(str(error.under("oldObject").under("request"))) from None


def _notebook(request: Request, meta: Metadata, source: Mapping[str, Any]) -> Subject:
    spec = inside(source, "spec", _template_spec) or read_spec({})
    name = meta.name or request.name or meta.generate_name.rstrip("-")
    return Subject(
        kind="Notebook",
        meta=meta,
        namespace=request.namespace,
        notebook=name,
        spec=spec,
        path="spec.template.spec.",
        serving=_serving(spec, (name,)),
    )


def _template_spec(spec: Mapping[str, Any]) -> PodSpec | None:
    return inside(spec, "template", lambda template: inside(template, "spec", read_spec))


def _ephemeral(request: Request, meta: Metadata, source: Mapping[str, Any]) -> Subject:
    """Read the object that servers before 1.22 send: containers without the pod, so without its labels."""
    containers = read_containers(source, "ephemeralContainers")
    spec = PodSpec(
        containers=containers,
        volumes=None,
        security=None,
        tolerations=None,
        runtime_class=None,
        claims=False,
    )
    return Subject(
        kind="EphemeralContainers",
        meta=meta,
        namespace=request.namespace,
        notebook=request.name or meta.name,
        spec=spec,
        path="",
        serving=(),
    )


def _serving(spec: PodSpec, names: tuple[str, ...]) -> tuple[Container, ...]:
    found: dict[int, Container] = {}
    for name in names:
        container = notebook_container(spec, name)
        if container is not None:
            found[container.position] = container
    return tuple(found.values())
