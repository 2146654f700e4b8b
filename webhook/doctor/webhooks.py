"""[webhooks] The API server asks nbgate about what it is to judge, and about nothing else."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webhook.doctor.check import Check
from webhook.doctor.differences import Difference, differences
from webhook.doctor.expected import MUTATING, VALIDATING, Entry, path_of
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import CONFIGURATION, SERVICE, Place
from webhook.doctor.reading import mapping, number, objects, text
from webhook.doctor.service import PORT
from webhook.doctor.site import Site
from webhook.kube import MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS, Document
from webhook.kubeerrors import Resource

Expected = tuple[str, Sequence[Entry]]
# By kind: its name for kubectl, and the entries.
EXPECTED: Mapping[Resource, Expected] = {
    MUTATING_CONFIGURATIONS: ("mutatingwebhookconfiguration", MUTATING),
    VALIDATING_CONFIGURATIONS: ("validatingwebhookconfiguration", VALIDATING),
}


def judge(expected: Expected, found: Document | None, place: Place) -> Iterator[Finding]:
    """Judge one configuration, None where it is not there."""
    kind, entries = expected
    where = f"{kind}/{CONFIGURATION}"
    if found is None:
        yield wrong("is not there: the API server asks nobody", where, place.install)
        return
    faults: list[Finding] = []
    has = objects(found, "webhooks")
    for index, entry in enumerate(has):
        should = next((one for one in entries if one["name"] == entry.get("name")), None)
        there = f"{where} {text(entry, 'name')}"
        if should is None:
            what = "is none of nbgate's entries"
            faults.append(
                warning(what, there, f"{place.kubectl} get {kind} {CONFIGURATION} -o yaml")
            )
            continue
        patch = _Patch(place=place, kind=kind, index=index)
        faults += [_told(one, there, patch) for one in differences(dict(entry), should)]
        faults += _address(entry, path_of(should), there, place, patch)
    names = {text(entry, "name") for entry in has}
    absent = [one["name"] for one in entries if one["name"] not in names]
    faults += [wrong("is not there", f"{where} {name}", place.install) for name in absent]
    yield from faults or [ok(f"entries as this version installs them: {len(entries)}", where)]


class _Patch:
    """Writes the command that sets one field of one entry."""

    def __init__(self, *, place: Place, kind: str, index: int) -> None:
        self._start = f"{place.kubectl} patch {kind} {CONFIGURATION} --type=json"
        self._index = index

    def __call__(self, field: str, value: Any) -> str:
        operation = {"op": "add", "path": f"/webhooks/{self._index}/{field}", "value": value}
        return f"{self._start} -p {shlex.quote(json.dumps([operation]))}"


def _told(difference: Difference, where: str, patch: _Patch) -> Finding:
    say = wrong if difference.severity == "wrong" else warning
    return say(difference.what, where, patch(difference.field, difference.value))


def _address(
    entry: Mapping[str, Any], path: str, where: str, place: Place, patch: _Patch
) -> Iterator[Finding]:
    config = mapping(entry, "clientConfig")
    service = mapping(config, "service")
    if not service:
        yield warning(f"calls {text(config, 'url')}, not the Service {SERVICE}", where)
        return
    should = {"namespace": place.namespace, "name": SERVICE, "path": path, "port": PORT}
    has = {
        "namespace": text(service, "namespace"),
        "name": text(service, "name"),
        "path": text(service, "path"),
        "port": number(service, "port") or PORT,
    }
    if has != should:
        shown = "{namespace}/{name}:{port}{path}"
        what = f"calls {shown.format(**has)}, not {shown.format(**should)}"
        yield wrong(what, where, patch("clientConfig/service", should))


def _look(site: Site) -> Iterator[Finding]:
    for resource, expected in EXPECTED.items():
        yield from judge(expected, site.find(resource, CONFIGURATION), site.place)


CHECK = Check(
    id="webhooks",
    why="They say what the API server asks about, and what happens when nobody answers.",
    look=_look,
)
