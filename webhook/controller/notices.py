"""Events on Notebooks: what their owners see in Kubeflow's web app and in `kubectl describe`.

What it takes, as the verbs of a ClusterRole:

    notebooks.kubeflow.org   get
    events                   create
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

from webhook.controller.mandate import Mandate
from webhook.controller.pace import Pace
from webhook.core.document import format_time
from webhook.core.message import MESSAGE_LIMIT
from webhook.core.words import clean
from webhook.kube import EVENTS, NOTEBOOKS, Document, Kube
from webhook.kubeerrors import Conflict, NotFound, Refused

EventType = Literal["Normal", "Warning"]
# How the API server words it (apiserver, admission/plugin/namespace/lifecycle).
_ENDING = "being terminated"
_NAME_LIMIT = 200  # of 253, so that there is room for what tells Events of one Notebook apart


class Notices:
    """Posts Events on Notebooks, each once: its name is made of what it says, and of two the API server takes one."""

    def __init__(self, kube: Kube, mandate: Mandate, pace: Pace) -> None:
        self._kube, self._mandate, self._pace = kube, mandate, pace

    def post(
        self, namespace: str, name: str, kind: EventType, reason: str, message: str, at: float
    ) -> bool:
        """Say something on a Notebook, as of `at` in seconds since the epoch; tell whether there is such a Notebook.

        Raises KubeError; Lost where this replica leads no more.
        """
        try:
            notebook = self._kube.get(NOTEBOOKS, name, namespace)
        except NotFound:
            return False
        self._pace.wait()
        self._mandate.insist()
        event = event_on(notebook, kind, reason, message, at)
        try:
            self._kube.create(EVENTS, event, namespace)
        except Conflict:
            pass  # it was said before
        except NotFound:
            return False  # the namespace is gone
        except Refused as error:
            if _ENDING not in str(error):
                raise
            return False
        return True


def event_on(
    notebook: Mapping[str, Any], kind: EventType, reason: str, message: str, at: float
) -> Document:
    """Make an Event on a Notebook; what says the same of the same Notebook has the same name."""
    meta = notebook["metadata"]
    said = one_line(message)
    identity = hashlib.sha256("\0".join((meta["uid"], reason, said)).encode()).hexdigest()[:16]
    involved = {
        "apiVersion": notebook["apiVersion"],
        "kind": notebook["kind"],
        **{key: meta[key] for key in ("name", "namespace", "uid")},
    }
    name = meta["name"][:_NAME_LIMIT].rstrip("-.")
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{identity}", "namespace": meta["namespace"]},
        "involvedObject": involved,
        "type": kind,
        "reason": reason,
        "message": said,
        "source": {"component": "nbgate"},
        "firstTimestamp": format_time(at),
        "lastTimestamp": format_time(at),
        "count": 1,
    }


def one_line(message: str) -> str:
    """Make a text fit for an Event: printable, one line, at most 1 KiB."""
    said = clean(message.strip())
    data = said.encode()
    if len(data) <= MESSAGE_LIMIT:
        return said
    return data[: MESSAGE_LIMIT - 3].decode(errors="ignore") + "..."
