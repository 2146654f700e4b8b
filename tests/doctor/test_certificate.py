"""What replicas serve, seen by real handshakes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.certificate import describe
from certs.directory import write
from certs.keypair import KeyPair
from tests.doctor.papercluster import PaperCluster
from tests.doctor.replica import answering
from webhook.doctor.certificate import judge
from webhook.doctor.finding import Finding
from webhook.doctor.place import Place
from webhook.doctor.served import Replica, Served, look_at, readiness
from webhook.kubeerrors import KubeError

HOST = "nbgate.nbgate-system.svc"
NOW = datetime.now(UTC)
POD = "nbgate-webhook-0"


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return issue_authority("old", now=NOW, lifetime=timedelta(days=400))


@pytest.fixture(scope="module")
def other() -> KeyPair:
    return issue_authority("new", now=NOW, lifetime=timedelta(days=400))


Serving = Callable[[str, int], Served]


@pytest.fixture
def seen(tmp_path: Path, authority: KeyPair, other: KeyPair) -> Serving:
    """Serve a certificate of `authority` for a host; see it by its CA, another, and both."""
    bundles = [authority.certificate_pem, other.certificate_pem, both(authority, other)]

    def look(host: str, days: int) -> Served:
        leaf = issue_leaf(authority, hosts=[host], now=NOW, lifetime=timedelta(days=days))
        write(tmp_path, leaf, authority=authority)
        with answering(tmp_path, authority.certificate_pem) as found:
            return look_at(replica(found.webhook), HOST, bundles)

    return look


def both(one: KeyPair, other: KeyPair) -> bytes:
    return one.certificate_pem + other.certificate_pem


def replica(address: tuple[str, int]) -> Replica:
    cluster = PaperCluster(documents=[], addresses={(POD, 8443): address})
    return Replica(kube=cluster, namespace="nbgate-system", pod=POD, port=8443)


def judged(served: Served, bundle: bytes, now: datetime = NOW) -> list[Finding]:
    return [*judge([served], {"kind/nbgate pods.nbgate.dev": bundle}, now, Place())]


def test_the_ca_that_issued_it_is_enough_also_beside_another(
    seen: Serving, authority: KeyPair, other: KeyPair
) -> None:
    served = seen(HOST, 90)
    assert [f.result for f in judged(served, authority.certificate_pem)] == ["ok"]
    assert [f.result for f in judged(served, both(authority, other))] == ["ok"]


def test_another_ca_is_not(seen: Serving, other: KeyPair) -> None:
    (one,) = judged(seen(HOST, 90), other.certificate_pem)
    assert one.result == "wrong"
    assert "the caBundle of pods.nbgate.dev does not trust what it serves" in one.what


def test_a_certificate_for_another_host_is_not_trusted(seen: Serving, authority: KeyPair) -> None:
    (one,) = judged(seen("elsewhere.svc", 90), authority.certificate_pem)
    assert one.result == "wrong"
    assert HOST in one.what


@pytest.mark.parametrize(
    ("days", "after", "results"),
    [
        (90, 59, ["ok"]),
        (90, 69, ["warning"]),
        (90, 91, ["wrong"]),
        (300, 269, ["ok"]),
        (300, 271, ["warning"]),
    ],
    ids=["fresh", "90 days, overdue", "expired", "300 days, a month left", "300 days, less"],
)
def test_its_end_is_told_of_when_nobody_renewed_it(
    seen: Serving, authority: KeyPair, days: int, after: int, results: list[str]
) -> None:
    findings = judged(seen(HOST, days), authority.certificate_pem, NOW + timedelta(days=after))
    assert [f.result for f in findings] == results


def test_a_server_without_tls_is_told_of(tmp_path: Path, authority: KeyPair) -> None:
    leaf = issue_leaf(authority, hosts=[HOST], now=NOW, lifetime=timedelta(days=9))
    write(tmp_path, leaf, authority=authority)
    with answering(tmp_path, authority.certificate_pem) as found:
        served = look_at(replica(found.controller), HOST, [])
        with pytest.raises(KubeError, match=f"{POD} does not answer on port 8443"):
            readiness(replica(found.controller), tls=True)
    assert served.leaf is None
    assert "no TLS handshake on port 8443" in served.problem


def test_several_entries_with_one_fault_are_one_finding(authority: KeyPair) -> None:
    bundle = authority.certificate_pem
    leaf = replace(describe(bundle)[0], not_after=NOW + timedelta(days=90))
    served = Served(pod=POD, leaf=leaf, refused={bundle: "unable to get local issuer certificate"})
    (one,) = judge([served], {"k/nbgate a": bundle, "k/nbgate b": bundle}, NOW, Place())
    assert "caBundle of a, b does not" in one.what
