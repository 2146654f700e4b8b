"""A changed certificate, policy or scan takes effect without a restart and without a failed request."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.authority import issue_authority, issue_leaf
from certs.directory import write
from certs.keypair import KeyPair
from tests.server.documents import policy, put, scan
from tests.server.running import RunningServer, recorded

SECONDS = (
    5  # within which a change must count, with a machine's load allowed for; it takes about one
)


def denied(server: RunningServer) -> str:
    """Why the recorded pod is denied now; empty when it is not."""
    response = server.review("validate", recorded("create-pods"))
    return "" if response["allowed"] else str(response["status"]["message"])


@pytest.fixture
def lenient(home: Path) -> Path:
    """A home whose policy patches nothing, so that validation looks at the image alone."""
    put(home / "policy.json", lenient_policy())
    return home


def lenient_policy(**spec: object) -> dict[str, object]:
    pod = {"pinDigest": False, "nbPrefix": False, "runAsUser": None, "home": None}
    return policy(pod=pod, **spec)


def flags(home: Path) -> tuple[str, ...]:
    return "--policy", str(home / "policy.json")


def test_a_scan_counts_when_its_file_comes_changes_and_goes(lenient: Path) -> None:
    with RunningServer(lenient, *flags(lenient)) as server:
        assert "[unscanned]" in denied(server)
        put(lenient / "scans/one.json", scan())
        server.eventually(lambda: not denied(server), SECONDS, "the scan to count")
        put(lenient / "scans/one.json", scan(failing=("uid-1000",)))
        server.eventually(lambda: "[uid-1000]" in denied(server), SECONDS, "the change")
        (lenient / "scans/one.json").unlink()
        server.eventually(lambda: "[unscanned]" in denied(server), SECONDS, "the removal")


def test_a_bad_scan_is_reported_and_hurts_no_other(lenient: Path) -> None:
    put(lenient / "scans/good.json", scan())
    with RunningServer(lenient, *flags(lenient)) as server:
        put(lenient / "scans/bad.json", '{"kind": "ImageScan"')
        server.eventually(
            lambda: any("bad.json" in line for line in server.log), SECONDS, "the report"
        )
        assert denied(server) == ""
        scans = condition(server, "Scans")
        assert scans["status"] == "True"
        assert "bad.json" in scans["message"]
        line = 'nbgate_unreadable_documents{kind="ImageScan"} 1.0'
        assert line in server.client.get("/metrics").text


def test_a_bad_policy_is_reported_and_the_last_good_one_stays(lenient: Path) -> None:
    put(lenient / "policy.json", lenient_policy(unscanned="Warn"))
    with RunningServer(lenient, *flags(lenient)) as server:
        assert denied(server) == ""
        put(lenient / "policy.json", lenient_policy(unscanned="Deny", nonsense=1))
        server.eventually(
            lambda: "spec.nonsense" in condition(server, "Policy")["message"], SECONDS, "the report"
        )
        assert condition(server, "Policy")["status"] == "True"
        assert denied(server) == ""
        put(lenient / "policy.json", lenient_policy(unscanned="Deny"))
        server.eventually(lambda: "[unscanned]" in denied(server), SECONDS, "the mended policy")


def test_a_policy_that_goes_leaves_the_last_one_in_force(lenient: Path) -> None:
    put(lenient / "policy.json", lenient_policy(unscanned="Warn"))
    with RunningServer(lenient, *flags(lenient)) as server:
        (lenient / "policy.json").unlink()
        server.eventually(
            lambda: "refused" in condition(server, "Policy")["message"], SECONDS, "the report"
        )
        assert denied(server) == ""


def condition(server: RunningServer, name: str) -> dict[str, str]:
    conditions: list[dict[str, str]] = server.client.get("/readyz").json()["conditions"]
    return next(c for c in conditions if c["type"] == name)


@pytest.fixture
def authority() -> KeyPair:
    return issue_authority("test CA", now=datetime.now(UTC), lifetime=timedelta(days=10))


def new_leaf(authority: KeyPair, days: int = 2) -> KeyPair:
    lifetime = timedelta(days=days)
    return issue_leaf(authority, hosts=["127.0.0.1"], now=datetime.now(UTC), lifetime=lifetime)


def serial_now(server: RunningServer) -> str:
    """The certificate that a new connection is shown."""
    pem = ssl.get_server_certificate(("127.0.0.1", server.port))
    return pem.strip()


def test_a_new_certificate_serves_new_connections_and_keeps_old_ones(
    home: Path, authority: KeyPair
) -> None:
    folder = home / "certs"
    write(folder, new_leaf(authority), authority=authority)
    with RunningServer(home, "--tls", str(folder)) as server:
        before = serial_now(server)
        assert server.client.get("/livez").status_code == 200
        second = new_leaf(authority)
        write(folder, second)
        server.eventually(
            lambda: serial_now(server) == second.certificate_pem.decode().strip(), SECONDS, "it"
        )
        assert serial_now(server) != before
        # the connection that was open all along
        assert server.client.get("/livez").status_code == 200


def test_no_handshake_fails_while_pairs_are_swapped_in_two_steps(
    home: Path, authority: KeyPair
) -> None:
    folder = home / "certs"
    write(folder, new_leaf(authority), authority=authority)
    failures: list[Exception] = []
    done = threading.Event()
    with RunningServer(home, "--tls", str(folder)) as server:

        def connect() -> None:
            while not done.is_set():
                try:
                    with server.new_client() as client:
                        assert client.get("/livez").status_code == 200
                except (httpx.HTTPError, AssertionError) as error:
                    failures.append(error)

        asking = threading.Thread(target=connect)
        asking.start()
        for _ in range(10):
            pair = new_leaf(authority)
            (folder / "tls.key").write_bytes(pair.key_pem)
            done.wait(0.7)  # longer than the watch's interval: it sees the half-swapped pair
            (folder / "tls.crt").write_bytes(pair.certificate_pem)
            done.wait(0.1)
        server.eventually(
            lambda: serial_now(server) == pair.certificate_pem.decode().strip(), SECONDS, "the last"
        )
        done.set()
        asking.join()
        assert failures == []
        assert any("tls.key" in line for line in server.log)


def test_a_corrupt_certificate_is_reported_and_the_good_one_serves_on(
    home: Path, authority: KeyPair
) -> None:
    folder = home / "certs"
    write(folder, new_leaf(authority), authority=authority)
    with RunningServer(home, "--tls", str(folder)) as server:
        (folder / "tls.crt").write_text("nonsense")
        server.eventually(
            lambda: "refused" in condition(server, "Certificate")["message"], SECONDS, "the report"
        )
        assert condition(server, "Certificate")["status"] == "True"
        assert server.fresh_get("/livez").status_code == 200


def client_leaf(authority: KeyPair) -> KeyPair:
    """A client's certificate, as an API server's is: issued by the CA, for client authentication."""
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    signer = serialization.load_pem_private_key(authority.key_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "apiserver")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return KeyPair(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM), key_pem=private
    )


def client_context(server: RunningServer, identity: KeyPair, home: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(server.authority))
    pem = home / "client.pem"
    pem.write_bytes(identity.certificate_pem + identity.key_pem)
    context.load_cert_chain(pem)
    return context


def test_with_a_client_ca_only_its_clients_are_decided_for(home: Path, authority: KeyPair) -> None:
    folder = home / "certs"
    write(folder, new_leaf(authority), authority=authority)
    clients = issue_authority("clients", now=datetime.now(UTC), lifetime=timedelta(days=10))
    (folder / "client-ca.crt").write_bytes(clients.certificate_pem)
    with RunningServer(home, "--tls", str(folder)) as server:
        anonymous = server.client.post("/validate", json=recorded("create-pods"))
        assert anonymous.status_code == 401
        assert "client certificate" in anonymous.json()["message"]
        # probes and scrapes bring no certificate
        assert server.client.get("/readyz").status_code == 200
        assert server.client.get("/metrics").status_code == 200
        known = client_context(server, client_leaf(clients), home)
        with server.new_client(known) as client:
            assert client.post("/validate", json=recorded("create-pods")).status_code == 200
        # a Secret written anew without the client CA opens no door
        (folder / "client-ca.crt").unlink()
        server.eventually(
            lambda: "client-ca.crt" in condition(server, "Certificate")["message"], SECONDS, "it"
        )
        assert server.client.post("/validate", json=recorded("create-pods")).status_code == 401
        write(folder, new_leaf(authority))
        with server.new_client(known) as client:
            assert client.post("/validate", json=recorded("create-pods")).status_code == 200
        stranger = client_context(server, client_leaf(authority), home)
        with server.new_client(stranger) as client, pytest.raises(httpx.TransportError):
            client.post("/validate", json=recorded("create-pods"))


def test_its_own_certificate_is_renewed_while_it_runs(home: Path) -> None:
    now, folder = datetime.now(UTC), home / "certs"
    held = issue_authority("ours", now=now - timedelta(days=100), lifetime=timedelta(days=3650))
    hosts = ["localhost", "127.0.0.1", "::1"]
    fresh = issue_leaf(held, hosts=hosts, now=now, lifetime=timedelta(days=90))
    aged = issue_leaf(held, hosts=hosts, now=now - timedelta(days=80), lifetime=timedelta(days=90))
    write(folder, fresh, authority=held)
    with RunningServer(home) as server:
        assert serial_now(server) == fresh.certificate_pem.decode().strip()
        write(folder, aged)
        known = {pair.certificate_pem.decode().strip() for pair in (fresh, aged)}
        server.eventually(lambda: serial_now(server) not in known, SECONDS, "a renewed leaf")
        # by the same CA: clients need nothing new
        assert server.fresh_get("/livez").status_code == 200
