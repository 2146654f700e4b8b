"""A way to the API server that can be made to stall, as a network does."""

from __future__ import annotations

import json
import selectors
import socket
import threading
from pathlib import Path
from typing import Self

from tests.cluster.controlplane import ControlPlane


class Relay:
    """Passes bytes on between clients and the API server, while it is open; `kubeconfig` leads through it."""

    def __init__(self, plane: ControlPlane, directory: Path) -> None:
        host, _, port = plane.url.removeprefix("https://").rpartition(":")
        self._target = host, int(port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._flows, self._closing = threading.Event(), threading.Event()
        self._flows.set()
        config = json.loads(Path(plane.kubeconfig).read_text())
        url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        config["clusters"][0]["cluster"]["server"] = url
        self.kubeconfig = directory / "relay.kubeconfig"
        self.kubeconfig.write_text(json.dumps(config))
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._flows.set()
        self._thread.join()

    def stall(self) -> None:
        """Pass nothing on; connections stay open, and new ones are not accepted."""
        self._flows.clear()

    def resume(self) -> None:
        """Pass on again, what had come meanwhile too."""
        self._flows.set()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector, self._listener:
            selector.register(self._listener, selectors.EVENT_READ)
            while not self._closing.is_set():
                for key, _ in selector.select(0.05):
                    self._flows.wait()
                    if key.fileobj is self._listener:
                        self._accept(selector)
                    else:
                        self._pass(selector, key.fileobj, key.data)
            for key in list(selector.get_map().values()):
                if isinstance(key.fileobj, socket.socket):
                    key.fileobj.close()

    def _accept(self, selector: selectors.BaseSelector) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        selector.register(client, selectors.EVENT_READ, server)
        selector.register(server, selectors.EVENT_READ, client)

    def _pass(
        self, selector: selectors.BaseSelector, source: object, target: socket.socket
    ) -> None:
        assert isinstance(source, socket.socket)
        try:
            data = source.recv(64 << 10)
            if data:
                target.sendall(data)
        except OSError:
            data = b""
        if not data:
            for end in (source, target):
                if end.fileno() >= 0:
                    selector.unregister(end)
                    end.close()
