"""A way to the API server that can be cut and mended: every connection breaks at once, and new ones are refused."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.cluster.controlplane import ControlPlane

_CHUNK = 64 << 10


class Line:
    """Passes bytes on between clients and the API server while it is open; `config` writes kubeconfigs through it."""

    def __init__(self, plane: ControlPlane) -> None:
        host, _, port = plane.url.removeprefix("https://").rpartition(":")
        self._target = host, int(port)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener: socket.socket | None = None
        self._port = 0
        self.mend()

    def config(self, kubeconfig: Path | str, directory: Path) -> Path:
        """Write a kubeconfig like that one, which leads through the line."""
        config = json.loads(Path(kubeconfig).read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._port}"
        path = directory / "line.kubeconfig"
        path.write_text(json.dumps(config))
        return path

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        with self._lock:
            ends, listener, self._listener = [*self._open], self._listener, None
        if listener is not None:
            # Wakes the thread that accepts; close alone would not.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again, at the same port."""
        listener = socket.create_server(("127.0.0.1", self._port))
        self._port = listener.getsockname()[1]
        self._listener = listener
        self._start(self._accept, listener)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for thread in self._threads:
            thread.join(10)

    def _start(self, run: Callable[..., None], *arguments: socket.socket) -> None:
        thread = threading.Thread(target=run, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            with self._lock:
                self._open |= {client, server}
                listens = self._listener is listener
            if not listens:
                client.shutdown(socket.SHUT_RDWR)
            self._start(self._pass, client, server)
            self._start(self._pass, server, client)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open.discard(source)
        source.close()
