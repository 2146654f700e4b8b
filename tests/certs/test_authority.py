"""What is issued: its form, its times, and what is refused."""

import ipaddress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority, issue_leaf
from certs.certificate import Certificate, describe, parsed
from certs.checks import issued_by
from certs.errors import (
    CommonNameError,
    HostError,
    LifetimeError,
    MalformedKeyError,
    UnusableCertificateError,
)
from certs.keypair import KeyPair, key_to_pem
from certs.lifetime import BACKDATED, SHORTEST, renewal_due

NOW = datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC)
YEAR = timedelta(days=365)
MONTH = timedelta(days=30)

CLOCKS = st.datetimes(
    min_value=datetime(1950, 1, 2),  # noqa: DTZ001  the strategy adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))]),
)
LIFETIMES = st.timedeltas(min_value=SHORTEST, max_value=timedelta(days=36500))


def leaf_of(authority: KeyPair, *hosts: str, now: datetime = NOW) -> KeyPair:
    return issue_leaf(authority, hosts=hosts or ("localhost",), now=now, lifetime=MONTH)


def read(pair: KeyPair) -> Certificate:
    return describe(pair.certificate_pem)[0]


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    return issue_authority("test CA", now=NOW, lifetime=YEAR)


@settings(max_examples=60, deadline=None)
@given(CLOCKS, LIFETIMES, LIFETIMES, st.floats(0, 1))
def test_a_leaf_never_outlives_its_authority_nor_begins_before_it(
    now: datetime, authority_life: timedelta, leaf_life: timedelta, elapsed: float
) -> None:
    pair = issue_authority("CA", now=now, lifetime=authority_life)
    issuer = read(pair)
    later = min(now + authority_life * elapsed, issuer.not_after)
    leaf = read(issue_leaf(pair, hosts=["localhost"], now=later, lifetime=leaf_life))
    assert issuer.not_before <= leaf.not_before <= later <= leaf.not_after <= issuer.not_after
    assert leaf.not_after <= later + leaf_life
    assert issued_by(leaf, issuer)


@settings(max_examples=60, deadline=None)
@given(CLOCKS, LIFETIMES)
def test_what_is_issued_holds_now_for_a_slow_clock_too_and_is_not_due(
    now: datetime, lifetime: timedelta
) -> None:
    issued = read(issue_authority("CA", now=now, lifetime=lifetime))
    assert timedelta() <= now - BACKDATED - issued.not_before < timedelta(seconds=1) or (
        issued.not_before == datetime(1950, 1, 1, tzinfo=UTC)
    )
    assert now + lifetime - issued.not_after < timedelta(seconds=2)
    assert not renewal_due(issued, now)


def test_a_leaf_of_a_clock_that_went_back_a_little_begins_with_its_authority(
    authority: KeyPair,
) -> None:
    issuer = read(authority)
    assert read(leaf_of(authority, now=NOW - BACKDATED / 2)).not_before == issuer.not_before


def test_serial_numbers_are_positive_random_and_at_most_128_bits(authority: KeyPair) -> None:
    serials = [int(read(leaf_of(authority)).serial, 16) for _ in range(64)]
    assert all(0 < serial < 2**128 for serial in serials)  # RFC 5280 allows 159 bits
    assert len(set(serials)) == len(serials)
    assert max(serials).bit_length() > 120


def test_an_authority_may_sign_leaves_and_nothing_else(authority: KeyPair) -> None:
    certificate = parsed(read(authority))
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    assert certificate.version is x509.Version.v3
    certificate.verify_directly_issued_by(certificate)


