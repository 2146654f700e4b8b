"""Each fault alone, and all of them at once."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from certs.authority import issue_authority, issue_leaf
from certs.certificate import Certificate, describe
from certs.checks import FaultKind, faults, issued_by
from certs.errors import MalformedKeyError
from certs.keypair import new_key
from certs.lifetime import renewal_due

NOW = datetime(2026, 5, 4, tzinfo=UTC)
PAIR = issue_authority("test CA", now=NOW, lifetime=timedelta(days=365))
LEAF_PAIR = issue_leaf(PAIR, hosts=["localhost", "*.a.svc"], now=NOW, lifetime=timedelta(days=90))
(AUTHORITY,) = describe(PAIR.certificate_pem)
(LEAF,) = describe(LEAF_PAIR.certificate_pem)
(STRANGER,) = describe(
    issue_authority("test CA", now=NOW, lifetime=timedelta(days=1)).certificate_pem
)


def client_certificate() -> Certificate:
    """A certificate for clients only, without subjectAltName, from before NOW."""
    key = new_key()
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([]),
        subject_name=x509.Name([]),
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=NOW - timedelta(days=2),
        not_valid_after=NOW - timedelta(days=1),
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return describe(pem)[0]


def test_a_good_leaf_has_no_fault() -> None:
    hosts = ["LOCALHOST", "b.a.svc"]
    found = faults(
        LEAF, now=NOW, key_pem=LEAF_PAIR.key_pem, authorities=[STRANGER, AUTHORITY], hosts=hosts
    )
    assert found == ()


@pytest.mark.parametrize(
    ("at", "kinds"),
    [
        (LEAF.not_before - timedelta(microseconds=1), [FaultKind.NOT_YET_VALID]),
        (LEAF.not_before, []),
        (LEAF.not_after, []),
        (LEAF.not_after + timedelta(microseconds=1), [FaultKind.EXPIRED]),
    ],
)
def test_both_ends_of_the_validity_belong_to_it(at: datetime, kinds: list[FaultKind]) -> None:
    assert [fault.kind for fault in faults(LEAF, now=at)] == kinds


def test_the_key_must_be_the_certificates() -> None:
    (fault,) = faults(LEAF, now=NOW, key_pem=PAIR.key_pem)
    assert fault.kind is FaultKind.KEY_MISMATCH


def test_an_authority_of_the_same_name_is_not_the_issuer() -> None:
    (fault,) = faults(LEAF, now=NOW, authorities=[STRANGER])
    assert fault.kind is FaultKind.NOT_ISSUED_BY_CA


def test_a_signature_by_what_is_no_authority_counts_for_nothing() -> None:
    itself = client_certificate()
    assert issued_by(LEAF, AUTHORITY)
    assert not issued_by(itself, itself)


def test_each_uncovered_host_is_a_fault() -> None:
    found = faults(LEAF, now=NOW, hosts=["localhost", "a.svc", "127.0.0.1"])
    assert [fault.what for fault in found] == ["does not cover a.svc", "does not cover 127.0.0.1"]


def test_all_faults_come_at_once_in_a_fixed_order_each_with_its_cure() -> None:
    found = faults(
        client_certificate(), now=NOW, key_pem=PAIR.key_pem, authorities=[AUTHORITY], hosts=["h"]
    )
    assert [fault.kind for fault in found] == [
        FaultKind.EXPIRED,
        FaultKind.KEY_MISMATCH,
        FaultKind.NOT_ISSUED_BY_CA,
        FaultKind.NO_HOSTS,
        FaultKind.NOT_FOR_SERVERS,
        FaultKind.HOST_NOT_COVERED,
    ]
    assert all(str(fault) == f"{fault.what}; {fault.cure}" and fault.cure for fault in found)


def test_a_key_that_cannot_be_read_is_an_error_and_not_a_fault() -> None:
    with pytest.raises(MalformedKeyError):
        faults(LEAF, now=NOW, key_pem=b"no key")


def test_renewal_is_due_from_two_thirds_of_the_life_on() -> None:
    due = LEAF.not_before + (LEAF.not_after - LEAF.not_before) * 2 / 3
    assert not renewal_due(LEAF, due - timedelta(microseconds=1))
    assert renewal_due(LEAF, due)
