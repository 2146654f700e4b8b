"""Faults of what is installed: kinds, Deployments, Service, rights, Lease."""

from __future__ import annotations

from tests.doctor.changes import (
    granting,
    old_cluster,
    removing,
    replacing,
    revoking,
    running,
    scaled,
    silent,
    unready,
    unserved,
    without_field,
)
from tests.doctor.fault import INSTALL, Fault
from tests.doctor.installation import NOW
from webhook.core.document import format_time

LEASE = ("Lease", "nbgate-controller")

INSTALLED = [
    Fault("old cluster", "api-server", "wrong", "1.19 is older", "", old_cluster),
    Fault(
        "kind lacks a field",
        "definitions",
        "wrong",
        "lacks status.claim",
        INSTALL,
        without_field("imagescans.nbgate.dev", "status", "claim"),
    ),
    Fault(
        "kind lacks a field of a field",
        "definitions",
        "wrong",
        "lacks spec.stale.after",
        INSTALL,
        without_field("notebookpolicies.nbgate.dev", "spec", "stale", "after"),
    ),
    Fault(
        "kind not served",
        "definitions",
        "wrong",
        "does not serve version v1alpha1",
        INSTALL,
        unserved,
    ),
    Fault(
        "kind not established",
        "definitions",
        "wrong",
        "is not established (taken)",
        "describe crd",
        replacing(
            "CustomResourceDefinition",
            "imagescans.nbgate.dev",
            "status",
            {"conditions": [{"type": "Established", "status": "False", "message": "taken"}]},
        ),
    ),
    Fault(
        "no kind",
        "definitions",
        "wrong",
        "is not installed",
        INSTALL,
        removing("CustomResourceDefinition", "imagescans.nbgate.dev"),
        {"scans": "unknown"},
    ),
    Fault(
        "no deployment",
        "workloads",
        "wrong",
        "is not in namespace",
        INSTALL,
        removing("Deployment", "nbgate-controller"),
    ),
    Fault(
        "scaled to nothing",
        "workloads",
        "wrong",
        "is scaled to 0",
        "scale deployment nbgate-webhook --replicas=3",
        scaled("nbgate-webhook", 0, 0),
    ),
    Fault(
        "none available",
        "workloads",
        "wrong",
        "0 of 3 replicas",
        "logs deployment/nbgate-webhook",
        scaled("nbgate-webhook", 3, 0),
    ),
    Fault(
        "one missing",
        "workloads",
        "warning",
        "2 of 3 replicas",
        "logs deployment/nbgate-webhook",
        scaled("nbgate-webhook", 3, 2),
    ),
    Fault(
        "one replica only",
        "workloads",
        "warning",
        "a drained node is an outage",
        "--replicas=3",
        scaled("nbgate-webhook", 1, 1),
    ),
    Fault(
        "another version",
        "workloads",
        "warning",
        "and this is nbgate 0.1.0",
        INSTALL,
        running("ghcr.io/nbgate/nbgate:v0.0.9"),
    ),
    Fault(
        "image cannot be pulled",
        "workloads",
        "warning",
        "ErrImagePull not found",
        "describe pod nbgate-webhook-0",
        unready(
            {
                "containerStatuses": [
                    {
                        "name": "webhook",
                        "state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}},
                    }
                ]
            }
        ),
    ),
    Fault(
        "crashes",
        "workloads",
        "warning",
        "ended with exit code 2",
        "describe pod nbgate-webhook-0",
        unready(
            {
                "containerStatuses": [
                    {
                        "name": "webhook",
                        "lastState": {"terminated": {"exitCode": 2}},
                        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}},
                    }
                ]
            }
        ),
    ),
    Fault(
        "no node",
        "workloads",
        "warning",
        "0/3 nodes are available",
        "describe pod nbgate-webhook-0",
        unready(
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "message": "0/3 nodes are available",
                    }
                ]
            }
        ),
    ),
    Fault(
        "no service",
        "service",
        "wrong",
        "is not in namespace",
        INSTALL,
        removing("Service", "nbgate"),
    ),
    Fault(
        "another port",
        "service",
        "wrong",
        "has no port 443",
        INSTALL,
        replacing("Service", "nbgate", "spec", {"ports": [{"port": 8443}]}),
    ),
    Fault(
        "nobody ready",
        "service",
        "wrong",
        "no ready pod: 3 are not ready",
        "get pods",
        replacing(
            "Endpoints",
            "nbgate",
            "subsets",
            [{"notReadyAddresses": [{"ip": f"10.0.0.{n}"} for n in "123"]}],
        ),
    ),
    Fault(
        "no endpoint",
        "service",
        "wrong",
        "leads to no pod",
        "get endpoints",
        replacing("Endpoints", "nbgate", "subsets", None),
    ),
    Fault(
        "one endpoint",
        "service",
        "warning",
        "one ready pod",
        "get pods",
        replacing("Endpoints", "nbgate", "subsets", [{"addresses": [{"ip": "10.0.0.1"}]}]),
    ),
    Fault(
        "no budget",
        "disruption-budget",
        "warning",
        "no PodDisruptionBudget",
        INSTALL,
        removing("PodDisruptionBudget", "nbgate-webhook"),
    ),
    Fault(
        "servers do not answer",
        "replicas",
        "unknown",
        "nothing there",
        "logs nbgate-webhook-0",
        silent,
        {"certificate": "unknown"},
    ),
    Fault(
        "a verb missing",
        "rights",
        "wrong",
        "may not watch imagescans.nbgate.dev",
        INSTALL,
        revoking("watch", "imagescans"),
    ),
    Fault(
        "webhook reads Secrets",
        "rights",
        "wrong",
        "may get secrets; get secrets nbgate-ca",
        "get clusterrolebindings",
        granting("nbgate-webhook", "get", "secrets"),
    ),
    Fault(
        "webhook forges verdicts",
        "rights",
        "wrong",
        "may update imagescans.nbgate.dev/status",
        "get clusterrolebindings",
        granting("nbgate-webhook", "update", "imagescans/status", "nbgate.dev"),
    ),
    Fault("no lease", "leader", "wrong", "no controller can lead", INSTALL, removing(*LEASE)),
    Fault(
        "nobody leads",
        "leader",
        "wrong",
        "nobody leads",
        "logs deployment/nbgate-controller",
        replacing(*LEASE, "spec", {}),
    ),
    Fault(
        "a leader that is gone",
        "leader",
        "warning",
        "has not renewed it for 300 s",
        "logs",
        replacing(*LEASE, "spec", {"holderIdentity": "x", "renewTime": format_time(NOW - 300)}),
    ),
]
