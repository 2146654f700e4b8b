"""Real handshakes on loopback: who trusts what was issued, for which hosts, in which versions."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from certs.authority import issue_authority, issue_leaf, signing_key
from certs.context import server_context
from certs.directory import load, write
from certs.errors import UnusableCertificateError
from certs.keypair import KeyPair, key_to_pem
from certs.selfsigned import ensure

NOW = datetime.now(UTC)
YEAR = timedelta(days=365)
MONTH = timedelta(days=30)
AUTHORITY = issue_authority("test CA", now=NOW, lifetime=YEAR)
HOSTS = ["nbgate.kubeflow.svc", "*.wild.example", "127.0.0.1", "::1"]
LEAF = issue_leaf(AUTHORITY, hosts=HOSTS, now=NOW, lifetime=MONTH)


def server(
    directory: Path, pair: KeyPair = LEAF, *, client_ca: KeyPair | None = None
) -> ssl.SSLContext:
    write(directory, pair)
    if client_ca is not None:
        (directory / "client-ca.crt").write_bytes(client_ca.certificate_pem)
    return server_context(load(directory, now=NOW))


def client(*trusted: KeyPair) -> ssl.SSLContext:
    """A client as strict as OpenSSL can be (RFC 5280 to the letter)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for pair in trusted:
        context.load_verify_locations(cadata=pair.certificate_pem.decode())
    return context


def handshake(serving: ssl.SSLContext, connecting: ssl.SSLContext, host: str) -> str | None:
    """Connect over loopback; return the TLS version once a byte came through."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        answering = threading.Thread(target=_answer, args=(listener, serving))
        answering.start()
        try:
            with (
                socket.create_connection(listener.getsockname(), timeout=5) as plain,
                connecting.wrap_socket(plain, server_hostname=host) as tls,
            ):
                # A server that refuses a TLS 1.3 client's certificate says so only now.
                assert tls.recv(1) == b"!"
                return tls.version()
        finally:
            answering.join()


def _answer(listener: socket.socket, serving: ssl.SSLContext) -> None:
    connection, _ = listener.accept()
    connection.settimeout(5)
    with connection:
        try:
            with serving.wrap_socket(connection, server_side=True) as tls:
                tls.sendall(b"!")
        except OSError:
            return  # the client's side is what the tests judge


def client_pair(authority: KeyPair) -> KeyPair:
    """A certificate for a client: what an API server shows in mutual TLS."""
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    issuer_key = signing_key(authority.key_pem)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    builder = x509.CertificateBuilder(
        issuer_name=issuer.subject,
        subject_name=x509.Name([]),
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=NOW - timedelta(hours=1),
        not_valid_after=NOW + timedelta(hours=1),
    )
    pem = builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    return KeyPair(certificate_pem=pem, key_pem=key_to_pem(key))


@pytest.mark.parametrize("host", ["nbgate.kubeflow.svc", "a.wild.example", "127.0.0.1", "::1"])
def test_a_client_of_the_authority_accepts_the_leaf_for_its_hosts(
    tmp_path: Path, host: str
) -> None:
    assert handshake(server(tmp_path), client(AUTHORITY), host) == "TLSv1.3"


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "kubeflow.svc",
        "x.nbgate.kubeflow.svc",
        "wild.example",
        "a.b.wild.example",
        "127.0.0.2",
        "::2",
    ],
)
def test_no_client_accepts_the_leaf_for_another_host(tmp_path: Path, host: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        handshake(server(tmp_path), client(AUTHORITY), host)


def test_a_client_of_another_authority_of_the_same_name_refuses_the_leaf(tmp_path: Path) -> None:
    other = issue_authority("test CA", now=NOW, lifetime=YEAR)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server(tmp_path), client(other), "127.0.0.1")


def test_a_client_that_trusts_old_and_new_authority_accepts_leaves_of_both(tmp_path: Path) -> None:
    new = issue_authority("test CA", now=NOW, lifetime=YEAR)
    new_leaf = issue_leaf(new, hosts=["127.0.0.1"], now=NOW, lifetime=MONTH)
    trusting = client(AUTHORITY, new)
    assert handshake(server(tmp_path / "old"), trusting, "127.0.0.1")
    assert handshake(server(tmp_path / "new", new_leaf), trusting, "127.0.0.1")


def test_a_client_of_the_authority_as_it_was_accepts_a_leaf_of_the_renewed_one(
    tmp_path: Path,
) -> None:
    renewed = issue_authority("test CA", now=NOW, lifetime=YEAR, key_pem=AUTHORITY.key_pem)
    leaf = issue_leaf(renewed, hosts=["127.0.0.1"], now=NOW, lifetime=MONTH)
    assert handshake(server(tmp_path / "new", leaf), client(AUTHORITY), "127.0.0.1")
    assert handshake(server(tmp_path / "old"), client(renewed), "127.0.0.1")


@pytest.mark.parametrize("host", [f"{'s' * 63}.{'n' * 63}.svc", "test-ca"])
def test_an_unusual_name_makes_no_difference(tmp_path: Path, host: str) -> None:
    """A name too long for a subject, and one that is the authority's own."""
    authority = issue_authority("test-ca", now=NOW, lifetime=YEAR)
    leaf = issue_leaf(authority, hosts=[host], now=NOW, lifetime=MONTH)
    assert handshake(server(tmp_path, leaf), client(authority), host)


