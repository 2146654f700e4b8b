"""What else a scan tells of an image: hardware that it is made for, its size, user and ports."""

from webhook.core.cuda import config_cuda
from webhook.core.scan import Accelerator, Facts
from webhook.core.words import cut
from webhook.scanner.image import PlatformImage
from webhook.scanner.probes.observation import Page, Run

_USER_LIMIT = 64  # longer than any name that useradd makes
_PORTS_LIMIT = 64

# What the vendors' own base images set: (how a variable begins, the resource that their device plugin offers).
# habana.ai: Intel Gaudi images set HABANA_*; rocm: AMD's rocm/* images set ROCM_PATH or HIP_*; oneapi: intel/* images.
_VENDORS = (
    ("HABANA_", "habana.ai/gaudi"),
    ("ROCM_", "amd.com/gpu"),
    ("HIP_", "amd.com/gpu"),
    ("ONEAPI_", "gpu.intel.com/i915"),
)


def facts_of(image: PlatformImage, run: Run | None) -> Facts:
    """Gather the facts of one platform; `run` is the start that answered, if one did."""
    config = image.config
    cuda = config_cuda(config.env)
    at_prefix = run is not None and _good(run.prefix)
    at_root = run is not None and not at_prefix and _good(run.root)
    page = run and (run.prefix if at_prefix else run.root)
    return Facts(
        user=cut(config.user, _USER_LIMIT),
        exposed_ports=config.ports[:_PORTS_LIMIT],
        cuda=cuda is not None,
        cuda_evidence=cuda,
        accelerators=_accelerators(cuda, sorted(config.env)),
        compressed_size=image.compressed_size,
        rewritable=_good(run.rewritten) if run and at_root else None,
        frame_guard=page.frame_guard if page else None,
    )


def _accelerators(cuda: str | None, names: list[str]) -> tuple[Accelerator, ...]:
    found = {"nvidia.com/gpu": cuda} if cuda else {}
    for prefix, resource in _VENDORS:
        if any(name.startswith(prefix) for name in names):
            # the vendor's own prefix, never a name of the image's choice
            found.setdefault(resource, f"env {prefix}*")
    return tuple(Accelerator(resource=r, evidence=e) for r, e in found.items())


def _good(page: Page | None) -> bool:
    return page is not None and page.good
