"""A port-forward carries bytes both ways, holds little of them, and ends with either side."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from webhook.portforward import NotUpgraded, dial

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
BEGINNINGS = (b"\x00" + struct.pack("<H", 8888), b"\x01" + struct.pack("<H", 8888))


@dataclass(slots=True)
class Peer:
    """The API server's side of one WebSocket, as a plain socket."""

    socket: socket.socket
    sent: int = 0
    heads: list[bytes] = field(default_factory=list)

    def accept(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.socket.recv(4096)
        self.heads.append(head)
        key = next(
            line.partition(b": ")[2]
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key")
        )
        accepted = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.socket.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: "
            + accepted
            + b"\r\n\r\n"
        )
        for message in BEGINNINGS:
            self.send(message)

    def send(self, message: bytes) -> None:
        """Send one binary frame (RFC 6455, section 5.2)."""
        self.socket.sendall(b"\x82" + b"\x7f" + struct.pack(">Q", len(message)) + message)
        self.sent += len(message)

    def receive(self) -> bytes:
        """Return the payload of one short frame, unmasked."""
        head = self._exactly(2)
        length = head[1] & 0x7F
        if length == 126:
            [length] = struct.unpack(">H", self._exactly(2))
        mask = self._exactly(4)
        return bytes(byte ^ mask[place % 4] for place, byte in enumerate(self._exactly(length)))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data


@contextmanager
def forwarded(talk: Callable[[Peer], None]) -> Iterator[tuple[socket.socket, Peer]]:
    """Connect to a server that accepts the WebSocket and then talks so; give our end, and the server's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        peers: list[Peer] = []

        def serve() -> None:
            accepted, _ = listener.accept()
            accepted.settimeout(10)
            with accepted:
                peers.append(Peer(accepted))
                peers[0].accept()
                talk(peers[0])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            with dialled(listener.getsockname()[1]) as ours:
                ours.settimeout(10)
                yield ours, peers[0]
        finally:
            thread.join()


def dialled(port: int) -> socket.socket:
    return dial(
        f"ws://127.0.0.1:{port}/api/v1/namespaces/a/pods/b/portforward?ports=8888",
        {"authorization": "Bearer secret"},
        tls=ssl.create_default_context(),
        server_name=None,
        proxy=None,
        seconds=5,
    )


def test_bytes_go_both_ways() -> None:
    asked: list[bytes] = []

    def talk(peer: Peer) -> None:
        asked.append(peer.receive())
        peer.send(b"\x00answer")

    with forwarded(talk) as (ours, peer):
        ours.sendall(b"request")

        assert ours.recv(100) == b"answer"
        assert ours.recv(100) == b""
    assert asked == [b"\x00request"]
    assert b"authorization: Bearer secret" in peer.heads[0]


def test_a_pod_that_refuses_ends_the_connection() -> None:
    with forwarded(lambda peer: peer.send(b"\x01connection refused")) as (ours, _):
        assert ours.recv(100) == b""


def test_closing_our_end_closes_the_other() -> None:
    ended = threading.Event()

    def talk(peer: Peer) -> None:
        with pytest.raises((EOFError, ConnectionError)):
            peer.receive()
        ended.set()

    with forwarded(talk) as (ours, _):
        ours.close()

        assert ended.wait(10)


def test_what_is_not_read_is_not_kept() -> None:
    stuck = threading.Event()

    def talk(peer: Peer) -> None:
        peer.socket.settimeout(1)
        try:
            while peer.sent < 256 << 20:
                peer.send(b"\x00" + bytes(1 << 16))
        except TimeoutError:
            stuck.set()

    with forwarded(talk) as (_, peer):
        assert stuck.wait(60)
        # The kernel's buffers on the way hold that: of two TCP sockets and of a pair.
        assert peer.sent < 16 << 20


def test_a_refused_handshake_tells_what_the_api_server_said() -> None:
    body = json.dumps({"kind": "Status", "message": "no"}).encode()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(4096)
                length = str(len(body)).encode()
                accepted.sendall(
                    b"HTTP/1.1 403 Forbidden\r\nContent-Length: " + length + b"\r\n\r\n" + body
                )

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NotUpgraded) as raised:
            dialled(listener.getsockname()[1])
        thread.join()

    assert (raised.value.status, raised.value.body) == (403, body)


def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        with pytest.raises(OSError, match="timed out"):
            dial(
                f"ws://127.0.0.1:{port}/",
                {},
                tls=ssl.create_default_context(),
                server_name=None,
                proxy=None,
                seconds=0.3,
            )
