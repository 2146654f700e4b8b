"""Which images are made for NVIDIA's CUDA, and so need a GPU limit.

A scan knows it from the image's config. Without a scan the name and the tag are asked, as people
read them: `pytorch-cuda`, `2.1.0-cu121`, `latest-gpu-jupyter`, but not `barracuda` or `no-cuda`.
Only the last component of the path and the tag count: `cuda-team/nb` says who, not what.
"""

import re
from collections.abc import Mapping, Sequence

from webhook.core.imagepattern import ImagePattern
from webhook.core.reference import Reference

_SEPARATORS = re.compile(r"[-_.+]")
# cuda, cuda12, cu121 (PyTorch's way to say CUDA 12.1), gpu
_CUDA_WORD = re.compile(r"cuda[0-9]*|cu[0-9]{1,3}|gpu")
_DENIED_BY_BEFORE = frozenset({"no", "non", "without"})
_DENIED_BY_AFTER = frozenset({"free", "less"})
_CPU_WORD = "cpu"

# Set by NVIDIA's CUDA base images, and by nobody else.
_CUDA_VARIABLES = ("NVIDIA_REQUIRE_CUDA", "CUDA_VERSION")
_CUDA_PREFIX = "NV_CUDA_"
_VISIBLE_DEVICES = "NVIDIA_VISIBLE_DEVICES"
# The container toolkit gives no device for these; an empty value is as good as none.
_NO_DEVICES = frozenset({"", "void", "none"})


def named_cuda(reference: Reference, patterns: Sequence[ImagePattern] = ()) -> bool:
    """Tell by name and tag whether an image wants CUDA; one that matches a pattern does.

    The tag's word beats the name's, and `cpu` in the tag outvotes the name: builds for both are
    often tags of one repository.
    """
    # Nothing is allowed by this, so the writer's word for the tag will do.
    if any(pattern.matches(reference, trust_tag=True) for pattern in patterns):
        return True
    tag = _words(reference.tag or "")
    said = _says_cuda(tag)
    if said is not None:
        return said
    if _CPU_WORD in tag:
        return False
    return _says_cuda(_words(reference.path.rpartition("/")[2])) is True


def config_cuda(env: Mapping[str, str]) -> str | None:
    """Find in an image config's environment what shows CUDA: `env NVIDIA_REQUIRE_CUDA`; else None.

    Only fixed names are given, never a value or a name of the image's own choice.
    """
    for name in _CUDA_VARIABLES:
        if name in env:
            return f"env {name}"
    if any(name.startswith(_CUDA_PREFIX) for name in env):
        return f"env {_CUDA_PREFIX}*"
    if env.get(_VISIBLE_DEVICES, "") not in _NO_DEVICES:
        return f"env {_VISIBLE_DEVICES}"
    return None


def _words(text: str) -> list[str]:
    return [word for word in _SEPARATORS.split(text.lower()) if word]


def _says_cuda(words: list[str]) -> bool | None:
    """Give what the words say of CUDA: yes, expressly no, or nothing. One yes is enough."""
    said = None
    neighbours = zip(["", *words], words, [*words[1:], ""], strict=False)
    for before, word, after in neighbours:
        if not _CUDA_WORD.fullmatch(word):
            continue
        if before not in _DENIED_BY_BEFORE and after not in _DENIED_BY_AFTER:
            return True
        said = False
    return said