def test_a_leaf_is_a_server_certificate_of_its_authority(authority: KeyPair) -> None:
    certificate = parsed(read(leaf_of(authority, "b.example", "A.example", "10.0.0.1", "::1")))
    extensions = certificate.extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert not names.critical
    assert list(names.value) == [
        x509.DNSName("b.example"),
        x509.DNSName("a.example"),
        x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    assert constraints.critical
    assert not constraints.value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    issuer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    above = parsed(read(authority)).extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert issuer.key_identifier == above.value.digest
    own = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert own.digest != issuer.key_identifier
    assert certificate.version is x509.Version.v3
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    hash_algorithm = certificate.signature_hash_algorithm
    assert hash_algorithm is not None
    assert hash_algorithm.name == "sha256"


def test_a_host_too_long_for_a_common_name_leaves_the_subject_empty_and_the_names_critical(
    authority: KeyPair,
) -> None:
    host = f"{'s' * 63}.{'n' * 63}.svc"
    certificate = parsed(read(leaf_of(authority, host)))
    assert not list(certificate.subject)
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_every_leaf_has_its_own_key(authority: KeyPair) -> None:
    assert leaf_of(authority).key_pem != leaf_of(authority).key_pem


def test_a_renewed_authority_and_the_old_one_verify_the_same_leaves(authority: KeyPair) -> None:
    later = NOW + MONTH
    renewed = issue_authority("test CA", now=later, lifetime=YEAR, key_pem=authority.key_pem)
    old_leaf, new_leaf = read(leaf_of(authority)), read(leaf_of(renewed, now=later))
    for issuer in (read(authority), read(renewed)):
        assert issued_by(old_leaf, issuer)
        assert issued_by(new_leaf, issuer)
    stranger = read(issue_authority("test CA", now=NOW, lifetime=YEAR))
    assert not issued_by(old_leaf, stranger)


def test_a_key_never_shows(authority: KeyPair) -> None:
    secret = authority.key_pem.decode().splitlines()[1]
    assert secret not in repr(authority)
    assert "key_pem" not in repr(authority)
    assert secret not in f"{authority}"


def test_an_authority_from_elsewhere_issues_leaves_too() -> None:
    """RSA, and without an identifier of its key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + YEAR)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    elsewhere = KeyPair(certificate_pem=pem, key_pem=key_to_pem(key))
    assert issued_by(read(leaf_of(elsewhere)), read(elsewhere))


def test_a_leaf_cannot_be_issued_by_a_leaf(authority: KeyPair) -> None:
    with pytest.raises(UnusableCertificateError, match="no CA"):
        leaf_of(leaf_of(authority))


def test_a_leaf_cannot_be_issued_with_another_authoritys_key(authority: KeyPair) -> None:
    other = issue_authority("test CA", now=NOW, lifetime=YEAR)
    mixed = KeyPair(certificate_pem=authority.certificate_pem, key_pem=other.key_pem)
    with pytest.raises(UnusableCertificateError, match="belong together"):
        leaf_of(mixed)


def test_a_key_that_cannot_sign_certificates_here_is_refused(authority: KeyPair) -> None:
    odd = key_to_pem(ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(MalformedKeyError, match="ECDSA P-256"):
        leaf_of(KeyPair(certificate_pem=authority.certificate_pem, key_pem=odd))


@pytest.mark.parametrize("away", [-2 * BACKDATED, YEAR + timedelta(seconds=1)])
def test_an_authority_that_does_not_hold_now_issues_nothing(
    authority: KeyPair, away: timedelta
) -> None:
    with pytest.raises(LifetimeError, match="issue a new CA"):
        leaf_of(authority, now=NOW + away)


@pytest.mark.parametrize(
    ("now", "lifetime", "cure"),
    [
        (NOW, timedelta(), "too short"),
        (NOW, timedelta(days=-1), "too short"),
        (NOW, timedelta.max, "shorter lifetime"),
        (datetime.max.replace(tzinfo=UTC), YEAR, "shorter lifetime"),
        (datetime.min.replace(tzinfo=UTC), YEAR, "set the clock right"),
        (datetime(1949, 1, 1, tzinfo=UTC), YEAR, "set the clock right"),
        (NOW.replace(tzinfo=None), YEAR, "aware"),
    ],
)
def test_times_that_no_certificate_can_carry_are_refused(
    now: datetime, lifetime: timedelta, cure: str
) -> None:
    with pytest.raises(LifetimeError, match=cure):
        issue_authority("CA", now=now, lifetime=lifetime)


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "\x1b[31m"])
def test_a_common_name_that_rfc_5280_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(CommonNameError, match="printable"):
        issue_authority(name, now=NOW, lifetime=YEAR)


def test_a_common_name_stands_as_given() -> None:
    name = 'Ünï, "quoted"+=<>;#\\ CA'
    certificate = parsed(read(issue_authority(name, now=NOW, lifetime=YEAR)))
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == name


def test_a_host_that_is_none_is_refused(authority: KeyPair) -> None:
    with pytest.raises(HostError, match="https"):
        leaf_of(authority, "localhost", "https://localhost")
