"""What makes a conforming image work: the JSON Patch on a notebook's pod, and its application.

Each function below plans one thing and is idempotent: on the pod that its own patch leads to it plans nothing, so a
second pass (reinvocationPolicy: IfNeeded) gives an empty patch. No operation points into what is not there: a patch
that does not apply refuses the pod even under failurePolicy Ignore (k8s.io/apiserver, mutating dispatcher).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpatch
import orjson

from webhook.core.cuda import named_cuda
from webhook.core.identity import GPU_LABEL
from webhook.core.pod import Container, EnvVar, PodSpec
from webhook.core.policy import GPU, Home, PodPatches
from webhook.core.reading import Malformed
from webhook.core.reference import Reference
from webhook.core.verdict import Finding

Operation = Mapping[str, Any]

PREFIX_VARIABLE = "NB_PREFIX"
VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
_MANY_ENTRIES = 16  # of the same few names; nobody writes more than two by mistake
_HOME_VOLUME = "nbgate-home"
# Extended resources by which a pod asks for a GPU, of any vendor; nvidia.com/mig-* besides.
_GPU_RESOURCES = frozenset(
    {
        "nvidia.com/gpu",
        "nvidia.com/gpu.shared",
        "amd.com/gpu",
        "habana.ai/gaudi",
        "gpu.intel.com/i915",
        "gpu.intel.com/xe",
    }
)


class PatchError(RuntimeError):
    """A planned patch does not apply to its own object: a fault of nbgate's, and "could not decide"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The pod to patch: its spec, its notebook's container, and what is known about that container's image."""

    namespace: str
    notebook: str
    labels: Mapping[str, str]
    spec: PodSpec
    container: Container
    reference: Reference | None
    finding: Finding | None

    @property
    def pointer(self) -> str:
        """The notebook container, as a JSON Pointer."""
        return f"/spec{self.container.pointer}"

    @property
    def effective_user(self) -> int | None:
        """The UID that the container is told to run as, by itself or by its pod; None leaves it to the image."""
        for security in (self.container.security, self.spec.security):
            if security is not None and security.run_as_user is not None:
                return security.run_as_user
        return None

    @property
    def says_non_root(self) -> bool:
        """Tell whether the container or its pod says anything of runAsNonRoot; then it is left at that."""
        both = (self.container.security, self.spec.security)
        return any(s is not None and s.run_as_non_root is not None for s in both)


def prefix_of(namespace: str, notebook: str) -> str:
    """Say where Kubeflow routes a notebook: no trailing slash (notebook-controller, generateStatefulSet)."""
    return f"/notebook/{namespace}/{notebook}"


def plan(target: Target, policy: PodPatches) -> tuple[Operation, ...]:
    """Plan the whole patch; empty when nothing is to be done."""
    return tuple(_operations(target, policy))


def _operations(target: Target, policy: PodPatches) -> Iterator[Operation]:
    wanted: dict[str, str] = {}
    if policy.nb_prefix:
        wanted[PREFIX_VARIABLE] = prefix_of(target.namespace, target.notebook)
    if policy.gpu.action == "Hide" and _hides_gpus(target, policy.gpu):
        wanted[VISIBLE_DEVICES] = "void"
    yield from _env(target, wanted)
    if policy.run_as_user is not None:
        yield from _user(target, policy.run_as_user)
    if policy.fs_group is not None:
        yield from _fs_group(target.spec, policy.fs_group)
    if policy.home is not None:
        yield from _home(target, policy.home)
    if policy.pin_digest:
        yield from _digest(target)
    if policy.gpu.action == "Add" and _wants_gpu(target, policy.gpu):
        yield from _gpu(target, policy.gpu)


def _add(path: str, value: object) -> Operation:
    return {"op": "add", "path": path, "value": value}


def _env(target: Target, wanted: Mapping[str, str]) -> Iterator[Operation]:
    """Give each variable one entry with a literal value; a wrong one is replaced where it stands.

    New ones go to the front: Kubernetes expands `$(NB_PREFIX)` only in entries that come after it.
    """
    base = f"{target.pointer}/env"
    env = target.container.env
    if sum(entry.name in wanted for entry in env or ()) > _MANY_ENTRIES:
        yield {"op": "replace", "path": base, "value": _without(env or (), wanted)}
        return
    missing = [
        {"name": name, "value": value}
        for name, value in wanted.items()
        if not any(entry.name == name for entry in env or ())
    ]
    yield from _corrected(base, env or (), wanted)
    if missing and env is None:
        yield _add(base, missing)
    else:
        yield from (_add(f"{base}/0", entry) for entry in reversed(missing))