def test_an_expired_leaf_is_refused_by_a_client(tmp_path: Path) -> None:
    """The control for every handshake above: times count."""
    past = NOW - 2 * MONTH
    authority = issue_authority("test CA", now=past, lifetime=YEAR)
    write(tmp_path, issue_leaf(authority, hosts=["127.0.0.1"], now=past, lifetime=MONTH))
    serving = server_context(load(tmp_path, now=past))
    with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
        handshake(serving, client(authority), "127.0.0.1")


@pytest.mark.parametrize(
    ("version", "accepted"),
    [
        (ssl.TLSVersion.TLSv1_1, False),
        (ssl.TLSVersion.TLSv1_2, True),
        (ssl.TLSVersion.TLSv1_3, True),
    ],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
def test_tls_1_2_is_the_oldest_version(
    tmp_path: Path, version: ssl.TLSVersion, *, accepted: bool
) -> None:
    serving, connecting = server(tmp_path), client(AUTHORITY)
    for context in (serving, connecting):
        context.set_ciphers("ALL:@SECLEVEL=0")  # else OpenSSL's own level refuses 1.1 first
    connecting.minimum_version = connecting.maximum_version = version
    if accepted:
        assert handshake(serving, connecting, "127.0.0.1")
        return
    with pytest.raises(ssl.SSLError):
        handshake(serving, connecting, "127.0.0.1")
    serving.minimum_version = version  # the control: nothing else stood in the way
    assert handshake(serving, connecting, "127.0.0.1") == "TLSv1.1"


def test_with_client_authorities_only_their_clients_connect(tmp_path: Path) -> None:
    client_ca = issue_authority("client CA", now=NOW, lifetime=YEAR)
    serving = server(tmp_path / "server", client_ca=client_ca)
    for name, authority, accepted in (("good", client_ca, True), ("bad", AUTHORITY, False)):
        connecting = client(AUTHORITY)
        pair = client_pair(authority)
        path = tmp_path / name
        path.write_bytes(pair.certificate_pem + pair.key_pem)
        connecting.load_cert_chain(path)
        if accepted:
            assert handshake(serving, connecting, "127.0.0.1")
        else:
            with pytest.raises(OSError, match=r"unknown ca|reset|closed|EOF"):
                handshake(serving, connecting, "127.0.0.1")
    with pytest.raises(OSError, match=r"certificate required|reset|closed|EOF"):
        handshake(serving, client(AUTHORITY), "127.0.0.1")


def test_a_context_serves_the_bytes_that_were_checked_whatever_the_files_became(
    tmp_path: Path,
) -> None:
    write(tmp_path, LEAF)
    loaded = load(tmp_path, now=NOW)
    (tmp_path / "tls.crt").write_bytes(b"half a certif")
    (tmp_path / "tls.key").unlink()
    assert handshake(server_context(loaded), client(AUTHORITY), "127.0.0.1")


def test_a_pair_that_openssl_refuses_is_our_error(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    builder = x509.CertificateBuilder(
        issuer_name=x509.Name([]),
        subject_name=x509.Name([]),
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=NOW,
        not_valid_after=NOW + MONTH,
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(UnusableCertificateError, match=r"tls\.crt: OpenSSL does not take it .*; "):
        server(tmp_path, KeyPair(certificate_pem=pem, key_pem=key_to_pem(key)))


def test_a_directory_of_our_own_issue_serves_those_who_trust_its_authority(tmp_path: Path) -> None:
    ensure(tmp_path, ["localhost", "127.0.0.1", "::1"], now=NOW)
    trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    for host in ("localhost", "127.0.0.1", "::1"):
        assert handshake(server_context(load(tmp_path, now=NOW)), trusting, host)
