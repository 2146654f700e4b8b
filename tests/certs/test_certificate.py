"""What is read from PEM, and that nothing but our own error comes of what cannot be read."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority, issue_leaf
from certs.certificate import describe
from certs.errors import MalformedCertificateError, MalformedKeyError
from certs.keypair import read_key

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
AUTHORITY = issue_authority("test CA", now=NOW, lifetime=timedelta(days=365))
LEAF = issue_leaf(
    AUTHORITY, hosts=["::1", "localhost", "*.a.svc"], now=NOW, lifetime=timedelta(days=30)
)
(DESCRIBED,) = describe(LEAF.certificate_pem)


def armor(label: str, der: bytes) -> bytes:
    body = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()


def rsa_certificate(subject: str) -> bytes:
    """A certificate from elsewhere: RSA, no extensions at all."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=0xABC,
        not_valid_before=NOW,
        not_valid_after=NOW + timedelta(days=1),
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_leaf_is_described_in_full() -> None:
    assert DESCRIBED.subject == "CN=::1,O=nbgate"
    assert DESCRIBED.issuer == "CN=test CA"
    assert DESCRIBED.hosts == ("localhost", "*.a.svc", "::1")
    assert DESCRIBED.not_before == NOW - timedelta(minutes=5)
    assert DESCRIBED.not_after == NOW + timedelta(days=30)
    assert DESCRIBED.not_after.tzinfo is UTC
    assert DESCRIBED.fingerprint == hashlib.sha256(DESCRIBED.der).hexdigest()
    assert int(DESCRIBED.serial, 16) > 0
    assert not DESCRIBED.is_ca
    assert DESCRIBED.for_servers
    assert DESCRIBED.key_algorithm == "ECDSA P-256"


def test_a_certificate_without_extensions_is_described_too() -> None:
    (found,) = describe(rsa_certificate("plain"))
    assert (found.hosts, found.is_ca, found.for_servers) == ((), False, True)
    assert (found.key_algorithm, found.serial) == ("RSA 2048", "abc")


def test_an_unusual_key_is_named_by_its_algorithm() -> None:
    key, name = ed25519.Ed25519PrivateKey.generate(), x509.Name([])
    later = NOW + timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, later)
    pem = builder.sign(key, None).public_bytes(serialization.Encoding.PEM)
    assert describe(pem)[0].key_algorithm == "Ed25519"


def test_a_chain_is_read_in_its_order_and_other_text_is_skipped() -> None:
    text = b"# a comment \xff\n" + LEAF.certificate_pem + LEAF.key_pem + AUTHORITY.certificate_pem
    assert [found.is_ca for found in describe(text)] == [False, True]


@pytest.mark.parametrize("kept", [30, 200, 500])
def test_a_chain_of_which_one_certificate_is_cut_off_is_not_half_read(kept: int) -> None:
    cut = LEAF.certificate_pem + AUTHORITY.certificate_pem[:kept]
    with pytest.raises(MalformedCertificateError, match="2 certificates begin"):
        describe(cut)


def test_control_characters_of_a_subject_never_reach_a_terminal() -> None:
    (found,) = describe(rsa_certificate("\x1b[31mred\n\u202etext"))
    assert found.subject.isprintable()
    assert found.subject == "CN=\\u001b[31mred\\u000a\\u202etext"


@pytest.mark.parametrize("pem", [b"", b"\n", LEAF.key_pem, armor("CERTIFICATE", b""), b"\xff" * 99])
def test_what_holds_no_certificate_is_refused_by_name(pem: bytes) -> None:
    with pytest.raises(MalformedCertificateError, match=r"^/x/tls\.crt: .*; "):
        describe(pem, source="/x/tls.crt")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_corrupt_certificate_gives_our_error_or_a_whole_value(data: st.DataObject) -> None:
    der = bytearray(DESCRIBED.der)
    for _ in range(data.draw(st.integers(1, 3))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    try:
        (found,) = describe(armor("CERTIFICATE", bytes(der)))
    except MalformedCertificateError:
        return
    assert (found.subject + found.issuer + "".join(found.hosts)).isprintable()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 700), st.sampled_from([LEAF.certificate_pem, b""]))
def test_bytes_of_any_kind_give_our_error_or_certificates(
    junk: bytes, at: int, around: bytes
) -> None:
    try:
        assert describe(around[:at] + junk + around[at:])
    except MalformedCertificateError:
        return


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_corrupt_key_gives_our_error_or_a_key(data: st.DataObject) -> None:
    text = bytearray(LEAF.key_pem)
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_key(bytes(text))
    except MalformedKeyError as error:
        assert LEAF.key_pem.decode().splitlines()[1] not in str(error)  # noqa: PT017  a flipped comment is still a key


def test_an_encrypted_key_is_refused_before_openssl_can_ask_for_its_password() -> None:
    locked = read_key(LEAF.key_pem).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    with pytest.raises(MalformedKeyError, match="without a password"):
        read_key(locked)
