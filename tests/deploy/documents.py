"""Strategies: documents that the models accept, at the edges of what each field takes.

Drawn from what the fields mean, not from their schemas: a schema that is stricter than its model is to be found.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.core.generated import optional
from webhook.core.requirements import REQUIREMENTS, RULES

Strategy = st.SearchStrategy[Any]

ACTION = st.sampled_from(["Deny", "Warn", "Audit", "Off"])
# What JSON can carry to an API server: no lone half of a character.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
INT64 = st.integers(-(2**63), 2**63 - 1)
DURATION = st.tuples(*[st.integers(0, 10**9 - 1)] * 3).map(
    lambda parts: "".join(
        f"{n}{unit}" for n, unit in zip(parts, "hms", strict=True) if n or unit == "s"
    )
)
LABEL = st.sampled_from(["a", "0", "team-a", "a" * 63, "a-0"])
DIGEST = st.sampled_from([f"sha256:{'0' * 64}", f"sha512:{'f' * 128}"])
REFERENCE = st.sampled_from(
    [
        "nginx",
        "localhost:5000/a__b/c.d:T_1",
        f"Ghcr.io/a/b:v1@sha256:{'a' * 64}",
        "[::1]:5000/x",
        f"{'a.' * 126}a/{'b' * 255}:{'c' * 128}@sha512:{'d' * 128}",
    ]
)
PATTERN = st.sampled_from(
    ["*/**", "docker.io/*", "ghcr.io/kubeflow/**", "ghcr.io/x/y:v1", "registry.example.com/*/nb"]
)
TIME = st.sampled_from(
    [
        "2026-01-01T00:00:00Z",
        "0001-01-01T00:00:00z",
        "9999-12-31t23:59:58.123456789Z",
        "2026-02-28T23:59:59.5+14:00",
        "2028-02-29T00:00:00-00:30",
    ]
)
MAYBE_TEXT = st.none() | TEXT
PATTERNS = st.lists(PATTERN, max_size=2)

TOLERATION = optional(
    key=MAYBE_TEXT,
    operator=st.sampled_from(["Exists", "Equal", None]),
    value=MAYBE_TEXT,
    effect=st.sampled_from(["NoSchedule", "PreferNoSchedule", "NoExecute", None]),
    tolerationSeconds=st.none() | INT64,
)
GPU = optional(
    action=st.sampled_from(["Add", "Hide", "Off"]),
    resource=st.sampled_from(["nvidia.com/gpu", "a/B", f"a{'.' * 250}a/{'C' * 63}"]),
    count=st.sampled_from([1, 64]),
    patterns=PATTERNS,
    tolerations=st.lists(TOLERATION, max_size=2),
    runtimeClassName=st.none() | LABEL,
)
HOME = optional(
    path=st.sampled_from(["/home/jovyan", "/.", f"/{'a' * 60}" * 8]),
    claim=st.sampled_from(["{notebook}-workspace", "a.b", "{notebook}", "{notebook}{notebook}x"]),
    fallback=st.sampled_from(["EmptyDir", "None"]),
    sizeLimit=st.sampled_from(["0", "10Gi", "1.5k", f"{'9' * 15}.999E", None]),
)
POD = optional(
    pinDigest=st.booleans(),
    nbPrefix=st.booleans(),
    runAsUser=st.sampled_from([None, 1, 1000, 2**31 - 1]),
    fsGroup=st.sampled_from([None, 0, 100, 2**31 - 1]),
    home=st.none() | HOME,
    gpu=GPU,
)
EXEMPTION = st.fixed_dictionaries(
    {
        "name": LABEL,
        "reason": st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
        "expires": st.sampled_from(["2027-03-31", "0001-01-01", "9998-12-31", "2028-02-29"]),
        "namespaces": st.lists(LABEL, min_size=1, max_size=2),
    },
    optional={
        "images": PATTERNS,
        "requirements": st.none() | st.lists(st.sampled_from(RULES), min_size=1, max_size=3),
    },
)
POLICY_SPEC = optional(
    requirements=st.dictionaries(st.sampled_from(REQUIREMENTS), ACTION),
    acceptRewrite=st.booleans(),
    unknown=ACTION,
    unscanned=ACTION,
    requestScans=st.booleans(),
    stale=optional(after=DURATION.filter(lambda text: text != "0s"), action=ACTION),
    registries=optional(allow=PATTERNS, action=ACTION),
    pod=POD,
    helpURL=st.sampled_from(["", "http://x", f"https://{'~' * 180}"]),
    exemptions=st.lists(EXEMPTION, max_size=2, unique_by=lambda one: str(one["name"])),
)

CONDITION = st.fixed_dictionaries(
    {"type": TEXT, "status": st.sampled_from(["True", "False", "Unknown"])},
    optional={"reason": TEXT, "message": TEXT, "lastTransitionTime": st.none() | TIME},
)
CHECK = st.fixed_dictionaries(
    {
        "requirement": st.sampled_from(REQUIREMENTS),
        "result": st.sampled_from(["Pass", "Fail", "Unknown"]),
    },
    optional={
        "evidence": st.sampled_from(["Config", "Layers", "Probe", None]),
        "message": TEXT | st.just("é" * 1024),
    },
)
FACTS = optional(
    user=MAYBE_TEXT,
    exposedPorts=st.lists(INT64, max_size=3),
    cuda=st.none() | st.booleans(),
    cudaEvidence=MAYBE_TEXT,
    accelerators=st.lists(st.fixed_dictionaries({"resource": TEXT, "evidence": TEXT}), max_size=2),
    compressedSize=st.none() | INT64,
    rewritable=st.none() | st.booleans(),
    frameGuard=MAYBE_TEXT,
)
SCAN_STATUS = optional(
    phase=st.sampled_from(["Pending", "Scanning", "Complete", "Failed"]),
    image=st.none() | REFERENCE,
    digest=st.none() | DIGEST,
    manifests=st.lists(
        st.fixed_dictionaries({"platform": st.just("linux/amd64"), "digest": DIGEST}), max_size=2
    ),
    verdict=st.sampled_from(["Conforms", "Violates", "Unknown", None]),
    serving=st.sampled_from(["Prefix", "Root", "None", "Unknown"]),
    checks=st.lists(CHECK, max_size=3),
    facts=FACTS,
    resolvedAt=st.none() | TIME,
    scannedAt=st.none() | TIME,
    scanner=MAYBE_TEXT,
    claim=st.none()
    | st.fixed_dictionaries({"holder": st.sampled_from(["a", "é" * 253]), "until": TIME}),
    attempts=st.sampled_from([0, 1, 2**63 - 1]),
    retryAt=st.none() | TIME,
    lastUsedAt=st.none() | TIME,
    conditions=st.lists(CONDITION, max_size=2),
)
SCAN_SPEC = st.fixed_dictionaries(
    {"image": REFERENCE}, optional={"interval": DURATION.filter(lambda text: text != "0s")}
)
POLICY_STATUS = optional(
    observedGeneration=st.none() | INT64,
    mode=st.sampled_from(["Deny", "Warn", "Audit", "Off", None]),
    valid=st.none() | st.booleans(),
    inForce=st.none() | st.booleans(),
    conditions=st.lists(CONDITION, max_size=2),
)


def document(kind: str, **parts: Strategy) -> Strategy:
    """Draw a whole document."""
    envelope = {
        "apiVersion": st.just("nbgate.dev/v1alpha1"),
        "kind": st.just(kind),
        "metadata": st.just({"name": "drawn"}),
    }
    return st.fixed_dictionaries({**envelope, **parts})


SCANS = document("ImageScan", spec=SCAN_SPEC, status=SCAN_STATUS)
POLICIES = document("NotebookPolicy", spec=POLICY_SPEC, status=POLICY_STATUS)
