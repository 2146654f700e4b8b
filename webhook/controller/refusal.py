"""A refusal of ours in the words of Kubernetes: an Event on a StatefulSet whose pod could not be created. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from webhook.controller.notices import one_line
from webhook.core.document import parse_time

FIELDS = "reason=FailedCreate,involvedObject.kind=StatefulSet"
WEBHOOK = "pods.nbgate.dev"
# As the API server words it (apiserver, admission/plugin/webhook/errors, ToStatusErr).
_DENIAL = re.compile(
    rf'admission webhook "{re.escape(WEBHOOK)}" denied the request: (.*)', re.DOTALL
)
_RULE = re.compile(r"\[([a-z0-9-]{1,40})\]")
# Of an object (apimachinery, IsDNS1123Subdomain). What an Event is about nobody checks: `.` in a path is the whole
# list, and what is a million characters long fits into no request.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
# Seconds: how long the API server keeps an Event (--event-ttl). A refusal that still goes on then is said again.
_KEPT = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A pod that nbgate refused: the StatefulSet's place and name, our own words, and when it happened last."""

    namespace: str
    name: str
    message: str
    at: float

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes it the same refusal."""
        return self.namespace, self.name, self.message

    @property
    def reason(self) -> str:
        """The Event's reason: `ScanPending` where nothing is known of the image yet, and nothing else is wrong."""
        pending = set(_RULE.findall(self.message)) == {"unscanned"}
        return "ScanPending" if pending else "NotebookRefused"


def refusal_in(document: Mapping[str, Any]) -> Refusal | None:
    """Read an Event; None where it is no refusal of ours, or is not to be understood.

    The namespace is the Event's own, which is what its author was allowed to write in.
    """
    involved, message = document.get("involvedObject"), document.get("message")
    if not isinstance(involved, dict) or not isinstance(message, str):
        return None
    denied, at = _DENIAL.search(message), _time_of(document)
    namespace, name = document["metadata"].get("namespace"), involved.get("name")
    if denied is None or at is None:
        return None
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return None
    return Refusal(namespace=namespace, name=name, message=one_line(denied[1]), at=at)


def worth_saying(refusal: Refusal, said: float | None, now: float) -> bool:
    """Tell whether to say it at `now`: it is not over, and what was `said` of it last is there no more."""
    return now - refusal.at <= _KEPT and (said is None or now - said >= _KEPT)


def _time_of(document: Mapping[str, Any]) -> float | None:
    """Read when it happened last; Events that are written by the newer interface have no lastTimestamp."""
    created = document["metadata"].get("creationTimestamp")
    for value in (document.get("lastTimestamp"), document.get("eventTime"), created):
        try:
            if isinstance(value, str):
                return parse_time(value)
        except ValueError:
            continue
    return None
