"""The CustomResourceDefinitions of ImageScan and NotebookPolicy."""

from typing import Any

from deploy.generator.structural import Schema, structural
from webhook.core.document import API_VERSION
from webhook.core.policy import PolicyDocument, PolicyStatus
from webhook.core.scan import ScanDocument

Document = dict[str, Any]

_GROUP, _, _VERSION = API_VERSION.partition("/")


def _column(name: str, kind: str, path: str, text: str, *, wide: bool = False) -> Document:
    column = {"name": name, "type": kind, "jsonPath": path, "description": text}
    return {**column, "priority": 1} if wide else column


_AGE = _column("Age", "date", ".metadata.creationTimestamp", "Since it was created.")
_SCAN_COLUMNS = [
    _column("Image", "string", ".spec.image", "What is scanned."),
    _column("Phase", "string", ".status.phase", "Where the scan stands."),
    _column("Verdict", "string", ".status.verdict", "Whether it works as a notebook."),
    _column("Serving", "string", ".status.serving", "Where it answers."),
    _column("Scanned", "date", ".status.scannedAt", "Since the last scan.", wide=True),
    _column("Digest", "string", ".status.digest", "What the image resolved to.", wide=True),
    _AGE,
]
_POLICY_COLUMNS = [
    _column("Mode", "string", ".status.mode", "The strongest action that it takes."),
    _column("Valid", "boolean", ".status.valid", "Whether it can be followed."),
    _column("In-Force", "boolean", ".status.inForce", "Whether it is the one that is followed."),
    _AGE,
]


def image_scans() -> Document:
    """Return the definition of imagescans.nbgate.dev."""
    schema = structural(ScanDocument)
    return _definition("ImageScan", "imgscan", schema, _SCAN_COLUMNS)


class _PolicyWithStatus(PolicyDocument):
    # The reader of policies takes any status, for that makes no policy wrong; here it has its fields.
    __doc__ = PolicyDocument.__doc__

    status: PolicyStatus | None = None  # type: ignore[assignment]  # narrower, see above


def notebook_policies() -> Document:
    """Return the definition of notebookpolicies.nbgate.dev."""
    schema = structural(_PolicyWithStatus)
    return _definition("NotebookPolicy", "nbpol", schema, _POLICY_COLUMNS)


def _definition(kind: str, short: str, schema: Schema, columns: list[Document]) -> Document:
    singular = kind.lower()
    plural = f"{singular.removesuffix('y')}ies" if singular.endswith("y") else f"{singular}s"
    names = {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": plural,
        "singular": singular,
        "shortNames": [short],
        # `kubectl get nbgate` lists both kinds
        "categories": ["nbgate"],
    }
    version = {
        "name": _VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{_GROUP}",
            "labels": {"app.kubernetes.io/name": "nbgate", "app.kubernetes.io/part-of": "nbgate"},
        },
        "spec": {"group": _GROUP, "names": names, "scope": "Cluster", "versions": [version]},
    }
