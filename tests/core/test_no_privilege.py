"""No patch makes a pod more powerful: whatever it asks for, nbgate adds no privilege, and takes no guard away."""

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import CONTROLLER, IMAGE, USER, Json, scan_document, snapshot
from tests.core.deciding import decide, patched
from tests.core.generated import PATCHES, PODS, optional
from webhook.core.decision import Snapshot

# What Pod Security Standards look at (kubernetes.io/docs/concepts/security/pod-security-standards), and what besides
# says as whom a pod acts and where it runs. In these no value but the user's own may ever stand.
OF_A_CONTAINER = ("privileged", "allowPrivilegeEscalation", "capabilities", "procMount", "seccompProfile",
                  "appArmorProfile", "seLinuxOptions", "windowsOptions", "runAsGroup")  # fmt: skip
OF_A_POD = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "hostAliases", "serviceAccountName", "nodeName",
            "automountServiceAccountToken", "shareProcessNamespace", "priorityClassName", "schedulerName",
            "nodeSelector", "affinity", "imagePullSecrets", "initContainers", "ephemeralContainers")  # fmt: skip
OF_A_PODS_SECURITY = ("sysctls", "supplementalGroups", "supplementalGroupsPolicy", "seccompProfile",
                      "appArmorProfile", "seLinuxOptions", "runAsUser", "runAsGroup", "runAsNonRoot",
                      "fsGroupChangePolicy")  # fmt: skip

POWERS = optional(
    privileged=st.booleans(),
    allowPrivilegeEscalation=st.booleans(),
    capabilities=st.sampled_from([{"add": ["SYS_ADMIN"]}, {"drop": ["ALL"]}]),
    procMount=st.sampled_from(["Default", "Unmasked"]),
    seccompProfile=st.sampled_from([{"type": "Unconfined"}, {"type": "RuntimeDefault"}]),
    appArmorProfile=st.just({"type": "Unconfined"}),
)
PODS_POWERS = optional(
    hostNetwork=st.booleans(),
    hostPID=st.booleans(),
    hostUsers=st.booleans(),
    serviceAccountName=st.sampled_from(["default-editor", "default-viewer"]),
    automountServiceAccountToken=st.booleans(),
    shareProcessNamespace=st.booleans(),
    nodeName=st.just("node-1"),
)
PORTS = st.lists(st.just({"containerPort": 8888, "hostPort": 8888}), max_size=1)
HOST_PATHS = st.lists(st.just({"name": "host", "hostPath": {"path": "/"}}), max_size=1)
DEVICES = st.lists(st.just({"name": "host", "devicePath": "/dev/sda"}), max_size=1)


def _given(source: Json, powers: list[Json], pods: Json, parts: tuple[Any, Any, Any]) -> Json:
    """Give a pod these powers, each of its containers the next of `powers`."""
    ports, paths, devices = parts
    spec = source["spec"]
    spec.update(pods)
    if paths:
        spec["volumes"] = [*(spec.get("volumes") or []), *paths]
    for container, more in zip(spec["containers"], powers, strict=False):
        container["securityContext"] = {**(container.get("securityContext") or {}), **more}
        container.update({"ports": ports, "volumeDevices": devices})
    return source


POWERFUL: st.SearchStrategy[Json] = st.builds(
    _given,
    PODS,
    st.lists(POWERS, max_size=3),
    PODS_POWERS,
    st.tuples(PORTS, HOST_PATHS, DEVICES),
)


def powers(source: Json) -> Iterator[tuple[object, ...]]:
    """Give everything by which a pod, or a container of it, may do more or less than another."""
    spec = source["spec"]
    yield from ((key, spec.get(key)) for key in OF_A_POD)
    security = spec.get("securityContext") or {}
    yield from (("security", key, security.get(key)) for key in OF_A_PODS_SECURITY)
    yield "volumes", [v for v in spec.get("volumes") or [] if v.keys() & {"hostPath", "projected"}]
    for container in spec["containers"]:
        held = container.get("securityContext") or {}
        yield from ((container["name"], key, held.get(key)) for key in OF_A_CONTAINER)
        for key in ("ports", "volumeDevices", "command", "args", "envFrom", "lifecycle"):
            yield container["name"], key, container.get(key)


def known_by(patches: Json, *, cuda: bool | None) -> Snapshot:
    scans = snapshot(scan_document(IMAGE, cuda=cuda)).scans
    return Snapshot(scans=scans, policy=snapshot(pod=patches).policy)


@given(
    source=POWERFUL,
    patches=PATCHES,
    cuda=st.sampled_from([None, True]),
    user=st.sampled_from([CONTROLLER, USER]),
)
def test_no_patch_gives_a_pod_a_privilege_or_takes_a_guard_away(
    source: Json, patches: Json, *, cuda: bool | None, user: str
) -> None:
    result = patched(source, known_by(patches, cuda=cuda), user)
    assert [*powers(result)] == [*powers(source)]


@given(source=POWERFUL, patches=PATCHES)
def test_no_patch_makes_anything_root_or_lets_it_be(source: Json, patches: Json) -> None:
    result = patched(source, known_by(patches, cuda=None))
    both = zip(result["spec"]["containers"], source["spec"]["containers"], strict=True)
    for after, before in both:
        held, was = (each.get("securityContext") or {} for each in (after, before))
        assert held.get("runAsUser") == was.get("runAsUser") or held["runAsUser"] > 0
        assert held.get("runAsNonRoot") in (was.get("runAsNonRoot"), True)


@given(source=POWERFUL, patches=PATCHES)
def test_what_is_mounted_is_a_volume_of_the_users_or_an_empty_one(
    source: Json, patches: Json
) -> None:
    """The home is mounted from a claim that the pod itself names, else from an empty volume."""
    result = patched(source, known_by(patches, cuda=None))["spec"]
    given_ones = len(source["spec"].get("volumes") or [])
    new = (result.get("volumes") or [])[given_ones:]
    assert [volume.keys() for volume in new] == [{"name", "emptyDir"}] * len(new)


def test_a_pod_with_every_power_is_patched_and_keeps_them() -> None:
    """The properties above would hold of a patch that is always empty."""
    source = _given(
        {"kind": "Pod", "metadata": {"name": "my-nb-0", "labels": {"notebook-name": "my-nb"}},
         "spec": {"containers": [{"name": "my-nb", "image": IMAGE}]}},
        [{"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}],
        {"hostNetwork": True},
        ([], [{"name": "host", "hostPath": {"path": "/"}}], []),
    )  # fmt: skip
    known = snapshot(scan_document(IMAGE))
    assert len(decide(source, known).patch) >= 4
    (container,) = patched(source, known)["spec"]["containers"]
    assert container["securityContext"] == {
        "privileged": True,
        "capabilities": {"add": ["SYS_ADMIN"]},
        "runAsUser": 1000,
        "runAsNonRoot": True,
    }
