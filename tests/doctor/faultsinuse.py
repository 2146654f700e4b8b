"""Faults of what people do with it: namespaces, policy, scans."""

from __future__ import annotations

from tests.doctor.changes import adding, no_profiles, removing, replacing, scan, soft, unlabelled
from tests.doctor.fault import Fault
from tests.doctor.installation import NOW
from tests.doctor.papercluster import namespace
from webhook.core.document import format_time

DEFAULT = ("NotebookPolicy", "default")

IN_USE = [
    Fault(
        "a profile without label",
        "profiles",
        "wrong",
        "nothing is checked there",
        "kubectl label namespace team-b app.kubernetes.io/part-of=kubeflow-profile",
        unlabelled,
    ),
    Fault(
        "no profiles",
        "profiles",
        "warning",
        "nothing is ever checked",
        "label namespace",
        no_profiles,
        {"dry-run": "unknown"},
    ),
    Fault(
        "a softer namespace",
        "modes",
        "warning",
        "nothing is refused in mode warn: team-c",
        "kubectl label namespace team-c nbgate.dev/mode-",
        adding(namespace("team-c", **{"nbgate.dev/mode": "warn"})),
    ),
    Fault("a mistyped mode", "modes", "warning", "wran is no mode", "nbgate.dev/mode-", soft),
    Fault(
        "no Kubeflow",
        "notebooks",
        "warning",
        "has no Kubeflow Notebooks",
        "",
        removing("CustomResourceDefinition", "notebooks.kubeflow.org"),
    ),
    Fault(
        "another Kubeflow",
        "notebooks",
        "warning",
        "does not serve v1",
        "",
        replacing(
            "CustomResourceDefinition",
            "notebooks.kubeflow.org",
            "spec",
            {"versions": [{"name": "v9", "served": True}]},
        ),
    ),
    Fault(
        "a wrong policy",
        "policy",
        "wrong",
        "spec.unscaned: is not a field here",
        "kubectl edit notebookpolicy default",
        replacing(*DEFAULT, "spec", {"unscaned": "Deny"}),
    ),
    Fault(
        "a policy nobody looked at",
        "policy",
        "warning",
        "has not looked at it",
        "logs deployment/nbgate-controller",
        replacing(*DEFAULT, "metadata", {"name": "default", "generation": 4}),
    ),
    Fault(
        "another policy",
        "policy",
        "warning",
        "has no effect",
        "kubectl delete notebookpolicy strict",
        adding(
            {
                "apiVersion": "nbgate.dev/v1alpha1",
                "kind": "NotebookPolicy",
                "metadata": {"name": "strict"},
            }
        ),
    ),
    Fault(
        "a scan that waits",
        "scans",
        "warning",
        "1 wait for more than 10 minutes: slow",
        "logs",
        adding(scan("slow", phase="Pending")),
    ),
    Fault(
        "a scan whose worker died",
        "scans",
        "warning",
        "wait for more than 10 minutes: dead",
        "logs",
        adding(
            scan("dead", phase="Scanning", claim={"holder": "x", "until": format_time(NOW - 900)})
        ),
    ),
    Fault(
        "a result that is not renewed",
        "scans",
        "warning",
        "imagescan/old: failed: no answer, and the result of before holds",
        "get imagescan old",
        adding(
            scan(
                "old",
                phase="Complete",
                conditions=[
                    {"type": "Other", "message": "x"},
                    {"type": "Scanned", "status": "False", "message": "no answer"},
                ],
            )
        ),
    ),
    Fault(
        "a scan that failed",
        "scans",
        "warning",
        "imagescan/gone: failed: no such tag",
        "get imagescan gone",
        adding(
            scan(
                "gone", phase="Failed", conditions=[{"type": "Complete", "message": "no such tag"}]
            )
        ),
    ),
]
