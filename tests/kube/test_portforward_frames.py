"""What an API server, or a proxy before it, sends besides the pod's bytes is not the pod's; where it ends, so do we."""

from __future__ import annotations

import base64
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kube.test_portforward import Peer, forwarded
from webhook.portforward import dial

PING, CLOSE, TEXT, EMPTY = b"\x89\x03\x00hi", b"\x88\x02\x03\xe8", b"\x81\x03\x00no", b"\x82\x00"


@pytest.mark.parametrize("frame", [PING, TEXT, EMPTY])
def test_what_is_not_the_pods_does_not_reach_whoever_reads_its_bytes(frame: bytes) -> None:
    def talk(peer: Peer) -> None:
        peer.socket.sendall(frame)
        peer.send(b"\x00answer")

    with forwarded(talk) as (ours, _):
        assert ours.recv(100) == b"answer"
        assert ours.recv(100) == b""


def test_a_ping_is_answered_so_that_a_proxy_keeps_a_line_on_which_nothing_comes() -> None:
    pongs: list[bytes] = []

    def talk(peer: Peer) -> None:
        peer.socket.sendall(PING)
        pongs.append(peer.receive())
        answered.set()

    answered = threading.Event()
    with forwarded(talk):
        answered.wait(10)
    assert pongs == [b"\x00hi"]


def test_a_line_that_the_api_server_closes_is_at_its_end() -> None:
    def talk(peer: Peer) -> None:
        peer.socket.sendall(CLOSE)
        ended.wait(10)

    ended = threading.Event()
    with forwarded(talk) as (ours, _):
        assert ours.recv(100) == b""
        ended.set()


@contextmanager
def proxy() -> Iterator[tuple[int, list[bytes]]]:
    """Take one CONNECT, refuse it, and tell what it was."""
    heads: list[bytes] = []

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted:
            heads.append(accepted.recv(4096))
            accepted.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heads
        finally:
            thread.join()


@pytest.mark.parametrize("login", ["", "user:word@"])
def test_a_cluster_behind_a_proxy_is_asked_through_it_and_our_token_stays_for_the_cluster(
    login: str,
) -> None:
    with proxy() as (port, heads), pytest.raises(OSError, match="407"):
        dial(
            "ws://api.invalid:6443/portforward",
            {"authorization": "Bearer secret"},
            tls=ssl.create_default_context(),
            server_name=None,
            proxy=f"http://{login}127.0.0.1:{port}",
            seconds=5,
        )
    [head] = heads
    assert head.startswith(b"CONNECT api.invalid:6443 HTTP/1.1\r\n")
    assert b"secret" not in head
    said = base64.b64encode(login.rstrip("@").encode())
    assert (b"Proxy-Authorization: Basic " + said in head) == bool(login)
