"""Clusters that are not there, or are something else: one error each, in time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.cluster.ports import reserved_ports
from webhook.kube import ANSWER_LIMIT, PODS, Kube, connect
from webhook.kubeerrors import KubeError, NotConfigured, Unreachable


@contextmanager
def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[str]:
    """Serve one answer to everything; give the URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def kubeconfig(folder: Path, server: str) -> str:
    context = {"cluster": "c", "user": "u"}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [{"name": "x", "context": context}],
        "current-context": "x",
    }
    (folder / "config").write_text(json.dumps(config))
    return str(folder / "config")


@contextmanager
def kube_at(folder: Path, server: str) -> Iterator[Kube]:
    with connect(kubeconfig=kubeconfig(folder, server)) as kube:
        yield kube


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "a", "contexts: 5", "contexts: [5]", "a: [", "\x00", "current-context: x"],
)
def test_a_kubeconfig_that_names_no_cluster_is_told_of(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)

    with pytest.raises(NotConfigured, match="kubectl get pods"):
        connect(kubeconfig=str(tmp_path / "config"))


def test_a_kubeconfig_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured):
        connect(kubeconfig=str(tmp_path / "absent"))


def test_a_context_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(NotConfigured, match="elsewhere"):
        connect(kubeconfig=kubeconfig(tmp_path, "http://127.0.0.1:1"), context="elsewhere")


def test_a_cluster_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    with reserved_ports(1) as [port], kube_at(tmp_path, f"http://127.0.0.1:{port}") as kube:
        with pytest.raises(Unreachable, match=r"cannot get pods a .*Connection refused"):
            kube.get(PODS, "a", "b")
        with pytest.raises(Unreachable, match=r"pods/portforward a .*Connection refused"):
            kube.forward("a", "b", 8888, 5)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b""])
def test_what_is_no_api_server_is_not_understood_as_one(tmp_path: Path, body: bytes) -> None:
    with answering(200, body) as server, kube_at(tmp_path, server) as kube:
        with pytest.raises(Unreachable, match="is it an API server"):
            kube.get(PODS, "a", "b")
        with pytest.raises(Unreachable):
            kube.forward("a", "b", 8888, 5)


def test_an_answer_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    body = b'{"items": []}'.ljust(ANSWER_LIMIT + 1)

    with (
        answering(200, body) as server,
        kube_at(tmp_path, server) as kube,
        pytest.raises(Unreachable, match="more than"),
    ):
        kube.list(PODS, "a", "b")


def test_a_redirect_does_not_get_our_token(tmp_path: Path) -> None:
    with (
        answering(200, b'{"kind": "Pod"}') as elsewhere,
        answering(302, b"", {"Location": elsewhere}) as server,
        kube_at(tmp_path, server) as kube,
    ):
        with pytest.raises(KubeError, match="answers 302"):
            kube.get(PODS, "a", "b")
        with pytest.raises(KubeError, match="Redirect limit"):
            kube.forward("a", "b", 8888, 5)


def test_commands_without_a_cluster_do_not_import_the_library() -> None:
    program = "import sys, webhook.kube; sys.exit('kubernetes' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
