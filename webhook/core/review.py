"""AdmissionReview: bytes in, a frozen Request out; an answer in, bytes out.

The protocol is `admission.k8s.io/v1` (kubernetes.io, "Dynamic Admission Control"):
HTTP 200 even for a denial, `apiVersion`, `kind` and `uid` echoed, `patch` and `patchType` together or not at all.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast, get_args

import orjson

from webhook.core.reading import Malformed, boolean, inside, kind_of, mapping, text
from webhook.core.words import clean

API_VERSION = "admission.k8s.io/v1"
Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
_OPERATIONS = frozenset(get_args(Operation))
# An object of etcd's 1.5 MiB, twice, with a brace every dozen bytes: twenty times what managed fields of the largest
# come to. Millions of them in the 7 MiB of a body would take seconds and hundreds of megabytes to read.
_VALUES_LIMIT = 250_000
_UID_LIMIT = 128  # a UUID has 36 characters; the uid is echoed, so it is bounded


class ReviewError(ValueError):
    """The bytes are not an AdmissionReview that can be decided on; the message names the field and the cure."""


class Request(NamedTuple):
    """One admission request.

    Attributes:
        resource: plural resource name with its subresource, as `pods` or `pods/ephemeralcontainers`.
        group: API group of the resource; empty for core.
        namespace: the request's, which counts: a pod's own may be empty.
        name: may be empty (generateName).
        object: the new object, untrusted JSON; None on DELETE.
        old_object: the stored object; None on CREATE and CONNECT.
    """

    uid: str
    group: str
    resource: str
    kind: str
    operation: Operation
    namespace: str
    name: str
    user: str
    groups: tuple[str, ...]
    dry_run: bool
    object: Mapping[str, Any] | None
    old_object: Mapping[str, Any] | None


def parse_review(body: bytes) -> Request:
    """Read an AdmissionReview.

    Raises:
        ReviewError: the body is no JSON, no AdmissionReview, of another version, or a field has a wrong type.
    """
    # a shorter body cannot hold so many
    if len(body) > _VALUES_LIMIT and body.count(b"{") + body.count(b"[") > _VALUES_LIMIT:
        raise ReviewError(f"the body holds more than {_VALUES_LIMIT} objects and lists")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise ReviewError(f"the body must be an AdmissionReview object, not {kind_of(document)}")
    return read_review(document)


def read_review(document: Mapping[str, Any]) -> Request:
    """Read an AdmissionReview that was parsed already. Raises ReviewError."""
    if document.get("kind") != "AdmissionReview":
        raise ReviewError(f'kind must be "AdmissionReview", not {_quoted(document.get("kind"))}')
    if document.get("apiVersion") != API_VERSION:
        raise ReviewError(
            f'apiVersion must be "{API_VERSION}", not {_quoted(document.get("apiVersion"))}: '
            "set admissionReviewVersions to [v1] in the webhook configuration"
        )
    request = document.get("request")
    if not isinstance(request, dict):
        raise ReviewError(f"request must be an object, not {kind_of(request)}")
    try:
        return _read_request(request)
    except Malformed as error:
        raise ReviewError(str(error.under("request"))) from None


def _read_request(request: Mapping[str, Any]) -> Request:
    resource = inside(request, "resource", _resource)
    if resource is None:
        raise Malformed("resource.resource", "is missing")
    group, plural = resource
    user, groups = inside(request, "userInfo", _user) or ("", ())
    sub = text(request, "subResource")
    kind: str | None = inside(request, "kind", _kind)
    return Request(
        uid=_uid(request),
        group=group,
        resource=f"{plural}/{sub}" if sub else plural,
        kind=kind or "",
        operation=_operation(request),
        namespace=text(request, "namespace") or "",
        name=text(request, "name") or "",
        user=user,
        groups=groups,
        dry_run=boolean(request, "dryRun") or False,
        object=mapping(request, "object"),
        old_object=mapping(request, "oldObject"),
    )


def _resource(resource: Mapping[str, Any]) -> tuple[str, str]:
    plural = text(resource, "resource")
    if not plural:
        raise Malformed("resource", "is missing")
    return text(resource, "group") or "", plural


def _kind(kind: Mapping[str, Any]) -> str | None:
    return text(kind, "kind")


def _user(user: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    return text(user, "username") or "", _groups(user)


def _uid(request: Mapping[str, Any]) -> str:
    uid = text(request, "uid")
    if not uid:
        raise Malformed("uid", "is missing")
    if len(uid) > _UID_LIMIT:
        raise Malformed("uid", f"must have at most {_UID_LIMIT} characters")
    return uid


def _operation(request: Mapping[str, Any]) -> Operation:
    operation = text(request, "operation")
    if operation not in _OPERATIONS:
        raise Malformed("operation", f"must be one of {', '.join(get_args(Operation))}")
    return cast("Operation", operation)


def _groups(user: Mapping[str, Any]) -> tuple[str, ...]:
    groups = user.get("groups")
    if groups is None:
        return ()
    if not isinstance(groups, list) or [g for g in groups if not isinstance(g, str)]:
        raise Malformed("groups", "must be a list of text")
    return tuple(groups)


def _quoted(value: object) -> str:
    return f'"{clean(value[:60])}"' if isinstance(value, str) else kind_of(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One violation, as `status.details.causes` carries it: `reason` is the rule's id, `field` its place."""

    reason: str
    message: str
    field: str


class Answer(NamedTuple):
    """What the API server is told.

    Attributes:
        message: why it is denied; empty when allowed.
        patch: JSON Patch operations; empty means none is sent.
        annotations: what the API server writes into its own audit log, under the webhook's name.
    """

    allowed: bool
    annotations: Mapping[str, str]
    message: str = ""
    causes: Sequence[Cause] = ()
    warnings: Sequence[str] = ()
    patch: Sequence[Mapping[str, Any]] = ()


def render_answer(uid: str, answer: Answer) -> bytes:
    """Write the AdmissionReview that answers the request with this uid."""
    response: dict[str, Any] = {"uid": uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = _denial(answer)
    if answer.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(answer.patch)).decode("ascii")
    if answer.warnings:
        response["warnings"] = list(answer.warnings)
    if answer.annotations:
        response["auditAnnotations"] = dict(answer.annotations)
    return orjson.dumps(
        {"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}
    )


def _denial(answer: Answer) -> dict[str, Any]:
    causes = [{"reason": c.reason, "message": c.message, "field": c.field} for c in answer.causes]
    return {
        "status": "Failure",
        "code": 403,
        "reason": "Forbidden",
        "message": answer.message,
        "details": {"causes": causes},
    }
