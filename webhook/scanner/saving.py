"""A scan's result into the cluster, as the custom resource ImageScan: `--save cluster`.

What it takes, as the verbs of a ClusterRole:

    imagescans.nbgate.dev          get, create, update
    imagescans.nbgate.dev/status   update
"""

from collections.abc import Mapping
from typing import Any, Literal

from webhook.core.document import InvalidDocument, parse_time
from webhook.core.reference import InvalidReference, parse
from webhook.core.scan import ScanDocument
from webhook.kube import IMAGE_SCANS, Document, Kube
from webhook.kubeerrors import Conflict, NotFound

Saved = Literal["created", "replaced", "kept"]

# Each conflict means that somebody else has written; of that many, one is through.
_ATTEMPTS = 5
# Fields of the status that are no result. What kept the controller from one is not among them: here is one.
_OTHERS = ("claim", "lastUsedAt")


def save_to_cluster(kube: Kube, document: ScanDocument) -> Saved:
    """Create or update the ImageScan; `kept` is a result that was there and resolved later than ours.

    Of one that is there everything that is not the scanner's stays: labels, how often it is to be scanned, when it was
    last used, and a claim: a controller that scans it just now ends in peace, and writes what it found over ours.

    Raises KubeError; NotFound where the cluster has no such kind.
    """
    content: Document = document.model_dump(mode="json", by_alias=True, exclude_none=True)
    for _ in range(_ATTEMPTS - 1):
        try:
            return _save(kube, content)
        except Conflict:
            continue
    return _save(kube, content)


def _save(kube: Kube, content: Document) -> Saved:
    stored = _stored(kube, content["metadata"]["name"])
    if stored is None:
        saved: Saved = "created"
        stored = _create(kube, content)
    elif _resolved(stored) > _resolved(content):
        return "kept"
    else:
        saved = "replaced"
        stored = _with_image(kube, stored, content["spec"]["image"])
    status = _status(_mapping(stored.get("status")), content)
    kube.replace(IMAGE_SCANS, {**stored, "status": status}, part="status")
    return saved


def _status(stored: Mapping[str, Any], content: Document) -> Document:
    """Give our result with what others have written beside theirs."""
    kept = {name: stored[name] for name in _OTHERS if name in stored}
    return {**content["status"], **kept, "image": _canonical(content["spec"]["image"])}


def _stored(kube: Kube, name: str) -> Document | None:
    try:
        return kube.get(IMAGE_SCANS, name)
    except NotFound:
        return None  # or there is no such kind: then it cannot be created either


def _create(kube: Kube, content: Document) -> Document:
    # Its status is a subresource: what a create carries of it is dropped.
    unscanned = {key: value for key, value in content.items() if key != "status"}
    try:
        return kube.create(IMAGE_SCANS, unscanned)
    except NotFound as error:
        raise NotFound(
            f"{error}; the cluster does not know the kind ImageScan: install nbgate's definitions from deploy/ first"
        ) from error


def _with_image(kube: Kube, stored: Document, image: str) -> Document:
    """Give the stored object, updated where it names another image under our name."""
    spec = _mapping(stored.get("spec"))
    if _canonical(spec.get("image")) == _canonical(image):
        return stored
    return kube.replace(IMAGE_SCANS, {**stored, "spec": {**spec, "image": image}})


def _canonical(image: Any) -> str | None:
    try:
        return parse(str(image)).canonical
    except InvalidReference:
        return None


def _resolved(content: Mapping[str, Any]) -> float:
    """Give when the image was resolved; what cannot be read was never."""
    time = _mapping(content.get("status")).get("resolvedAt")
    try:
        return parse_time(time) if isinstance(time, str) else 0.0
    except (ValueError, InvalidDocument):
        return 0.0


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
