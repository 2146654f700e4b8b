"""Pod specs as frozen values: every field that a rule or a patch looks at, read once.

One visitor, `PodSpec.containers`, knows all container lists and their paths: regular, init (with native sidecars) and
ephemeral. A rule that looks at images looks at all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from webhook.core.reading import (
    Malformed,
    boolean,
    each,
    inside,
    integer,
    mapping,
    objects,
    text,
    texts,
)

ContainerList = Literal["containers", "initContainers", "ephemeralContainers"]
LISTS: tuple[ContainerList, ...] = ("containers", "initContainers", "ephemeralContainers")
# Many times what a node can run for one pod; kubelet starts them one by one.
CONTAINERS_LIMIT = 200
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True)
class EnvVar:
    """One environment variable; `value` is None where it comes from elsewhere (valueFrom); `source` is its JSON."""

    name: str
    value: str | None
    source: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mount:
    """One volume mount."""

    volume: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityContext:
    """What nbgate looks at in a container's or a pod's security context."""

    run_as_user: int | None = None
    run_as_non_root: bool | None = None
    fs_group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """One container of any list.

    Attributes:
        path: where it stands in the spec, as `containers[0]`.
        env: None where the field is absent: a patch must then add the list first. So for `mounts` and `security`.
        resources: quantities by resource, limits over requests.
        claims: it claims a device by dynamic resource allocation.
    """

    list: ContainerList
    index: int
    name: str
    image: str
    env: tuple[EnvVar, ...] | None
    mounts: tuple[Mount, ...] | None
    security: SecurityContext | None
    resources: Mapping[str, object]
    has_resources: bool
    has_limits: bool
    claims: bool
    native_sidecar: bool

    @property
    def path(self) -> str:
        """The place in the spec, for people."""
        return f"{self.list}[{self.index}]"

    @property
    def pointer(self) -> str:
        """The place in the spec, as a JSON Pointer."""
        return f"/{self.list}/{self.index}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume: its name, the claim that it mounts, and whether it is an emptyDir."""

    name: str
    claim: str | None
    empty_dir: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """A pod's spec, or a Notebook's template's.

    Attributes:
        containers: of every list, regular ones first.
        volumes: None where the field is absent. So for `security` and `tolerations`.
        claims: it claims devices by dynamic resource allocation.
    """

    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] | None
    security: SecurityContext | None
    tolerations: tuple[Mapping[str, Any], ...] | None
    runtime_class: str | None
    claims: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What nbgate looks at in an object's metadata; `owner` is the controlling owner, as (kind, name)."""

    name: str
    generate_name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    owner: tuple[str, str] | None
    deleting: bool


def read_metadata(source: Mapping[str, Any]) -> Metadata:
    """Read `metadata` of any object. Raises Malformed."""
    return inside(source, "metadata", _metadata) or _metadata({})


def _metadata(meta: Mapping[str, Any]) -> Metadata:
    return Metadata(
        name=text(meta, "name") or "",
        generate_name=text(meta, "generateName") or "",
        labels=texts(meta, "labels"),
        annotations=texts(meta, "annotations"),
        owner=_controller(meta),
        deleting=text(meta, "deletionTimestamp") is not None,
    )


def _controller(meta: Mapping[str, Any]) -> tuple[str, str] | None:
    owners = each(meta, "ownerReferences", _owner) or ()
    return next((owner for owner in owners if owner is not None), None)


def _owner(_: int, item: Mapping[str, Any]) -> tuple[str, str] | None:
    named = text(item, "kind") or "", text(item, "name") or ""
    return named if boolean(item, "controller") else None


def read_spec(spec: Mapping[str, Any]) -> PodSpec:
    """Read a pod spec. Raises Malformed; `containers` may be absent, as in an EphemeralContainers object.

    A spec of more than CONTAINERS_LIMIT containers of one list is refused: each costs time in every rule, and megabytes
    of them would hold a worker for seconds.
    """
    return PodSpec(
        containers=tuple(c for name in LISTS for c in read_containers(spec, name)),
        volumes=each(spec, "volumes", _volume),
        security=inside(spec, "securityContext", _security),
        tolerations=each(spec, "tolerations", lambda _, item: item),
        runtime_class=text(spec, "runtimeClassName"),
        claims=bool(objects(spec, "resourceClaims")),
    )


def read_containers(source: Mapping[str, Any], name: ContainerList) -> tuple[Container, ...]:
    """Read one list of containers. Raises Malformed."""
    held = source.get(name)
    if isinstance(held, list) and len(held) > CONTAINERS_LIMIT:
        raise Malformed(name, f"holds more than {CONTAINERS_LIMIT} containers: split the pod")
    return each(source, name, lambda index, item: _container(name, index, item)) or ()


def _container(name: ContainerList, index: int, item: Mapping[str, Any]) -> Container:
    limits = inside(item, "resources", lambda held: mapping(held, "limits"))
    requests = inside(item, "resources", lambda held: mapping(held, "requests"))
    return Container(
        list=name,
        index=index,
        name=text(item, "name") or "",
        image=text(item, "image") or "",
        env=each(item, "env", _env),
        mounts=each(item, "volumeMounts", _mount),
        security=inside(item, "securityContext", _security),
        resources={**(requests or {}), **(limits or {})} if requests or limits else {},
        has_resources=item.get("resources") is not None,
        has_limits=limits is not None,
        claims=bool(inside(item, "resources", lambda held: objects(held, "claims"))),
        native_sidecar=name == "initContainers" and text(item, "restartPolicy") == "Always",
    )


def _env(_: int, item: Mapping[str, Any]) -> EnvVar:
    value = text(item, "value")
    sourced = item.get("valueFrom") is not None
    return EnvVar(text(item, "name") or "", None if sourced else value or "", item)


def _mount(_: int, item: Mapping[str, Any]) -> Mount:
    return Mount(text(item, "name") or "", text(item, "mountPath") or "")


def _volume(_: int, item: Mapping[str, Any]) -> Volume:
    return Volume(
        name=text(item, "name") or "",
        claim=inside(item, "persistentVolumeClaim", lambda claim: text(claim, "claimName")),
        empty_dir=mapping(item, "emptyDir") is not None,
    )


def _security(context: Mapping[str, Any]) -> SecurityContext:
    return SecurityContext(
        run_as_user=integer(context, "runAsUser"),
        run_as_non_root=boolean(context, "runAsNonRoot"),
        fs_group=integer(context, "fsGroup"),
    )
