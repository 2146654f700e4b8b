"""What a NotebookPolicy's status says: whether it is valid, whether it is the one in force, and how strict it is.

Every replica of the webhook reads the policies for itself and heeds no status: this one is for people, and it is right
within seconds. A policy that is wrong is refused at `kubectl apply`; one that slipped by, or that a newer nbgate would
take, says here what is wrong with it.

What it takes, as the verbs of a ClusterRole:

    notebookpolicies.nbgate.dev          list
    notebookpolicies.nbgate.dev/status   update
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from webhook.controller.mandate import Mandate, unlimited
from webhook.core.document import Fault, InvalidDocument, format_time
from webhook.core.policy import DEFAULT_POLICY, PolicySpec, read_policy
from webhook.core.requirements import REQUIREMENTS
from webhook.core.words import cut
from webhook.kube import NOTEBOOK_POLICIES, Document, Kube
from webhook.kubeerrors import Conflict, NotFound

IN_FORCE = DEFAULT_POLICY.metadata.name
_MESSAGE_LIMIT = 32_768  # metav1.Condition, message


def status_of(document: Mapping[str, Any], now: float) -> Document:
    """Make the status that a policy should have; equal to what is there where nothing has changed.

    A policy that is not valid has no mode. Conditions of others stay.
    """
    meta, told = document["metadata"], _mapping(document.get("status"))
    faults: Sequence[Fault] = ()
    mode = None
    try:
        mode = mode_of(read_policy(document).spec)
    except InvalidDocument as error:
        faults = error.faults
    conditions = [c for c in _conditions(told) if c.get("type") != "Valid"]
    status = {
        **told,
        "observedGeneration": meta.get("generation"),
        "mode": mode,
        "valid": not faults,
        "inForce": not faults and meta.get("name") == IN_FORCE,
        "conditions": [_valid(faults, told, now), *conditions],
    }
    return {key: value for key, value in status.items() if value is not None}


def mode_of(spec: PolicySpec) -> str:
    """Name the strongest action that a violated requirement leads to."""
    return max(spec.action_for(requirement) for requirement in REQUIREMENTS).label


def _valid(faults: Sequence[Fault], told: Mapping[str, Any], now: float) -> Document:
    status = "False" if faults else "True"
    before = next((c for c in _conditions(told) if c.get("type") == "Valid"), {})
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    said = "; ".join(str(fault) for fault in faults) or "every field can be followed"
    return {
        "type": "Valid",
        "status": status,
        "reason": "Faults" if faults else "NoFaults",
        "message": cut(said, _MESSAGE_LIMIT),
        "lastTransitionTime": since or format_time(now),
    }


def _conditions(told: Mapping[str, Any]) -> list[Document]:
    held = told.get("conditions")
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


class PolicyStatusUpkeep:
    """The duty that writes it, where it differs."""

    name = "policies"
    every = 5.0

    def __init__(self, kube: Kube, *, mandate: Mandate | None = None) -> None:
        self._kube = kube
        self._mandate = mandate or unlimited()

    def run(self, now: float) -> None:
        """Bring the status of every policy up to date. Raises KubeError."""
        for page in self._kube.pages(NOTEBOOK_POLICIES):
            for document in page.items:
                status = status_of(document, now)
                if status != document.get("status"):
                    self._write({**document, "status": status})

    def _write(self, document: Document) -> None:
        self._mandate.insist()
        # Changed or deleted meanwhile: next time.
        with suppress(Conflict, NotFound):
            self._kube.replace(NOTEBOOK_POLICIES, document, part="status")
