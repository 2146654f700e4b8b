"""Whom we speak to: an API server of the CA that the kubeconfig, or the account's mount, names. Others get no token."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, tzinfo
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest
from kubernetes.config import incluster_config

from certs.authority import issue_authority, issue_leaf
from certs.keypair import KeyPair
from webhook import kube as place
from webhook.kube import PODS, connect, own_namespace
from webhook.kubeerrors import Unreachable

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
CA, ANOTHER = (issue_authority(name, now=NOW, lifetime=DAY) for name in ("one", "another"))
SERVER = issue_leaf(CA, hosts=["127.0.0.1"], now=NOW, lifetime=DAY)


@contextmanager
def api_server(folder: Path) -> Iterator[tuple[int, list[str]]]:
    """Answer over TLS; give the port, and the tokens that come."""
    tokens: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.send_header("Content-Length", "15")
            self.end_headers()
            self.wfile.write(b'{"kind": "Pod"}')

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Clients that do not trust us hang up."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*written(folder, "server", SERVER))
    with Quiet(("127.0.0.1", 0), Handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_port, tokens
        finally:
            server.shutdown()
            thread.join()


def written(folder: Path, name: str, pair: KeyPair) -> tuple[str, str]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_bytes(pair.certificate_pem)
    key.write_bytes(pair.key_pem)
    return str(certificate), str(key)


def kubeconfig(folder: Path, port: int, **cluster: object) -> str:
    named = {"server": f"https://127.0.0.1:{port}", **cluster}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": named}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "config").write_text(json.dumps(config))
    return str(folder / "config")


def test_the_api_server_of_the_named_ca_is_spoken_to(tmp_path: Path) -> None:
    ca, _ = written(tmp_path, "ca", CA)
    with api_server(tmp_path) as (port, tokens):
        config = kubeconfig(tmp_path, port, **{"certificate-authority": ca})
        with connect(kubeconfig=config) as kube:
            assert kube.get(PODS, "a", "b") == {"kind": "Pod"}
    assert tokens == ["Bearer secret"]


@pytest.mark.parametrize("named", [True, False], ids=["another CA", "no CA"])
def test_an_api_server_of_another_ca_gets_no_token(tmp_path: Path, *, named: bool) -> None:
    another, _ = written(tmp_path, "another", ANOTHER)
    trusted = {"certificate-authority": another} if named else {}
    with api_server(tmp_path) as (port, tokens):
        with (
            connect(kubeconfig=kubeconfig(tmp_path, port, **trusted)) as kube,
            pytest.raises(Unreachable, match="certificate verify failed"),
        ):
            kube.get(PODS, "a", "b")
        assert tokens == []


def test_only_who_says_so_trusts_everybody(tmp_path: Path) -> None:
    with api_server(tmp_path) as (port, tokens):
        config = kubeconfig(tmp_path, port, **{"insecure-skip-tls-verify": True})
        with connect(kubeconfig=config) as kube, pytest.warns(match="Unverified HTTPS request"):
            kube.get(PODS, "a", "b")
    assert tokens == ["Bearer secret"]


@pytest.fixture
def in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Mount what kubelet mounts: the account's token, the cluster's CA and the namespace."""
    (tmp_path / "token").write_text("of the account")
    (tmp_path / "namespace").write_text("nbgate-system\n")
    written(tmp_path, "ca", CA)
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(place, "_OWN_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    return tmp_path


def test_a_pod_speaks_to_its_own_cluster_with_its_own_account(
    in_a_pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nonexistent")
    with api_server(in_a_pod) as (port, tokens):
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        with connect() as kube:
            assert kube.get(PODS, "a", "b") == {"kind": "Pod"}
    assert tokens == ["bearer of the account"]
    assert own_namespace() == "nbgate-system"


def test_a_token_that_kubelet_renews_is_taken_up_and_one_that_is_gone_is_told_of(
    in_a_pod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account's token lasts for an hour: a webhook that kept its first would be blind from then on."""
    with api_server(in_a_pod) as (port, tokens):
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(port))
        with connect() as kube:
            monkeypatch.setattr(incluster_config, "datetime", Passing)
            for token in ("renewed", ""):
                (in_a_pod / "token").write_text(token)
                with suppress(Unreachable):
                    kube.get(PODS, "a", "b")
            (in_a_pod / "token").unlink()
            with pytest.raises(Unreachable, match="cannot get pods a in namespace b: no answer"):
                kube.get(PODS, "a", "b")
    assert tokens == ["bearer renewed"]


class Hurried(datetime):
    """A clock in which two minutes pass with each look."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        passing.append(timedelta(minutes=2))
        return super().now(tz) + sum(passing, timedelta())


class Passing:
    """The module `datetime` for the library, which looks at the file once a minute."""

    datetime = Hurried


passing: list[timedelta] = []


def test_outside_of_a_pod_there_is_no_own_namespace(in_a_pod: Path) -> None:
    for spoilt in (b"", b"\xff"):
        (in_a_pod / "namespace").write_bytes(spoilt)
        assert own_namespace() is None
    (in_a_pod / "namespace").unlink()
    assert own_namespace() is None
