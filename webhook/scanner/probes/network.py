"""A container's network as its probe sees it: a way in, for connections that come as if from another machine."""

import os
import socket
import subprocess
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.envoy import ADDRESS
from webhook.scanner.probes.listening import PORT, Listener, listeners_of
from webhook.scanner.probes.ownprogram import start_module

# Seconds: a Python that starts, on a machine that pulls and scans meanwhile.
_START_TIME = 30.0
_END_TIME = 10.0


class Network:
    """A network with nothing in it, for one container; a context manager, and a Connector.

    Attributes:
        address: what a server in it can be reached at.
    """

    address = ADDRESS

    def __init__(self, environment: Mapping[str, str], *, rootless: bool) -> None:
        self._environment = environment
        # In rootless podman, containers live in its user namespace, and so must the network that they join.
        self._before = ["podman", "unshare"] if rootless else []
        self._channel: socket.socket
        self._envoy: subprocess.Popen[bytes]
        self._pid = 0

    @property
    def option(self) -> str:
        """What `podman run --network` takes to join it."""
        return f"ns:/proc/{self._pid}/ns/net"

    def __enter__(self) -> Self:
        self._channel, theirs = socket.socketpair()
        try:
            with theirs:
                self._envoy = start_module(
                    "webhook.scanner.probes.envoy",
                    [],
                    theirs,
                    self._environment,
                    before=self._before,
                )
        except OSError as error:
            self._channel.close()
            raise ProbeError(f"podman: the probe's network cannot be made: {error}") from error
        try:
            self._pid = self._greeted()
        except BaseException:
            self._close()
            raise
        return self

    def _greeted(self) -> int:
        self._channel.settimeout(_START_TIME)
        try:
            said = self._channel.recv(256).decode(errors="replace").strip()
        except OSError as error:
            said = str(error)
        if not said.isdecimal():
            reason = said or "its program ended at once"
            raise ProbeError(f"podman: the probe's network cannot be made: {reason}")
        return int(said)

    def connect(self, timeout: float) -> socket.socket:
        """Open a connection to 8888; see Connector."""
        opened = self._offered(timeout)
        try:
            opened.settimeout(timeout)
            opened.connect((ADDRESS, PORT))
        except BaseException:
            opened.close()
            raise
        return opened

    def _offered(self, timeout: float) -> socket.socket:
        try:
            self._channel.settimeout(max(timeout, _END_TIME))
            self._channel.sendall(b"s")
            _, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except OSError as error:
            raise ProbeError(f"podman: the probe's network does not answer: {error}") from error
        if not descriptors:
            raise ProbeError("podman: the probe's network is gone; try again")
        os.set_inheritable(descriptors[0], False)
        return socket.socket(fileno=descriptors[0])

    def listening(self) -> tuple[Listener, ...]:
        """Give what listens in it now."""
        return listeners_of(self._pid)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._channel.close()
        try:
            self._envoy.wait(_END_TIME)
        except subprocess.TimeoutExpired:
            self._envoy.kill()
            self._envoy.wait()
