"""[neighbours] No other webhook configuration is in nbgate's way: in its order, or left by an earlier install."""

from collections.abc import Iterator, Sequence
from typing import Any

from webhook.core.words import cut
from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import CONFIGURATION, SERVICE, Place
from webhook.doctor.reading import mapping, name_of, objects, text
from webhook.doctor.site import Site
from webhook.kube import MUTATING_CONFIGURATIONS, VALIDATING_CONFIGURATIONS, Document

_DOMAIN = ".nbgate.dev"
# How Kubeflow's PodDefaults and Istio's sidecar injector name their webhooks; their configurations' names vary.
_BEFORE = (".kubeflow.org", ".istio.io")


def judge(
    mutating: Sequence[Document], validating: Sequence[Document], place: Place
) -> Iterator[Finding]:
    """Judge the cluster's configurations."""
    found = [*_leftovers("mutatingwebhookconfiguration", mutating, place)]
    found += _leftovers("validatingwebhookconfiguration", validating, place)
    found += _order(mutating)
    yield from found or [
        ok(
            "none comes from an earlier install, and none that should run before nbgate runs after it"
        )
    ]


def _leftovers(kind: str, configurations: Sequence[Document], place: Place) -> Iterator[Finding]:
    for configuration in configurations:
        name = name_of(configuration)
        entries = objects(configuration, "webhooks")
        ours = [entry for entry in entries if _is_ours(entry, place)]
        if not ours or name == CONFIGURATION:
            continue
        what = f"asks nbgate as well ({text(ours[0], 'name')}): from an earlier install?"
        yield wrong(what, f"{kind}/{cut(name, 100)}", f"{place.kubectl} delete {kind} {name}")


def _is_ours(entry: Any, place: Place) -> bool:
    service = mapping(entry, "clientConfig", "service")
    here = (place.namespace, SERVICE) == (text(service, "namespace"), text(service, "name"))
    return here or text(entry, "name").endswith(_DOMAIN)


def _order(mutating: Sequence[Document]) -> Iterator[Finding]:
    """Find what runs after nbgate and should run before: the API server goes by the configurations' names."""
    for configuration in mutating:
        name = name_of(configuration)
        entries = [text(entry, "name") for entry in objects(configuration, "webhooks")]
        if name > CONFIGURATION and any(entry.endswith(_BEFORE) for entry in entries):
            what = "runs after nbgate: what it adds is not patched before, and PodDefaults refuse a pod on a conflict"
            where = f"mutatingwebhookconfiguration/{cut(name, 100)}"
            yield warning(what, where, f"# rename it so that it sorts before {CONFIGURATION}")


def _look(site: Site) -> Iterator[Finding]:
    mutating = site.all(MUTATING_CONFIGURATIONS)
    yield from judge(mutating, site.all(VALIDATING_CONFIGURATIONS), site.place)


CHECK = Check(
    id="neighbours",
    why="Configurations run in the order of their names, and one that was left behind asks a server that is gone.",
    look=_look,
)
