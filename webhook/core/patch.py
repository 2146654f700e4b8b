"""What makes a conforming image work: the JSON Patch on a notebook's pod, and its application.

Each part plans one thing and is idempotent: on the pod that its own patch leads to it plans nothing, so a
second pass (reinvocationPolicy: IfNeeded) gives an empty patch. No operation points into what is not there: a patch
that does not apply refuses the pod even under failurePolicy Ignore (k8s.io/apiserver, mutating dispatcher).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import jsonpatch
import orjson

from webhook.core.gpulimit import hides_gpus, limit_gpu, needs_gpu
from webhook.core.homevolume import mount_home
from webhook.core.pod import EnvVar, PodSpec
from webhook.core.policy import PodPatches
from webhook.core.reading import Malformed
from webhook.core.target import Operation, Target, add

PREFIX_VARIABLE = "NB_PREFIX"
VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
_MANY_ENTRIES = 16  # of the same few names; nobody writes more than two by mistake


class PatchError(RuntimeError):
    """A planned patch does not apply to its own object: a fault of nbgate's, and "could not decide"."""


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
    if policy.gpu.action == "Hide" and hides_gpus(target, policy.gpu):
        wanted[VISIBLE_DEVICES] = "void"
    yield from _env(target, wanted)
    if policy.run_as_user is not None:
        yield from _user(target, policy.run_as_user)
    if policy.fs_group is not None:
        yield from _fs_group(target.spec, policy.fs_group)
    if policy.home is not None:
        yield from mount_home(target, policy.home)
    if policy.pin_digest:
        yield from _digest(target)
    if policy.gpu.action == "Add" and needs_gpu(target, policy.gpu):
        yield from limit_gpu(target, policy.gpu)


def _env(target: Target, wanted: Mapping[str, str]) -> Iterator[Operation]:
    """Give each variable one entry with a literal value; a wrong one is replaced where it stands.

    New ones go to the front: Kubernetes expands `$(NB_PREFIX)` only in entries that come after it.
    """
    env = target.container.env
    held = [entry for entry in env or () if entry.name in wanted]
    if len(held) == len(wanted) and {entry.name: entry.value for entry in held} == wanted:
        return
    base = f"{target.pointer}/env"
    if len(held) > _MANY_ENTRIES:
        yield {"op": "replace", "path": base, "value": _without(env or (), wanted)}
        return
    missing = [
        {"name": name, "value": value}
        for name, value in wanted.items()
        if not any(entry.name == name for entry in held)
    ]
    yield from _corrected(base, env or (), wanted)
    if missing and env is None:
        yield add(base, missing)
    else:
        yield from (add(f"{base}/0", entry) for entry in reversed(missing))


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
            value = _entry(env[index].source, {"name": name, "value": wanted[name]})
            yield {"op": "replace", "path": f"{base}/{index}", "value": value}


def _entry(source: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, str]:
    """Write an entry with its keys in the order in which they stood: a diff then shows what changed, and no more."""
    return {**{key: wanted[key] for key in source if key in wanted}, **wanted}


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
        yield add(base, wanted)
    else:
        yield from (add(f"{base}/{name}", value) for name, value in wanted.items())


def _fs_group(spec: PodSpec, group: int) -> Iterator[Operation]:
    if spec.security is None:
        yield add("/spec/securityContext", {"fsGroup": group})
    elif spec.security.fs_group is None:
        yield add("/spec/securityContext/fsGroup", group)


def _digest(target: Target) -> Iterator[Operation]:
    """Pin the image to the digest that was scanned: a tag may move between the scan and the pull."""
    reference, finding = target.reference, target.finding
    if reference is None or finding is None or reference.digest or not finding.digest:
        return
    pinned = reference.pinned(finding.digest)
    yield {"op": "replace", "path": f"{target.pointer}/image", "value": pinned}


def apply_patch(source: Mapping[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """Apply a patch to a copy of the object.

    Raises:
        PatchError: it does not apply.
        Malformed: the object nests deeper than the 254 levels that orjson writes; real ones have about fifteen.
    """
    # a round trip is several times faster than copy.deepcopy
    return _applied(orjson.loads(_written(source)), operations)


def prove(source: Mapping[str, Any], operations: Sequence[Operation]) -> None:
    """Apply a patch as `apply_patch` does, with the same errors; nothing is kept, so only what it reaches is copied."""
    _written(source)  # which tells how deep it nests
    _applied(dict(source), operations)


def _written(source: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(source)
    except orjson.JSONEncodeError:
        raise Malformed("", "nests deeper than 254 levels") from None


def _applied(copy: dict[str, Any], operations: Sequence[Operation]) -> dict[str, Any]:
    """Apply a patch to an object that is ours at its outermost level; deeper it is left as it was."""
    try:
        for operation in operations:
            placed = {**operation, "path": _pointer(operation["path"])}
            copy = _KINDS[operation["op"]](placed).apply(copy)
    except (*_FAULTS, KeyError, TypeError) as error:
        raise PatchError(f"the patch does not apply: {error}") from error
    return dict(copy)


# A JsonPatch reads each operation twice: to check it, and to apply it, which checks it too.
_KINDS = jsonpatch.JsonPatch.operations
_FAULTS = (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException)
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")  # RFC 6901, section 4


class _CopyingPointer(jsonpatch.JsonPointer):
    """A pointer into an object that is not to change: what it goes through is copied on the way, and no more.

    It takes no long look at what JSON is made of, for which JsonPointer asks several times at each step; where a step
    leads nowhere, JsonPointer is asked.
    """

    path = ""  # which JsonPointer puts together anew each time

    def __init__(self, pointer: str) -> None:
        super().__init__(pointer)
        self.path = pointer
        self._steps = [(p, int(p) if _INDEX.fullmatch(p) else None) for p in self.parts[:-1]]

    def to_last(self, doc: Any) -> tuple[Any, Any]:
        """Find what the last step leads from. Raises JsonPointerException."""
        for part, index in self._steps:
            key = index if isinstance(doc, list) else part
            try:
                held = doc[key]
            except (KeyError, IndexError, TypeError):
                held = self.walk(doc, part)  # which says what is wrong
            if isinstance(held, (dict, list)):
                held = doc[key] = held.copy()
            doc = held
        return doc, self.get_part(doc, self.parts[-1]) if self.parts else None


# The same few places come again and again, and taking a path apart costs as much as to go along it.
_pointer = lru_cache(maxsize=256)(_CopyingPointer)
