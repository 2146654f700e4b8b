"""[service] The Service leads to ready webhook pods."""

from collections.abc import Iterator

from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, warning, wrong
from webhook.doctor.place import SERVICE, WEBHOOK, Place
from webhook.doctor.reading import number, objects, text
from webhook.doctor.site import Site
from webhook.kube import ENDPOINTS, SERVICES, Document

PORT = 443  # where the API server calls a webhook unless its configuration says otherwise


def judge(service: Document | None, endpoints: Document | None, place: Place) -> Iterator[Finding]:
    """Judge the Service and its Endpoints, None for what is not there."""
    where = f"service/{SERVICE}"
    if service is None:
        yield wrong(f"is not in namespace {place.namespace}", where, place.install)
        return
    ports = objects(service, "spec", "ports")
    if not any(number(port, "port") == PORT for port in ports):
        yield wrong(f"has no port {PORT}, where the API server calls", where, place.install)
        return
    subsets = objects(endpoints, "subsets")
    ready = sum(len(objects(subset, "addresses")) for subset in subsets)
    waiting = sum(len(objects(subset, "notReadyAddresses")) for subset in subsets)
    pods = f"{place.here} get pods -l app.kubernetes.io/component=webhook -o wide"
    if ready >= 2:
        yield ok(f"leads to {ready} ready pods", where)
    elif ready:
        yield warning("leads to one ready pod: its end is an outage", where, pods)
    elif waiting:
        yield wrong(f"leads to no ready pod: {waiting} are not ready", where, pods)
    else:
        cure = f"{place.here} get endpoints {SERVICE}; {place.here} get deployment {WEBHOOK}"
        yield wrong(f"leads to no pod{_selecting(service)}", where, cure)


def _selecting(service: Document) -> str:
    name = text(service, "spec", "selector", "app.kubernetes.io/name")
    return "" if name == "nbgate" else ", and does not select app.kubernetes.io/name=nbgate"


def _look(site: Site) -> Iterator[Finding]:
    service = site.ours(SERVICES, SERVICE)
    yield from judge(service, site.ours(ENDPOINTS, SERVICE) if service else None, site.place)


CHECK = Check(
    id="service",
    why='The API server reaches replicas through the Service: without an endpoint every call fails with "no endpoints '
    'available".',
    look=_look,
)
