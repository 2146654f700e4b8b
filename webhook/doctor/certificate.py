"""[certificate] The API server trusts the certificate that each replica serves, and will for a while."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from webhook.doctor.check import Check
from webhook.doctor.finding import Finding, ok, unknown, warning, wrong
from webhook.doctor.place import CONFIGURATION, SERVICE, Place
from webhook.doctor.reading import mapping, name_of, number, objects, text
from webhook.doctor.served import Replica, Served, look_at
from webhook.doctor.site import Site
from webhook.doctor.webhooks import EXPECTED
from webhook.doctor.workloads import running_pods
from webhook.kube import Document

_SOON = timedelta(days=30)


def bundles(configurations: Iterable[tuple[str, Document | None]]) -> Mapping[str, bytes]:
    """Give the CA bundle (PEM, empty where there is none) of each entry, by `kind/name entry`."""
    return {
        f"{kind}/{CONFIGURATION} {text(entry, 'name')}": _pem(mapping(entry, "clientConfig"))
        for kind, configuration in configurations
        for entry in objects(configuration, "webhooks")
    }


def _pem(config: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(text(config, "caBundle"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def judge(
    served: Sequence[Served], bundle_of: Mapping[str, bytes], now: datetime, place: Place
) -> Iterator[Finding]:
    """Judge what each pod serves by the bundle of each entry."""
    cure = place.about_certificates
    empty = [where for where, bundle in bundle_of.items() if not bundle.strip()]
    for where in empty:
        yield wrong("has no caBundle: every call fails", where, cure)
    for one in served:
        where = f"pod/{one.pod}"
        if one.leaf is None:
            yield unknown(one.problem, where, f"{place.here} logs {one.pod} --tail=20")
            continue
        faults = [*_distrusting(one, bundle_of, where, cure), *_ending(one, now, where, cure)]
        until = f"serves a certificate until {one.leaf.not_after:%Y-%m-%d}"
        trusted = f"{until}, and every entry trusts it" if bundle_of else until
        yield from faults or ([] if empty else [ok(trusted, where)])


def _distrusting(
    served: Served, bundle_of: Mapping[str, bytes], where: str, cure: str
) -> Iterator[Finding]:
    """Find the entries by which the API server would not trust this replica: one finding for those alike."""
    by_reason: dict[str, list[str]] = {}
    for entry, bundle in bundle_of.items():
        if reason := served.refused.get(bundle, ""):
            by_reason.setdefault(reason, []).append(entry.rpartition(" ")[2])
    for reason, entries in by_reason.items():
        what = f"the caBundle of {', '.join(entries)} does not trust what it serves: {reason}"
        yield wrong(what, where, cure)


def _ending(served: Served, now: datetime, where: str, cure: str) -> Iterator[Finding]:
    if served.leaf is None:
        return
    left = served.leaf.not_after - now
    if left < timedelta():
        yield wrong(f"its certificate has expired on {served.leaf.not_after:%Y-%m-%d}", where, cure)
    # one that is made for a shorter time is renewed at two thirds of it, as ever
    elif left < min(_SOON, (served.leaf.not_after - served.leaf.not_before) / 4):
        what = f"its certificate ends in {left.days} days: nobody has renewed it"
        yield warning(what, where, cure)


def _look(site: Site) -> Iterator[Finding]:
    found = [
        (kind, site.find(resource, CONFIGURATION)) for resource, (kind, *_) in EXPECTED.items()
    ]
    bundle_of = bundles(found)
    host = f"{SERVICE}.{site.place.namespace}.svc"
    different = sorted({bundle for bundle in bundle_of.values() if bundle.strip()})
    running = running_pods(site, "webhook")
    if not running:
        yield unknown("no webhook pod runs, so no certificate is to be seen")
    served = [look_at(replica_of(site, pod), host, different) for pod in running]
    yield from judge(served, bundle_of, datetime.fromtimestamp(site.now, UTC), site.place)


def replica_of(site: Site, pod: Document, name: str = "https", default: int = 8443) -> Replica:
    """Give a pod's named port."""
    containers = objects(pod, "spec", "containers")
    ports = [port for container in containers for port in objects(container, "ports")]
    port = next((number(p, "containerPort") for p in ports if p.get("name") == name), default)
    return Replica(kube=site.kube, namespace=site.place.namespace, pod=name_of(pod), port=port)


CHECK = Check(
    id="certificate",
    why='A certificate that the caBundle does not trust fails every call: "x509: certificate signed by unknown '
    'authority".',
    look=_look,
)
