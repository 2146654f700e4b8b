"""Which notebook a pod belongs to, and which of its containers is the notebook.

Kubeflow's notebook-controller labels pods with `notebook-name` and then copies all labels of the Notebook over it: a
user can change the value, though not remove the key. The name of the controlling StatefulSet cannot be changed, and
is believed when the StatefulSet controller itself made the request.
"""

from webhook.core.pod import Container, Metadata, PodSpec

NOTEBOOK_LABEL = "notebook-name"
GPU_LABEL = "nbgate.dev/gpu"
INJECTED_SIDECARS = frozenset({"istio-proxy"})
STATEFULSET_CONTROLLERS = frozenset(
    {
        "system:serviceaccount:kube-system:statefulset-controller",
        # where all controllers share one account (--use-service-account-credentials=false)
        "system:kube-controller-manager",
    }
)


def is_notebook(meta: Metadata) -> bool:
    """Tell whether a pod is a notebook's: the label's key is there, whatever its value."""
    return NOTEBOOK_LABEL in meta.labels


def notebook_names(meta: Metadata, user: str, stored: Metadata | None) -> tuple[str, ...]:
    """Name the notebook of a pod, the surest name first.

    `stored` is the metadata of an UPDATE's old object. Such a request comes from anybody, and no label and no owner
    proves the name: all that the pod had and has are given, and a container counts as the notebook under each.
    """
    owner = _stateful_set(meta)
    if owner and user in STATEFULSET_CONTROLLERS:
        return (owner,)
    if stored is None:
        return (_labelled(meta),)
    labelled = [_labelled(held) for held in (stored, meta) if is_notebook(held)]
    names = (_stateful_set(stored), owner, *labelled)
    return tuple(dict.fromkeys(name for name in names if name)) or ("",)


def _stateful_set(meta: Metadata) -> str:
    return meta.owner[1] if meta.owner and meta.owner[0] == "StatefulSet" else ""


def _labelled(meta: Metadata) -> str:
    """Read the label; an empty one leaves the pod's own name, as it was before a suffix was generated for it."""
    unlabelled = meta.generate_name.rstrip("-") or meta.name
    return meta.labels.get(NOTEBOOK_LABEL) or unlabelled


def notebook_container(spec: PodSpec, notebook: str) -> Container | None:
    """Choose the container that serves the notebook.

    It is the one named like the notebook; else the first that is not an injected sidecar: Istio may put its own at
    index 0 (kubeflow/kubeflow#5282). None where the spec has no regular container.
    """
    for container in spec.containers:
        if container.name == notebook and container.list == "containers":
            return container
    regular = [container for container in spec.containers if container.list == "containers"]
    others = (container for container in regular if container.name not in INJECTED_SIDECARS)
    return next(others, None) or next(iter(regular), None)
