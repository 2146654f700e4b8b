"""Secrets, webhook configurations and Endpoints: from documents to what the rotation sees, and back."""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from certs.bundle import decode_bundle, encode_bundle
from certs.certificate import Certificate
from certs.rotationsteps import Configuration, Request

Document = dict[str, Any]
Bundles = tuple[tuple[Certificate, ...], ...]
OwnEntry = Callable[[Document], bool]

ROTATE = "nbgate.dev/rotate"
"""The annotation of Secret nbgate-ca that asks for a rotation; with the word `now` in it, for a forced one."""

PORT_NAME = "https"


@dataclass(frozen=True, slots=True)
class Service:
    """The Service behind which replicas serve."""

    name: str
    namespace: str

    @property
    def hosts(self) -> tuple[str, str]:
        """What the API server calls it, which alone it verifies, and its full name, for other clients."""
        host = f"{self.name}.{self.namespace}.svc"
        return host, f"{host}.cluster.local"

    def is_called_by(self, entry: Document) -> bool:
        """Say whether a webhook of a configuration calls this Service."""
        called = _mapping(_mapping(entry.get("clientConfig")).get("service"))
        return (called.get("name"), called.get("namespace")) == (self.name, self.namespace)


def secret_data(secret: Document) -> dict[str, bytes]:
    """Read a Secret's data."""
    return {str(key): _decoded(value) for key, value in _mapping(secret.get("data")).items()}


def with_data(secret: Document, data: Mapping[str, bytes]) -> Document:
    """Put data into a Secret; what else is in it stays."""
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {**secret, "data": {**_mapping(secret.get("data")), **encoded}}


def request_of(secret: Document) -> Request | None:
    """Read from Secret nbgate-ca whether somebody asks for a rotation."""
    value = _mapping(_mapping(secret.get("metadata")).get("annotations")).get(ROTATE)
    return Request(forced="now" in str(value).split()) if value is not None else None


def without_request(secret: Document) -> Document:
    """Take the request away."""
    metadata = _mapping(secret.get("metadata"))
    kept = {k: v for k, v in _mapping(metadata.get("annotations")).items() if k != ROTATE}
    return {**secret, "metadata": {**metadata, "annotations": kept}}


def configuration_of(document: Document, name: str, own: OwnEntry) -> Configuration:
    """Read a webhook configuration; of its entries those that are `own`."""
    metadata = _mapping(document.get("metadata"))
    return Configuration(
        name=name,
        # The generation grows with every change of the entries, and with nothing else; a uid is one object's.
        identity=f"{metadata.get('uid')}/{metadata.get('generation')}",
        bundles=tuple(bundle_of(entry) for entry in entries_of(document) if own(entry)),
    )


def with_bundles(document: Document, bundles: Bundles, own: OwnEntry) -> Document:
    """Put bundles into the entries that are `own`, in their order; the document that was given stays as it is."""
    changed = deepcopy(document)
    mine = [entry for entry in entries_of(changed) if own(entry)]
    for entry, bundle in zip(mine, bundles, strict=True):
        entry.setdefault("clientConfig", {})["caBundle"] = encode_bundle(bundle)
    return changed


def entries_of(document: Document) -> Iterator[Document]:
    """Give a configuration's webhooks."""
    entries = document.get("webhooks")
    yield from (
        (one for one in entries if isinstance(one, dict)) if isinstance(entries, list) else ()
    )


def bundle_of(entry: Document) -> tuple[Certificate, ...]:
    """Read the CAs that a webhook's entry trusts."""
    return decode_bundle(_mapping(entry.get("clientConfig")).get("caBundle"))


def ready_addresses(endpoints: Document) -> Iterator[tuple[str, int]]:
    """Give address and port of each ready replica: of the port that is named https, or of the only one."""
    for subset in _items(endpoints.get("subsets")):
        ports = [one for one in _items(subset.get("ports")) if isinstance(one.get("port"), int)]
        named = [one for one in ports if one.get("name") == PORT_NAME]
        chosen = named or (ports if len(ports) == 1 else [])
        for address in _items(subset.get("addresses")):
            yield from ((str(address.get("ip")), int(one["port"])) for one in chosen[:1])


def _items(value: object) -> list[Document]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _decoded(value: object) -> bytes:
    try:
        return base64.b64decode(str(value))
    except (binascii.Error, ValueError):
        return b""