def _without(env: Sequence[EnvVar], wanted: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Write the whole list anew: thousands of removals one by one would hold a worker for seconds."""
    entries = [{"name": name, "value": value} for name, value in wanted.items()]
    return [*entries, *(entry.source for entry in env if entry.name not in wanted)]


def _corrected(base: str, env: Sequence[EnvVar], wanted: Mapping[str, str]) -> Iterator[Operation]:
    """Replace wrong values and remove duplicates, the last first, so that no index moves before its turn."""
    first = {name: next((i for i, e in enumerate(env) if e.name == name), -1) for name in wanted}
    for index in range(len(env) - 1, -1, -1):
        name = env[index].name
        if name not in wanted:
            continue
        if index != first[name]:
            yield {"op": "remove", "path": f"{base}/{index}"}
        elif env[index].value != wanted[name]:
            value = {"name": name, "value": wanted[name]}
            yield {"op": "replace", "path": f"{base}/{index}", "value": value}


def _user(target: Target, uid: int) -> Iterator[Operation]:
    """Run the notebook container as `uid`, and say so to the kubelet; what the user set differently stays.

    Never runAsGroup: Kubeflow's images from v1.9 need group 0 to write /run, earlier ones 100. Never dropped
    capabilities or allowPrivilegeEscalation: images up to v1.8 break (kubeflow/kubeflow, s6-overlay).
    """
    if target.effective_user not in (None, uid):
        return
    own = target.container.security
    base = f"{target.pointer}/securityContext"
    wanted: dict[str, object] = {}
    if own is None or own.run_as_user is None:
        wanted["runAsUser"] = uid
    if not target.says_non_root:
        wanted["runAsNonRoot"] = True
    if own is None:
        yield _add(base, wanted)
    else:
        yield from (_add(f"{base}/{name}", value) for name, value in wanted.items())


def _fs_group(spec: PodSpec, group: int) -> Iterator[Operation]:
    if spec.security is None:
        yield _add("/spec/securityContext", {"fsGroup": group})
    elif spec.security.fs_group is None:
        yield _add("/spec/securityContext/fsGroup", group)


def home_is_mounted(container: Container, home: Home) -> bool:
    """Tell whether the container mounts something at the home's path."""
    return any((m.path.rstrip("/") or "/") == home.path for m in container.mounts or ())


def home_claim(target: Target, home: Home) -> str | None:
    """Find the volume of the notebook's workspace claim that its container does not mount yet."""
    claims = (
        home.claim.replace("{notebook}", target.notebook),
        f"workspace-{target.notebook}",  # the spawner's name up to Kubeflow v1.4
    )
    mounted = {mount.volume for mount in target.container.mounts or ()}
    volumes = target.spec.volumes or ()
    candidates = (v.name for c in claims for v in volumes if v.claim == c and v.name not in mounted)
    return next(candidates, None)


def needs_fallback(target: Target, home: Home | None) -> bool:
    """Tell whether the home would be a volume that does not survive the pod."""
    return (
        home is not None
        and home.fallback == "EmptyDir"
        and not home_is_mounted(target.container, home)
        and home_claim(target, home) is None
    )


def _home(target: Target, home: Home) -> Iterator[Operation]:
    if home_is_mounted(target.container, home):
        return
    volume = home_claim(target, home)
    if volume is None:
        if home.fallback == "None":
            return
        volume = _unused_name({v.name for v in target.spec.volumes or ()})
        yield from _append(
            "/spec/volumes", target.spec.volumes, {"name": volume, "emptyDir": _empty_dir(home)}
        )
    yield from _append(
        f"{target.pointer}/volumeMounts",
        target.container.mounts,
        {"name": volume, "mountPath": home.path},
    )


def _empty_dir(home: Home) -> dict[str, str]:
    return {"sizeLimit": home.size_limit} if home.size_limit else {}


def _unused_name(taken: set[str]) -> str:
    names = (_HOME_VOLUME if n == 0 else f"{_HOME_VOLUME}-{n}" for n in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


def _append(pointer: str, held: Sequence[object] | None, item: object) -> Iterator[Operation]:
    yield _add(pointer, [item]) if held is None else _add(f"{pointer}/-", item)


def _digest(target: Target) -> Iterator[Operation]:
    """Pin the image to the digest that was scanned: a tag may move between the scan and the pull."""
    reference, finding = target.reference, target.finding
    if reference is None or finding is None or reference.digest or not finding.digest:
        return
    pinned = reference.pinned(finding.digest)
    yield {"op": "replace", "path": f"{target.pointer}/image", "value": pinned}


def wants_cuda(target: Target, gpu: GPU) -> bool:
    """Tell whether the image is a CUDA image: by the scan's facts where there are any, else by name and tag."""
    scan = target.finding.scan if target.finding else None
    if scan is not None and scan.cuda is not None:
        return scan.cuda
    return target.reference is not None and named_cuda(target.reference, gpu.patterns)


def _gpu_requests(spec: PodSpec, gpu: GPU) -> list[object]:
    """List the quantities of GPUs that any container names; a claim of dynamic resource allocation counts as one."""
    asked: list[object] = ["claim" for _ in range(1) if spec.claims]
    for container in spec.containers:
        if container.claims:
            asked.append("claim")
        asked += [q for name, q in container.resources.items() if _is_gpu(name, gpu)]
    return asked


def _is_gpu(name: str, gpu: GPU) -> bool:
    return name in _GPU_RESOURCES or name == gpu.resource or name.startswith("nvidia.com/mig-")


def _wants_gpu(target: Target, gpu: GPU) -> bool:
    """Tell whether to add a limit. An explicit quantity, 0 included, is the user's word, and so is the label."""
    if target.labels.get(GPU_LABEL) == "none":
        return False
    return not _gpu_requests(target.spec, gpu) and wants_cuda(target, gpu)


def _hides_gpus(target: Target, gpu: GPU) -> bool:
    """Tell whether to hide the node's GPUs: from any CUDA image whose pod is given none, by 0 or by label too."""
    given = [q for q in _gpu_requests(target.spec, gpu) if str(q) != "0"]
    return not given and wants_cuda(target, gpu)


def _gpu(target: Target, gpu: GPU) -> Iterator[Operation]:
    base, count = f"{target.pointer}/resources", str(gpu.count)
    if not target.container.has_resources:
        yield _add(base, {"limits": {gpu.resource: count}})
    elif not target.container.has_limits:
        yield _add(f"{base}/limits", {gpu.resource: count})
    else:
        yield _add(f"{base}/limits/{escape(gpu.resource)}", count)
    yield from _tolerations(target.spec, gpu)
    if gpu.runtime_class_name and target.spec.runtime_class is None:
        yield _add("/spec/runtimeClassName", gpu.runtime_class_name)


def _tolerations(spec: PodSpec, gpu: GPU) -> Iterator[Operation]:
    wanted = [t.model_dump(by_alias=True, exclude_none=True) for t in gpu.tolerations]
    missing = [t for t in wanted if t not in (spec.tolerations or ())]
    if missing and spec.tolerations is None:
        yield _add("/spec/tolerations", missing)
    else:
        yield from (_add("/spec/tolerations/-", toleration) for toleration in missing)


def escape(key: str) -> str:
    """Escape a key for a JSON Pointer (RFC 6901, section 3)."""
    return key.replace("~", "~0").replace("/", "~1")


def apply_patch(source: Mapping[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """Apply a patch to a copy of the object.

    Raises:
        PatchError: it does not apply.
        Malformed: the object nests deeper than the 254 levels that orjson writes; real ones have about fifteen.
    """
    try:
        # a round trip is several times faster than copy.deepcopy
        copy = orjson.loads(orjson.dumps(source))
    except orjson.JSONEncodeError:
        raise Malformed("", "nests deeper than 254 levels") from None
    try:
        patched = jsonpatch.JsonPatch(list(operations)).apply(copy, in_place=True)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError) as error:
        raise PatchError(f"the patch does not apply: {error}") from error
    return dict(patched)
