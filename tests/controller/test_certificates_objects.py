"""Documents of any shape become values, and values go back without anything else changing."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.authority import issue_authority
from certs.certificate import describe
from certs.hosts import normalize_all
from certs.rotationsteps import Request
from webhook.controller.certificateobjects import (
    ROTATE,
    Document,
    Service,
    bundle_of,
    configuration_of,
    entries_of,
    ready_addresses,
    request_of,
    secret_data,
    with_bundles,
    with_data,
    without_request,
)

SERVICE = Service("nbgate", "nbgate-system")
NOW = datetime(2026, 5, 4, tzinfo=UTC)
(CA,) = describe(issue_authority("CA", now=NOW, lifetime=timedelta(days=9)).certificate_pem)

OUTER = ("data", "metadata", "annotations", ROTATE, "webhooks", "clientConfig")
FIELDS = (*OUTER, "service", "caBundle", "name", "namespace", "addresses", "ports", "port", "ip")
# What an API server would never send, and what it may.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def entry(namespace: str = "nbgate-system", **config: Any) -> Document:
    service = {"name": "nbgate", "namespace": namespace}
    return {"name": "x", "clientConfig": {"service": service, **config}}


@given(st.dictionaries(st.sampled_from(["data", "metadata", "webhooks", "subsets"]), ANYTHING))
def test_a_document_of_any_shape_is_read(document: Document) -> None:
    secret_data(document)
    request_of(document)
    list(ready_addresses(document))
    configuration = configuration_of(document, "x", SERVICE.is_called_by)
    assert all(bundle == () for bundle in configuration.bundles)
    for one in entries_of(document):
        bundle_of(one)


def test_data_is_put_beside_what_else_is_in_the_secret() -> None:
    secret = {"metadata": {"name": "a"}, "data": {"x": base64.b64encode(b"1").decode()}}
    changed = with_data(secret, {"y": b"2"})
    assert secret_data(changed) == {"x": b"1", "y": b"2"}
    assert changed["metadata"] == secret["metadata"]
    assert secret_data(secret) == {"x": b"1"}
    assert secret_data(with_data({}, {"y": b"2"})) == {"y": b"2"}


@pytest.mark.parametrize(
    ("value", "forced"),
    [
        ("", False),
        ("2026-05-04T00:00:00Z", False),
        ("now", True),
        ("2026-05-04T00:00:00Z now", True),
    ],
)
def test_any_value_asks_and_the_word_now_forces(value: str, *, forced: bool) -> None:
    secret = {"metadata": {"annotations": {ROTATE: value, "other": "x"}}}
    assert request_of(secret) == Request(forced=forced)
    heeded = without_request(secret)
    assert request_of(heeded) is None
    assert heeded["metadata"]["annotations"] == {"other": "x"}
    assert request_of({"metadata": {}}) is None


def test_only_entries_that_call_the_service_are_read_and_written() -> None:
    url = {"name": "u", "clientConfig": {"url": "https://a.example/", "caBundle": "AAAA"}}
    document: Document = {
        "metadata": {"uid": "u", "generation": 3},
        "webhooks": [entry(), url, entry("elsewhere"), entry(caBundle="")],
    }
    configuration = configuration_of(document, "validating", SERVICE.is_called_by)
    assert (configuration.name, configuration.identity) == ("validating", "u/3")
    assert configuration.bundles == ((), ())
    changed = with_bundles(document, ((CA,), (CA,)), SERVICE.is_called_by)
    assert configuration_of(changed, "", SERVICE.is_called_by).bundles == ((CA,), (CA,))
    assert changed["webhooks"][1:3] == document["webhooks"][1:3]
    assert document["webhooks"][0] == entry()


def test_the_certificate_is_for_the_name_that_the_api_server_calls() -> None:
    assert SERVICE.hosts[0] == "nbgate.nbgate-system.svc"
    assert normalize_all(SERVICE.hosts) == SERVICE.hosts


def test_ready_replicas_are_those_with_an_address_at_the_port_for_calls() -> None:
    metrics, https = {"name": "metrics", "port": 1}, {"name": "https", "port": 8443}
    subsets = [
        {
            "addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
            "notReadyAddresses": [{"ip": "10.0.0.9"}],
            "ports": [metrics, https],
        },
        {"addresses": [{"ip": "10.0.0.2"}], "ports": [{"port": 443}]},
        {"addresses": [{"ip": "10.0.0.3"}], "ports": [metrics, {"port": 2}]},
        {"notReadyAddresses": [{"ip": "10.0.0.4"}], "ports": [https]},
    ]
    found = list(ready_addresses({"subsets": subsets}))
    assert found == [("10.0.0.1", 8443), ("fd00::1", 8443), ("10.0.0.2", 443)]
