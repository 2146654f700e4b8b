"""Strategies: pods as users, PodDefaults and Istio leave them, policies, and scans, in every mixture.

Values are drawn from those that meet a rule or a patch half-way: a wrong prefix beside a right one, a security context
with one field, a claim that is there but not mounted, a GPU of another vendor.
"""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.core.builders import (
    CUDA_IMAGE,
    DIGEST,
    HOME,
    IMAGE,
    NAMESPACE,
    NOTEBOOK,
    PREFIX,
    Json,
    owner,
)
from webhook.core.requirements import REQUIREMENTS

IMAGES = (IMAGE, CUDA_IMAGE, f"{IMAGE}@{DIGEST}", "busybox:1.36", "B", "", "registry.example.com/x")
ACTIONS = ("Off", "Audit", "Warn", "Deny")  # in the order of their strength
GPU_RESOURCES = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/mig-1g.5gb",
    "amd.com/gpu",
    "habana.ai/gaudi",
    "gpu.intel.com/i915",
    "gpu.intel.com/xe",
)


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Draw an object that has any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


def _named(value: st.SearchStrategy[Any], names: tuple[str, ...], key: str) -> Any:
    return st.sampled_from(names).flatmap(lambda name: value.map(lambda v: {"name": name, key: v}))


_VALUES = st.sampled_from([PREFIX, f"{PREFIX}/", "/", "", "void", "all"])
_VARIABLES = ("NB_PREFIX", "NVIDIA_VISIBLE_DEVICES", "FOO")
_SOURCES = st.just({"fieldRef": {"fieldPath": "metadata.name"}})
ENV = st.lists(
    _named(_VALUES, _VARIABLES, "value")
    | _named(_SOURCES, _VARIABLES, "valueFrom")
    | st.sampled_from(_VARIABLES).map(lambda name: {"name": name}),
    max_size=5,
)
CONTAINER_SECURITY = optional(
    runAsUser=st.sampled_from([0, 1000, 1001]),
    runAsNonRoot=st.booleans(),
    runAsGroup=st.sampled_from([0, 100]),
    allowPrivilegeEscalation=st.booleans(),
    capabilities=st.just({"drop": ["NET_RAW"]}),
)
POD_SECURITY = optional(
    runAsUser=st.sampled_from([0, 1000, 1001]),
    runAsGroup=st.sampled_from([0, 100]),
    fsGroup=st.sampled_from([0, 100, 2000]),
    supplementalGroups=st.just([7]),
)
_VOLUMES = ("home", "dshm", "nbgate-home", "nbgate-home-1", f"{NOTEBOOK}-workspace")
MOUNTS = st.lists(
    st.builds(
        lambda name, path: {"name": name, "mountPath": path},
        st.sampled_from(_VOLUMES),
        st.sampled_from([HOME, f"{HOME}/", "/dev/shm", "/data", f"{HOME}/work"]),
    ),
    max_size=3,
    unique_by=lambda mount: mount["mountPath"].rstrip("/"),
)
_CLAIMS = (f"{NOTEBOOK}-workspace", f"workspace-{NOTEBOOK}", "other")
_SOURCES_OF_VOLUMES: st.SearchStrategy[Json] = st.one_of(
    st.sampled_from(_CLAIMS).map(lambda claim: {"persistentVolumeClaim": {"claimName": claim}}),
    st.just({"emptyDir": {}}),
    st.just({"secret": {"secretName": "s"}}),
    st.sampled_from(IMAGES).map(lambda image: {"image": {"reference": image}}),
)
VOLUMES = st.lists(
    st.builds(
        lambda name, source: {"name": name, **source},
        st.sampled_from(_VOLUMES),
        _SOURCES_OF_VOLUMES,
    ),
    max_size=4,
    unique_by=lambda volume: volume["name"],
)
_QUANTITIES = st.dictionaries(
    st.sampled_from(["cpu", "memory", *GPU_RESOURCES]),
    st.sampled_from(["0", "1", "500m", 0, 1]),
    max_size=2,
)
RESOURCES = optional(
    limits=st.none() | _QUANTITIES,
    requests=st.none() | _QUANTITIES,
    claims=st.just([]) | st.just([{"name": "gpu"}]),
)


def _containers(names: st.SearchStrategy[str], **more: st.SearchStrategy[Any]) -> Any:
    return st.fixed_dictionaries(
        {"name": names, "image": st.sampled_from(IMAGES)},
        optional={
            "env": st.none() | ENV,
            "volumeMounts": st.none() | MOUNTS,
            "securityContext": st.none() | CONTAINER_SECURITY,
            "resources": st.none() | RESOURCES,
            **more,
        },
    )


def _pod(
    lists: Mapping[str, Any], spec: Mapping[str, Any], labels: Json, *, controlled: bool
) -> Json:
    meta: Json = {"name": f"{NOTEBOOK}-0", "namespace": NAMESPACE, "labels": labels}
    if controlled:
        meta["ownerReferences"] = [owner(NOTEBOOK)]
    return {"kind": "Pod", "apiVersion": "v1", "metadata": meta, "spec": {**lists, **spec}}


_LISTS = st.fixed_dictionaries(
    {
        "containers": st.lists(
            _containers(st.sampled_from([NOTEBOOK, "istio-proxy", "side", "main"])),
            min_size=1,
            max_size=3,
            unique_by=lambda container: container["name"],
        )
    },
    optional={
        "initContainers": st.lists(
            _containers(st.just("init"), restartPolicy=st.just("Always")), max_size=1
        ),
    },
)
_SPEC = optional(
    volumes=st.none() | VOLUMES,
    securityContext=st.none() | POD_SECURITY,
    tolerations=st.none()
    | st.lists(
        st.sampled_from([{"key": "gpu", "operator": "Exists"}, {"operator": "Exists"}]), max_size=2
    ),
    runtimeClassName=st.none() | st.just("kata"),
    resourceClaims=st.just([]) | st.just([{"name": "gpu"}]),
)
_LABELS = st.builds(
    lambda more: {"notebook-name": NOTEBOOK, **more},
    optional(**{"nbgate.dev/gpu": st.sampled_from(["none", "some"])}),
)
PODS: st.SearchStrategy[Json] = st.builds(_pod, _LISTS, _SPEC, _LABELS, controlled=st.booleans())

_HOMES = optional(
    path=st.sampled_from([HOME, "/home/other"]),
    claim=st.sampled_from(["{notebook}-workspace", "shared"]),
    fallback=st.sampled_from(["EmptyDir", "None"]),
    sizeLimit=st.none() | st.just("1Gi"),
)
_GPUS = optional(
    action=st.sampled_from(["Add", "Hide", "Off"]),
    resource=st.sampled_from(["nvidia.com/gpu", "example.com/gpu"]),
    count=st.integers(1, 64),
    tolerations=st.lists(
        st.sampled_from([{"key": "gpu", "operator": "Exists"}, {"key": "a", "value": "b"}]),
        max_size=2,
    ),
    runtimeClassName=st.none() | st.just("nvidia"),
)
PATCHES = optional(
    pinDigest=st.booleans(),
    nbPrefix=st.booleans(),
    runAsUser=st.sampled_from([None, 1000, 1001]),
    fsGroup=st.sampled_from([None, 0, 100]),
    home=st.none() | _HOMES,
    gpu=_GPUS,
)

MESSAGES = st.dictionaries(st.sampled_from(REQUIREMENTS), st.just("it does not"), max_size=3)
SERVING = st.sampled_from(["Prefix", "Root", "Unknown"])
