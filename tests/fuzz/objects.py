"""Objects of the cluster that tenants wrote, as the controller reads them: pods, StatefulSets, Notebooks, Events.

The API server checks what it stores, but not all of it: a Notebook's template holds anything, and so do Events.
"""

from typing import Any

import orjson

from tests.core.builders import IMAGE, notebook, stateful_set_pod
from tests.fuzz.target import Target, one_line
from webhook.controller.inuse import images_of_pod, images_of_template, together
from webhook.controller.refusal import refusal_in
from webhook.controller.waiting import waiting
from webhook.core.reference import check_digest, parse
from webhook.kube import PODS
from webhook.kubeerrors import Asked, KubeError, refusal

Json = dict[str, Any]


def check_object(data: bytes) -> None:
    """Of any object with metadata it is told what images it names, whether it waits, and what refusal it tells of."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError:
        return
    if not isinstance(document, dict) or not isinstance(document.get("metadata"), dict):
        return  # which every object of the API server has
    images = together([images_of_pod(document), images_of_template(document)])
    for tag in images.tags:
        assert parse(tag).tagged == tag
    for digest in images.digests:
        check_digest(digest)
    waits = waiting(document)
    assert waits is None or parse(waits.reference.canonical) == waits.reference
    refused = refusal_in(document)
    if refused is not None and refused.message:
        one_line(refused.message)


def check_refusal(data: bytes) -> None:
    """Whatever the API server says of a request that failed becomes an error of ours, in one line."""
    for status in (400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503, 504):
        error = refusal(Asked(verb="get", resource=PODS), status, data)
        assert isinstance(error, KubeError)
        one_line(str(error))


_REFUSED = 'admission webhook "pods.nbgate.dev" denied the request: image x: [unscanned] no'


def _objects() -> list[bytes]:
    pod = stateful_set_pod()
    image_id = f"docker-pullable://{IMAGE.partition(':')[0]}@sha256:{'a' * 64}"
    pod["status"]["containerStatuses"] = [{"imageID": image_id}, {"imageID": 1}]
    stateful_set = {
        "metadata": {"name": "my-nb", "namespace": "team-a"},
        "spec": {"replicas": 1, "template": stateful_set_pod()},
        "status": {"replicas": 0},
    }
    event = {
        "metadata": {"namespace": "team-a", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "involvedObject": {"name": "my-nb", "kind": "StatefulSet"},
        "message": _REFUSED,
        "lastTimestamp": None,
    }
    return [orjson.dumps(one) for one in (pod, stateful_set, notebook(), event)]


def _statuses() -> list[bytes]:
    message = 'pods is forbidden: User "system:serviceaccount:a:b" cannot get resource "pods"'
    return [orjson.dumps({"kind": "Status", "message": message, "reason": "Forbidden"}), b"<html>"]


TARGETS = (
    Target(
        name="cluster-object",
        check=check_object,
        seeds=_objects,
        words=(b'"imageID":"', b'"containers":', b'"replicas":', b'"template":', b'"eventTime":'),
    ),
    Target(
        name="cluster-refusal",
        check=check_refusal,
        seeds=_statuses,
        words=(b'"reason":', b'"message":'),
    ),
)
