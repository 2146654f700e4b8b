"""[definitions] The kinds ImageScan and NotebookPolicy are there, in this version's form."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import BaseModel

from webhook.core.document import API_VERSION
from webhook.core.policy import PolicySpec, PolicyStatus
from webhook.core.scan import ScanSpec, ScanStatus
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, wrong
from webhook.doctor.place import Place
from webhook.doctor.reading import mapping, objects, text
from webhook.doctor.site import Site
from webhook.kube import DEFINITIONS, Document

_VERSION = API_VERSION.partition("/")[2]
KINDS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "imagescans.nbgate.dev": {"spec": ScanSpec, "status": ScanStatus},
    "notebookpolicies.nbgate.dev": {"spec": PolicySpec, "status": PolicyStatus},
}


def judge(name: str, definition: Document | None, place: Place) -> Iterator[Finding]:
    """Judge one CustomResourceDefinition; None where it is not there."""
    where = f"crd/{name}"
    if definition is None:
        yield wrong("is not installed: nothing can be kept in the cluster", where, place.install)
        return
    found = [*_faults(name, definition, place, where)]
    yield from found or [ok(f"served and stored as {_VERSION}, with all fields", where)]


def _faults(name: str, definition: Document, place: Place, where: str) -> Iterator[Finding]:
    conditions = objects(definition, "status", "conditions")
    established = next((c for c in conditions if c.get("type") == "Established"), {})
    if established.get("status") != "True":
        why = text(established, "message") or "no reason is given"
        cure = f"{place.kubectl} describe crd {name}"
        yield wrong(f"is not established ({why})", where, cure)
    versions = objects(definition, "spec", "versions")
    version = next((v for v in versions if v.get("name") == _VERSION), {})
    if version.get("served") is not True:
        yield wrong(f"does not serve version {_VERSION}", where, place.install)
        return
    if version.get("storage") is not True:
        yield wrong(f"does not store version {_VERSION}", where, place.install)
    schema = mapping(version, "schema", "openAPIV3Schema")
    missing = [path for part, model in KINDS[name].items() for path in lacking(schema, part, model)]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        what = f"lacks {', '.join(missing[:3])}{more}: it is of another version, and what stands there is lost"
        yield wrong(what, where, place.install)


def lacking(schema: Mapping[str, Any], path: str, model: type[BaseModel]) -> Iterator[str]:
    """Give the paths of a model's fields for which a schema has no place, the outermost of each branch."""
    below = mapping(schema, "properties", path.rpartition(".")[2].removesuffix("[]"))
    if path.endswith("[]"):
        below = mapping(below, "items")
    for name, field in model.model_fields.items():
        key = field.alias or name
        if key not in mapping(below, "properties"):
            yield f"{path}.{key}"
            continue
        for nested, many in _models(field.annotation):
            yield from lacking(below, f"{path}.{key}{'[]' if many else ''}", nested)


def _models(annotation: Any, *, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for inner in get_args(annotation):
        yield from _models(inner, many=many or getattr(annotation, "__origin__", None) is tuple)


def _look(site: Site) -> Iterator[Finding]:
    for name in KINDS:
        yield from judge(name, site.find(DEFINITIONS, name), site.place)


CHECK = Check(
    id="definitions",
    why="Without these kinds there is no place for scans and policy; a definition of another version drops fields.",
    look=_look,
)
