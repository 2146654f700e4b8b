"""What the API server itself says of its calls of our webhooks: in its metrics and in its log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.controlplane import ControlPlane

DOMAIN = "nbgate.dev"  # ends the names of our webhooks
CALLS = "apiserver_admission_webhook_admission_duration_seconds_count"
REJECTIONS = "apiserver_admission_webhook_rejection_count"
FAILED = 'error_type="calling_webhook_error"'

_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$", re.MULTILINE)
_NAME = re.compile(r'name="([^"]+)"')
# A webhook that may fail open is in no metric of an API server before 1.22, but in the log of each.
_LOGGED = re.compile(r"[Ff]ailed calling webhook, failing (open|closed) ([\w.-]+): (.*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """How often the API server called each of our webhooks since it started, and how often in vain; and its words."""

    made: dict[str, int]
    failed: dict[str, int]
    complaints: tuple[str, ...]

    def since(self, before: Calls) -> Calls:
        """Return what came after."""
        return Calls(
            made=_difference(self.made, before.made),
            failed=_difference(self.failed, before.failed),
            complaints=self.complaints[len(before.complaints) :],
        )


def calls(plane: ControlPlane) -> Calls:
    """Read both."""
    text = plane.request("GET", "/metrics").text
    log = Path(plane.component("kube-apiserver").log).read_text(errors="replace")
    found = (match.groups() for match in _LOGGED.finditer(log))
    return Calls(
        made=_counted(text, CALLS, ""),
        failed=_counted(text, REJECTIONS, FAILED),
        complaints=tuple(
            f"{name} failed {how}: {why}" for how, name, why in found if name.endswith(DOMAIN)
        ),
    )


def _counted(text: str, metric: str, label: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, labels, value in _SAMPLE.findall(text):
        webhook = _NAME.search(labels)
        if name == metric and label in labels and webhook and webhook[1].endswith(DOMAIN):
            counts[webhook[1]] = counts.get(webhook[1], 0) + int(float(value))
    return counts


def _difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    grown = {name: count - before.get(name, 0) for name, count in after.items()}
    return {name: count for name, count in grown.items() if count}
