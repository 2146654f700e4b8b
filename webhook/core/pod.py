"""Pod specs as frozen values: every field that a rule or a patch looks at, read once.

One visitor, `PodSpec.containers`, knows all container lists and their paths: regular, init (with native sidecars) and
ephemeral; and after them the volumes that are images. A rule that looks at images looks at all of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

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

ContainerList = Literal["containers", "initContainers", "ephemeralContainers", "volumes"]
# Many times what a node can run for one pod; kubelet starts them one by one.
CONTAINERS_LIMIT = 200
MIRROR_ANNOTATION = "kubernetes.io/config.mirror"


class EnvVar(NamedTuple):
    """One environment variable; `value` is None where it comes from elsewhere (valueFrom); `source` is its JSON."""

    name: str
    value: str | None
    source: Mapping[str, Any]


class Mount(NamedTuple):
    """One volume mount."""

    volume: str
    path: str


class SecurityContext(NamedTuple):
    """What nbgate looks at in a container's or a pod's security context."""

    run_as_user: int | None
    run_as_non_root: bool | None
    fs_group: int | None


class Resources(NamedTuple):
    """What a container asks for.

    Attributes:
        quantities: by resource, limits over requests.
        has_limits: the field is there; a patch must else add it first.
        claims: it claims a device by dynamic resource allocation.
    """

    quantities: Mapping[str, object]
    has_limits: bool
    claims: bool


class Container(NamedTuple):
    """One container of any list; or a volume that is an image (Kubernetes 1.31 and newer), of which nothing runs.

    Attributes:
        path: where it stands in the spec, as `containers[0]`.
        env: None where the field is absent: a patch must then add the list first. So for `mounts`, `security` and
            `resources`.
    """

    list: ContainerList
    position: int
    name: str
    image: str
    env: tuple[EnvVar, ...] | None
    mounts: tuple[Mount, ...] | None
    security: SecurityContext | None
    resources: Resources | None

    @property
    def path(self) -> str:
        """The place in the spec, for people."""
        return f"{self.list}[{self.position}]"

    @property
    def image_path(self) -> str:
        """The place of its image in the spec, for people."""
        return f"{self.path}.image.reference" if self.list == "volumes" else f"{self.path}.image"

    @property
    def pointer(self) -> str:
        """The place in the spec, as a JSON Pointer."""
        return f"/{self.list}/{self.position}"


class Volume(NamedTuple):
    """One volume: its name, the claim that it mounts, and the image that it is."""

    name: str
    claim: str | None
    image: str | None


class PodSpec(NamedTuple):
    """A pod's spec, or a Notebook's template's.

    Attributes:
        containers: of every list, regular ones first, volumes that are images last.
        volumes: None where the field is absent. So for `security` and `tolerations`.
        claims: it claims devices by dynamic resource allocation.
    """

    containers: tuple[Container, ...]
    volumes: tuple[Volume, ...] | None
    security: SecurityContext | None
    tolerations: Sequence[Mapping[str, Any]] | None
    runtime_class: str | None
    claims: bool


class Metadata(NamedTuple):
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
    return next(filter(None, owners), None)


def _owner(_: int, item: Mapping[str, Any]) -> tuple[str, str] | None:
    named = text(item, "kind") or "", text(item, "name") or ""
    return named if boolean(item, "controller") else None


def read_spec(spec: Mapping[str, Any]) -> PodSpec:
    """Read a pod spec. Raises Malformed; `containers` may be absent, as in an EphemeralContainers object.

    A spec of more than CONTAINERS_LIMIT containers of one list is refused: each costs time in every rule, and megabytes
    of them would hold a worker for seconds.
    """
    volumes = each(spec, "volumes", _volume)
    return PodSpec(
        containers=(
            *read_containers(spec, "containers"),
            *read_containers(spec, "initContainers"),
            *read_containers(spec, "ephemeralContainers"),
            *_image_volumes(volumes or ()),
        ),
        volumes=volumes,
        security=inside(spec, "securityContext", _security),
        tolerations=objects(spec, "tolerations"),
        runtime_class=text(spec, "runtimeClassName"),
        claims=bool(objects(spec, "resourceClaims")),
    )


def read_containers(source: Mapping[str, Any], name: ContainerList) -> tuple[Container, ...]:
    """Read one list of containers. Raises Malformed."""
    held = source.get(name)
    if held is None:
        return ()
    if isinstance(held, list) and len(held) > CONTAINERS_LIMIT:
        raise Malformed(name, f"holds more than {CONTAINERS_LIMIT} containers: split the pod")
    return each(source, name, lambda position, item: _container(name, position, item)) or ()


def _container(name: ContainerList, position: int, item: Mapping[str, Any]) -> Container:
    return Container(
        list=name,
        position=position,
        name=text(item, "name") or "",
        image=text(item, "image") or "",
        env=each(item, "env", _env),
        mounts=each(item, "volumeMounts", _mount),
        security=inside(item, "securityContext", _security),
        resources=inside(item, "resources", _resources),
    )


def _resources(held: Mapping[str, Any]) -> Resources:
    limits, requests = mapping(held, "limits"), mapping(held, "requests")
    quantities = {**requests, **limits} if requests and limits else limits or requests or {}
    return Resources(quantities, limits is not None, bool(objects(held, "claims")))


def _env(_: int, item: Mapping[str, Any]) -> EnvVar:
    value = text(item, "value")
    sourced = item.get("valueFrom") is not None
    return EnvVar(text(item, "name") or "", None if sourced else value or "", item)


def _mount(_: int, item: Mapping[str, Any]) -> Mount:
    return Mount(text(item, "name") or "", text(item, "mountPath") or "")


def _volume(_: int, item: Mapping[str, Any]) -> Volume:
    return Volume(
        text(item, "name") or "",
        inside(item, "persistentVolumeClaim", _claim_name),
        inside(item, "image", _reference),
    )


def _reference(image: Mapping[str, Any]) -> str | None:
    return text(image, "reference")


def _image_volumes(volumes: Sequence[Volume]) -> Sequence[Container]:
    """Give the volumes that are images. Raises Malformed where they are more than a pod may have containers."""
    found = [pair for pair in enumerate(volumes) if pair[1].image is not None]
    if len(found) > CONTAINERS_LIMIT:
        raise Malformed("volumes", f"holds more than {CONTAINERS_LIMIT} images: split the pod")
    return [_image_volume(position, volume) for position, volume in found]


def _image_volume(position: int, volume: Volume) -> Container:
    return Container(
        list="volumes",
        position=position,
        name=volume.name,
        image=volume.image or "",
        env=None,
        mounts=None,
        security=None,
        resources=None,
    )


def _claim_name(claim: Mapping[str, Any]) -> str | None:
    return text(claim, "claimName")


def _security(context: Mapping[str, Any]) -> SecurityContext:
    return SecurityContext(
        integer(context, "runAsUser"),
        boolean(context, "runAsNonRoot"),
        integer(context, "fsGroup"),
    )
