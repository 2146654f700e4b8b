"""One TCP connection to a port of a pod, carried by a WebSocket to the API server.

The protocol is v4.channel.k8s.io: every message is binary, and its first byte is a channel. For one port there are two,
0 for its bytes in both directions and 1 for what went wrong; each begins with a message that repeats the port's number
(kubelet, pkg/kubelet/cri/streaming/portforward/websocket.go).

`kubernetes.stream.portforward` does the same without a deadline, and keeps in memory whatever the pod sends faster than
it is read, without a limit. Here one message at most is held: nothing is read from one side before the other has taken
what came before.
"""

import selectors
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from websocket import (
    ABNF,
    WebSocket,
    WebSocketBadStatusException,
    WebSocketException,
)

_DATA, _ERROR = 0, 1
_CHUNK = 64 * 1024  # bytes at once from our side: a request, which is far shorter


class NotUpgraded(OSError):
    """The API server answered the handshake with something else.

    Attributes:
        status: of its answer.
        body: of its answer, a Status where the API server itself refused.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"answered with HTTP {status}, not with a WebSocket")
        self.status, self.body = status, body


def dial(
    url: str,
    headers: Mapping[str, str],
    *,
    tls: ssl.SSLContext,
    server_name: str | None,
    proxy: str | None,
    seconds: float,
) -> socket.socket:
    """Open a port-forward at `wss://HOST/api/v1/namespaces/…/portforward?ports=PORT`; give our end of the connection.

    `server_name` is what the certificate must name, where that is not the host. `proxy` is the URL of an HTTP proxy;
    None for what the environment names. `seconds` bounds each step of the handshake; afterwards there is no timeout.
    Closing the socket ends the WebSocket. A connection that the pod refuses or resets ends, as one that it closes does.

    Raises NotUpgraded, or another OSError where nothing answers.
    """
    # Any, here and below: half of its methods have no types.
    channel: Any = WebSocket(sslopt={"context": tls, "server_hostname": server_name})
    try:
        channel.connect(
            url,
            header=[f"{name}: {value}" for name, value in headers.items()],
            subprotocols=["v4.channel.k8s.io"],
            suppress_origin=True,
            redirect_limit=0,  # our token is for this host only
            timeout=seconds,
            **_proxy(proxy),
        )
    except WebSocketBadStatusException as error:
        raise NotUpgraded(error.status_code, error.resp_body or b"") from error
    except WebSocketException as error:
        raise OSError(str(error)) from error
    # A write that the API server does not take for that long ends the connection; reads wait for what is there.
    ours, theirs = socket.socketpair()
    carrier = threading.Thread(
        target=_carry, args=(channel, theirs), name="port-forward", daemon=True
    )
    carrier.start()
    return ours


def _proxy(url: str | None) -> dict[str, Any]:
    if not url:
        return {}
    parts = urlsplit(url)
    auth = (parts.username, parts.password or "") if parts.username else None
    return {
        "http_proxy_host": parts.hostname,
        "http_proxy_port": parts.port or 80,
        "http_proxy_auth": auth,
    }


def _carry(channel: Any, local: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    with closing(local), selectors.DefaultSelector() as selector:
        selector.register(local, selectors.EVENT_READ)
        selector.register(channel.sock, selectors.EVENT_READ)
        begun: set[int] = set()
        try:
            while _step(channel, local, selector, begun):
                pass
        except (OSError, WebSocketException):
            pass  # either side has gone, and so has the connection: whoever holds the other end sees that
        finally:
            channel.shutdown()


def _step(
    channel: Any, local: socket.socket, selector: selectors.BaseSelector, begun: set[int]
) -> bool:
    """Carry what is there; tell whether there may be more."""
    # One TLS record can hold several messages: those that are decrypted already the kernel does not tell of.
    decrypted = isinstance(channel.sock, ssl.SSLSocket) and channel.sock.pending() > 0
    ready = {key.fileobj for key, _ in selector.select(0 if decrypted else None)}
    if local in ready:
        data = local.recv(_CHUNK)
        if not data:
            return False
        channel.send(bytes([_DATA]) + data, ABNF.OPCODE_BINARY)
    if decrypted or channel.sock in ready:
        return _receive(channel, local, begun)
    return True


def _receive(channel: Any, local: socket.socket, begun: set[int]) -> bool:
    opcode, frame = channel.recv_data_frame(control_frame=True)
    if opcode == ABNF.OPCODE_CLOSE:
        return False
    if opcode != ABNF.OPCODE_BINARY or not frame.data:
        return True
    number, data = frame.data[0], frame.data[1:]
    if number not in begun:
        begun.add(number)  # its first message only repeats the port
        return True
    if number == _ERROR:
        return False
    local.sendall(data)
    return True
