"""What a Pod's status tells of its one container: a pure reading, in words for people.

The reasons are the kubelet's: pkg/kubelet/images/types.go, pkg/kubelet/kuberuntime/kuberuntime_container.go, and
"StartError" and "OOMKilled" of containerd's CRI plugin.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webhook.core.words import cut

_SHOWN = 600  # containerd names six layers of itself before the fault
_NOT_PULLED = {
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
    "RegistryUnavailable",
}
# The runtime has the image, and cannot make a container or a process of it.
_NOT_STARTED = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
_NEVER_RAN = {"StartError", "ContainerCannotRun"}
_REASONS = {
    "OOMKilled": "killed for using more memory than the limit",
    "Completed": "",
    "Error": "",
}
# How the kubelet says that the pod itself used too much, not that the node ran short (pkg/kubelet/eviction/helpers.go).
_OWN_EVICTIONS = (
    "exceeds the limit",
    "exceeded its local ephemeral storage limit",
    "exceeds the total limit",
)

Stage = Literal["waiting", "running", "exited", "refused", "unpullable", "unschedulable", "lost"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodState:
    """Where a pod stands.

    Attributes:
        stage: `waiting` may still become anything; `exited` its process ended; `refused` the runtime could not start
            it; `unpullable` the cluster cannot pull the image; `unschedulable` no node takes it now; `lost` the
            cluster ended it for reasons of its own.
        ready: the kubelet can connect to 8888 at the pod's address.
        exit_code: of a process that has exited.
        reason: why, as a clause; clean and cut.
    """

    stage: Stage
    ready: bool = False
    exit_code: int | None = None
    reason: str = ""


def read_state(pod: Mapping[str, Any]) -> PodState:
    """Read a Pod as the API server gives it; what is not there counts as not yet."""
    status = _mapping(pod.get("status"))
    containers = status.get("containerStatuses") or [{}]
    container = _mapping(containers[0])
    state = _mapping(container.get("state"))
    if "terminated" in state:
        return _terminated(_mapping(state["terminated"]), status)
    if status.get("phase") == "Failed":
        return _failed(status)
    if "running" in state:
        return PodState(stage="running", ready=container.get("ready") is True)
    return _waiting(_mapping(state.get("waiting")), status)


def _terminated(state: Mapping[str, Any], status: Mapping[str, Any]) -> PodState:
    reason = str(state.get("reason") or "")
    if status.get("phase") == "Failed" and status.get("reason"):
        return _failed(status)
    if reason in _NEVER_RAN:
        return PodState(stage="refused", reason=_clause(state.get("message")) or reason)
    code = state.get("exitCode")
    return PodState(
        stage="exited",
        exit_code=code if isinstance(code, int) else None,
        reason=_REASONS.get(reason, cut(reason, _SHOWN)),
    )


def _failed(status: Mapping[str, Any]) -> PodState:
    """Read a pod that the kubelet ended as a whole: evicted, past its deadline, not admitted by the node."""
    message = str(status.get("message") or "")
    reason = f"{status.get('reason') or 'Failed'}: {message}".removesuffix(": ")
    own = any(words in message for words in _OWN_EVICTIONS)
    return PodState(stage="exited" if own else "lost", reason=_clause(reason))


def _waiting(state: Mapping[str, Any], status: Mapping[str, Any]) -> PodState:
    reason = str(state.get("reason") or "")
    told = _clause(state.get("message")) or reason
    if reason in _NOT_PULLED:
        return PodState(stage="unpullable", reason=told)
    if reason in _NOT_STARTED:
        return PodState(stage="refused", reason=told)
    for condition in map(_mapping, status.get("conditions") or ()):
        if condition.get("reason") == "Unschedulable":
            return PodState(stage="unschedulable", reason=_clause(condition.get("message")))
    return PodState(stage="waiting", reason=told)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _clause(value: Any) -> str:
    return cut(str(value or "").strip(), _SHOWN)
