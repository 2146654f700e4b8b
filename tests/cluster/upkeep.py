"""What else a platform team sees of an installed nbgate: its policy, and what is left to one of the controllers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from tests.cluster.controlplane import OWN_NAMESPACE, RequestRefused
from tests.cluster.deployed import CONTROLLER, PRUNE_AFTER, Deployed, trial
from tests.cluster.manifests import Document
from tests.cluster.waiting import wait_for
from tests.server.documents import policy
from webhook.core.scan import scan_name

SECONDS = 60
POLICIES = "/apis/nbgate.dev/v1alpha1/notebookpolicies"
SCANS = "/apis/nbgate.dev/v1alpha1/imagescans"
LEASE = f"/apis/coordination.k8s.io/v1/namespaces/{OWN_NAMESPACE}/leases/{CONTROLLER}"


def platform_policy(**spec: object) -> Document:
    """Return the policy that counts."""
    return {**policy(**spec), "metadata": {"name": "default"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """What became of policies.

    Attributes:
        misspelt: what kubectl said of one that the schema does not allow.
        senseless: what it said of one that nbgate's own rule does not.
        status: of a right one.
        seconds: until that one held.
        allowed: what it let by.
    """

    misspelt: str
    senseless: str
    status: Document
    seconds: float
    allowed: str


def change_policy(deployed: Deployed) -> Policies:
    """Apply a wrong policy and a right one, look at what it does, and take it away."""
    plane = deployed.node.plane
    misspelt = _apply(deployed, unknown="Never", stale={"after": "soon"})
    senseless = _apply(
        deployed,
        acceptRewrites=True,
        registries={"allow": ["ghcr.io/**", "g*.io/x"]},
        exemptions=[{"name": "old", "reason": "old", "images": ["x*y/z"], "expires": "2027-03-31"}],
    )
    _apply(deployed, unscanned="Warn")
    begin = time.monotonic()
    allowed = wait_for(lambda: _let_by(deployed), SECONDS, "the policy to be in force")
    seconds = time.monotonic() - begin
    path = f"{POLICIES}/default"
    wait_for(lambda: "status" in plane.get(path), SECONDS, "the policy's status")
    status: Document = plane.get(path)["status"]
    plane.kubectl("delete", "notebookpolicy", "default")
    wait_for(lambda: not _let_by(deployed), SECONDS, "the default policy to be in force again")
    return Policies(
        misspelt=misspelt, senseless=senseless, status=status, seconds=seconds, allowed=allowed
    )


def _apply(deployed: Deployed, **spec: object) -> str:
    """Apply a policy as a person would; return what kubectl complains of."""
    document = json.dumps(platform_policy(**spec))
    return deployed.node.plane.kubectl("apply", "-f", "-", stdin=document, check=False).stderr


def _let_by(deployed: Deployed) -> str:
    """Return what every replica says to an unscanned image once it lets it by, else nothing."""
    # Each connection may reach another replica, and the API server keeps its own: several in a row are enough.
    answers = [deployed.node.plane.request(*trial()) for _ in range(5)]
    return answers[-1].text if all(answer.status == 201 for answer in answers) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """The end of the leading controller: who led before and afterwards, after how long, and what was removed."""

    before: str
    after: str
    seconds: float
    removed: str


def hand_over(deployed: Deployed) -> Handover:
    """End the leading controller, when there is something that its successor finds to be of no use."""
    plane, image = deployed.node.plane, f"{deployed.node.registry.host}/story/absent:v1"
    plane.request(*trial(image, dry_run=False))
    useless = f"{SCANS}/{scan_name(image)}"
    wait_for(
        lambda: _failed(deployed, useless), SECONDS, "a scan to fail", ignoring=(RequestRefused,)
    )
    time.sleep(float(PRUNE_AFTER.removesuffix("s")))
    before = _leader(deployed)
    begin = time.monotonic()
    plane.kubectl("delete", "pod", before, f"--namespace={OWN_NAMESPACE}", "--wait=false")
    after = wait_for(
        lambda: _leader(deployed) not in {before, ""} and _leader(deployed), SECONDS, "a new leader"
    )
    seconds = time.monotonic() - begin
    wait_for(lambda: _is_gone(deployed, useless), SECONDS, "the useless result to be removed")
    return Handover(before=before, after=str(after), seconds=seconds, removed=useless)


def _failed(deployed: Deployed, path: str) -> bool:
    phase: str = deployed.node.plane.get(path).get("status", {}).get("phase", "")
    return phase == "Failed"


def _is_gone(deployed: Deployed, path: str) -> bool:
    return deployed.node.plane.request("GET", path).status == 404


def _leader(deployed: Deployed) -> str:
    """Return the name of the pod that leads; empty while none does."""
    # A pod's name, and what tells its containers apart.
    holder = str(deployed.node.plane.get(LEASE)["spec"].get("holderIdentity") or "")
    return holder.partition("_")[0]
