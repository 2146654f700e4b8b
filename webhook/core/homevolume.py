"""The notebook's home: what is mounted there, what could be, and the patch that mounts it."""

from collections.abc import Iterator

from webhook.core.pod import Container
from webhook.core.policy import Home
from webhook.core.target import Operation, Target, append

_VOLUME = "nbgate-home"


def home_is_mounted(container: Container, home: Home) -> bool:
    """Tell whether the container mounts something at the home's path."""
    paths = [mount.path.rstrip("/") for mount in container.mounts or ()]
    return home.path in paths


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


def mount_home(target: Target, home: Home) -> Iterator[Operation]:
    """Mount the workspace claim, else the fallback; what is mounted there already stays."""
    if home_is_mounted(target.container, home):
        return
    volume = home_claim(target, home)
    if volume is None:
        if home.fallback == "None":
            return
        volume = _unused_name({v.name for v in target.spec.volumes or ()})
        yield from append(
            "/spec/volumes", target.spec.volumes, {"name": volume, "emptyDir": _empty_dir(home)}
        )
    yield from append(
        f"{target.pointer}/volumeMounts",
        target.container.mounts,
        {"name": volume, "mountPath": home.path},
    )


def _empty_dir(home: Home) -> dict[str, str]:
    return {"sizeLimit": home.size_limit} if home.size_limit else {}


def _unused_name(taken: set[str]) -> str:
    names = (_VOLUME if n == 0 else f"{_VOLUME}-{n}" for n in range(len(taken) + 1))
    return next(name for name in names if name not in taken)
