"""GPUs for CUDA images: who asks for one, who wants one, and the patch that gives or hides them.

A CUDA image without a GPU limit sees every GPU of the node where nvidia is the default runtime.
"""

from collections.abc import Iterator

from webhook.core.cuda import named_cuda
from webhook.core.identity import GPU_LABEL
from webhook.core.pod import PodSpec
from webhook.core.policy import GPU
from webhook.core.target import Operation, Target, add, escape

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


def wants_cuda(target: Target, gpu: GPU) -> bool:
    """Tell whether the image is a CUDA image: by the scan's facts where there are any, else by name and tag."""
    scan = target.finding.scan if target.finding else None
    if scan is not None and scan.cuda is not None:
        return scan.cuda
    return target.reference is not None and named_cuda(target.reference, gpu.patterns)


def _gpu_requests(spec: PodSpec, gpu: GPU) -> list[object]:
    """List the quantities of GPUs that any container names; a claim of dynamic resource allocation counts as one."""
    asked: list[object] = ["claim"] if spec.claims else []
    for container in spec.containers:
        resources = container.resources
        if resources is None:
            continue
        if resources.claims:
            asked.append("claim")
        asked += [q for name, q in resources.quantities.items() if _is_gpu(name, gpu)]
    return asked


def _is_gpu(name: str, gpu: GPU) -> bool:
    return name in _GPU_RESOURCES or name == gpu.resource or name.startswith("nvidia.com/mig-")


def needs_gpu(target: Target, gpu: GPU) -> bool:
    """Tell whether to add a limit. An explicit quantity, 0 included, is the user's word, and so is the label."""
    if target.labels.get(GPU_LABEL) == "none":
        return False
    return not _gpu_requests(target.spec, gpu) and wants_cuda(target, gpu)


def hides_gpus(target: Target, gpu: GPU) -> bool:
    """Tell whether to hide the node's GPUs: from any CUDA image whose pod is given none, by 0 or by label too."""
    given = [q for q in _gpu_requests(target.spec, gpu) if str(q) != "0"]
    return not given and wants_cuda(target, gpu)


def limit_gpu(target: Target, gpu: GPU) -> Iterator[Operation]:
    """Add the limit to the notebook container, and to its pod what GPU nodes ask for."""
    base, count = f"{target.pointer}/resources", str(gpu.count)
    resources = target.container.resources
    if resources is None:
        yield add(base, {"limits": {gpu.resource: count}})
    elif not resources.has_limits:
        yield add(f"{base}/limits", {gpu.resource: count})
    else:
        yield add(f"{base}/limits/{escape(gpu.resource)}", count)
    yield from _tolerations(target.spec, gpu)
    if gpu.runtime_class_name and target.spec.runtime_class is None:
        yield add("/spec/runtimeClassName", gpu.runtime_class_name)


def _tolerations(spec: PodSpec, gpu: GPU) -> Iterator[Operation]:
    wanted = [t.model_dump(by_alias=True, exclude_none=True) for t in gpu.tolerations]
    missing = [t for t in wanted if t not in (spec.tolerations or ())]
    if missing and spec.tolerations is None:
        yield add("/spec/tolerations", missing)
    else:
        yield from (add("/spec/tolerations/-", toleration) for toleration in missing)
