"""A replica that is not ready decides on, by what it knows, and each answer sends its client to another replica."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

from certs.authority import issue_authority, issue_leaf
from certs.directory import write
from tests.server.running import RunningServer, recorded

SHORT = 3  # seconds for which the certificate holds that is served while it runs out


def unchecked() -> ssl.SSLContext:
    """Trust anybody, one whose certificate has run out among them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def asked(client: httpx.Client) -> tuple[bool, str]:
    """Ask for a decision; tell whether the pod is allowed, and what becomes of the connection."""
    answered = client.post("/validate", json=recorded("create-pods"))
    assert answered.status_code == 200
    allowed: bool = answered.json()["response"]["allowed"]
    return allowed, answered.headers.get("connection", "goes on")


def test_kept_connections_end_while_it_is_not_ready_and_not_after(tmp_path: Path) -> None:
    folder, now = tmp_path / "certs", datetime.now(UTC)
    began = now - timedelta(hours=2)
    authority = issue_authority("test CA", now=began, lifetime=timedelta(days=10))
    lasting = issue_leaf(authority, hosts=["127.0.0.1"], now=now, lifetime=timedelta(days=1))
    write(folder, lasting, authority=authority)
    with (
        RunningServer(tmp_path, "--tls", str(folder)) as server,
        server.new_client(unchecked()) as client,
    ):
        assert asked(client) == (False, "goes on")
        brief = issue_leaf(
            authority,
            hosts=["127.0.0.1"],
            now=datetime.now(UTC) - timedelta(hours=1),
            lifetime=timedelta(hours=1, seconds=SHORT),
        )
        write(folder, brief)
        server.eventually(
            lambda: client.get("/readyz").status_code == 503, SHORT + 10, "it to run out"
        )
        server.eventually(lambda: asked(client) == (False, "close"), 10, "its connections to end")
        write(folder, lasting)
        server.eventually(lambda: asked(client) == (False, "goes on"), 10, "them to be kept again")
        assert client.get("/readyz").status_code == 200
