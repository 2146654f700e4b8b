"""TLS that is old, renegotiated or broken off, and certificates that expire or do not fit their keys."""

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from certs.authority import issue_authority, issue_leaf
from certs.directory import write
from certs.keypair import KeyPair
from certs.lifetime import SHORTEST
from tests.images.machine import unavailable
from tests.server.load import under_load
from tests.server.running import RunningServer

SECONDS = 10
ANYBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ANYBODY.check_hostname = False
ANYBODY.verify_mode = ssl.CERT_NONE
LEFT = timedelta(seconds=4)  # of the life of a certificate that expires under the server


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    now = datetime.now(UTC) - timedelta(days=1)
    return issue_authority("test CA", now=now, lifetime=timedelta(days=10))


def new_leaf(authority: KeyPair, *, left: timedelta = timedelta(days=2)) -> KeyPair:
    """A leaf with so much of its life left."""
    now = datetime.now(UTC) + left - SHORTEST if left < SHORTEST else datetime.now(UTC)
    return issue_leaf(
        authority, hosts=["127.0.0.1", "localhost"], now=now, lifetime=max(left, SHORTEST)
    )


@pytest.fixture(scope="module")
def server(authority: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One that serves what stands in a folder."""
    home = tmp_path_factory.mktemp("home")
    write(home / "certs", new_leaf(authority), authority=authority)
    with RunningServer(home, "--tls", str(home / "certs")) as running:
        yield running


def condition(server: RunningServer) -> tuple[str, str]:
    """What /readyz says of the certificate, to a client that does not verify it."""
    with server.new_client(ANYBODY) as client:
        conditions = client.get("/readyz").json()["conditions"]
    [found] = [c for c in conditions if c["type"] == "Certificate"]
    return found["status"], found["message"]


# -- the protocol ----------------------------------------------------------------------------------


def s_client(server: RunningServer, *options: str, given: bytes = b"") -> tuple[int, str]:
    """Speak TLS as Python's own library cannot: by OpenSSL's."""
    program = shutil.which("openssl")
    if program is None:
        unavailable("no openssl here to renegotiate with")
    connect = ["s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile", str(server.authority)]
    ran = subprocess.run(
        [program, *connect, *options], input=given, capture_output=True, check=False, timeout=20
    )
    return ran.returncode, (ran.stdout + ran.stderr).decode(errors="replace")


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(server: RunningServer, version: str) -> None:
    code, said = s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0
    assert "Cipher is (NONE)" in said


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_new_versions_are_spoken(server: RunningServer, version: str) -> None:
    """The negative control of the one above."""
    assert s_client(server, version, "-verify_return_error")[0] == 0


def test_a_client_cannot_renegotiate(server: RunningServer) -> None:
    """Each would cost the server ten times what it costs the client."""
    _, said = s_client(server, "-tls1_2", given=b"R\nGET /livez HTTP/1.0\n\n")
    assert "RENEGOTIATING" in said
    assert "no renegotiation" in said


def test_anonymous_and_null_ciphers_are_refused(server: RunningServer) -> None:
    code, said = s_client(server, "-tls1_2", "-cipher", "aNULL:eNULL:@SECLEVEL=0")
    assert code != 0
    assert "Cipher is (NONE)" in said


# -- certificates ----------------------------------------------------------------------------------


def certificate_now(server: RunningServer) -> bytes:
    return ssl.get_server_certificate(("127.0.0.1", server.port)).strip().encode()


@pytest.mark.parametrize("first", ["tls.key", "tls.crt"])
def test_a_pair_that_is_swapped_in_two_steps_fails_no_request_in_whichever_order(
    server: RunningServer, authority: KeyPair, first: str
) -> None:
    """In between they do not fit: that is told, a new worker would serve the last good pair, and so do handshakes."""
    folder, pair = server.home / "certs", new_leaf(authority)
    files = {"tls.key": pair.key_pem, "tls.crt": pair.certificate_pem}
    old = certificate_now(server)
    with under_load(server, clients=1, name=f"swap-{first}") as load:
        (folder / first).write_bytes(files.pop(first))
        server.eventually(lambda: "not the certificate's" in condition(server)[1], SECONDS, "it")
        assert condition(server)[0] == "True"
        assert certificate_now(server) == old
        assert server.fresh_get("/livez").status_code == 200
        for name, content in files.items():
            (folder / name).write_bytes(content)
        server.eventually(
            lambda: certificate_now(server) == pair.certificate_pem.strip(), SECONDS, "the new one"
        )
        load.await_more()
    assert load.failures == []
    assert "refused" not in condition(server)[1]


def test_a_certificate_that_expires_makes_it_not_ready_until_there_is_another(
    server: RunningServer, authority: KeyPair
) -> None:
    """Clients refuse it, on new connections as the API server does; the next pair is taken without a restart."""
    write(server.home / "certs", new_leaf(authority, left=LEFT))
    server.eventually(lambda: condition(server)[0] == "False", 2 * SECONDS, "its end")
    assert "has expired" in condition(server)[1]
    with server.new_client(ANYBODY) as client:
        assert client.get("/readyz").status_code == 503
    with pytest.raises(httpx.ConnectError, match="certificate has expired"):
        server.fresh_get("/livez")
    # what cannot be served does not replace even that, and is told
    write(server.home / "certs", new_leaf(authority, left=-timedelta(minutes=1)))
    server.eventually(lambda: "refused" in condition(server)[1], SECONDS, "the second one's fault")
    fresh = new_leaf(authority)
    write(server.home / "certs", fresh)
    server.eventually(lambda: condition(server)[0] == "True", SECONDS, "another")
    assert server.fresh_get("/readyz").status_code == 200
    assert certificate_now(server) == fresh.certificate_pem.strip()


def test_a_server_does_not_start_with_a_certificate_that_has_expired(
    authority: KeyPair, tmp_path: Path
) -> None:
    """It says so, which a replica that nobody can speak to could not."""
    folder = tmp_path / "certs"
    write(folder, new_leaf(authority, left=-timedelta(minutes=1)), authority=authority)
    with pytest.raises(AssertionError, match=r"ended \(2\).*tls.crt: expired at .* issue a new"):
        RunningServer(tmp_path, "--tls", str(folder))
