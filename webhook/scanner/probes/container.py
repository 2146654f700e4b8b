"""A container that podman started, as `watch` looks at it."""

import os
import select
import socket
import time
from types import TracebackType
from typing import Self

from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.listening import Listener
from webhook.scanner.probes.network import Network
from webhook.scanner.probes.tail import LINES, tail
from webhook.scanner.probes.warded import Warded

_ASK_TIME = 30.0
_INTERVAL = 0.1
_ENDED = frozenset({"exited", "stopped"})
_KILLED = 137  # 128 and SIGKILL
_OUT_OF_MEMORY = "out of memory"


class Container:
    """A container in a network of its own; implements Started, and is a context manager."""

    def __init__(self, name: str, warded: Warded, network: Network) -> None:
        self._name = name
        self._warded = warded
        self._network = network
        self._process: int | None = None

    def __enter__(self) -> Self:
        # A descriptor of the process: to ask it costs no podman command, and it never means another process.
        pid = int(self._inspect("{{.State.Pid}}"))
        try:
            self._process = os.pidfd_open(pid) if pid else None
        except ProcessLookupError:
            self._process = None
        return self

    def connect(self, timeout: float) -> socket.socket:
        """Open a connection to it."""
        return self._network.connect(timeout)

    def exited(self) -> bool:
        """Tell whether its first process has ended, and with it all others."""
        if self._process is None:
            return True
        poll = select.poll()
        poll.register(self._process, select.POLLIN)
        return bool(poll.poll(0))

    def ending(self) -> tuple[int | None, str]:
        """Give its exit code, and whether it was for memory."""
        self._wait()
        text, killed = self._inspect("{{.State.ExitCode}} {{.State.OOMKilled}}").split()
        code = int(text)
        if killed == "true":
            return code, _OUT_OF_MEMORY
        # Not every pair of kernel and monitor tells it. Nobody else kills it before it is stopped.
        return code, f"killed, perhaps {_OUT_OF_MEMORY}" if code == _KILLED else ""

    def listening(self) -> tuple[Listener, ...]:
        """Give what listens in its network."""
        return self._network.listening()

    def log(self) -> tuple[str, ...]:
        """End it, for a log that is being written cannot always be read; give its last lines, errors among them."""
        self._stop()
        said = self._warded.podman(
            "logs", f"--tail={LINES}", self._name, timeout=_ASK_TIME, merged=True
        )
        return tail(said.output)

    def _stop(self) -> None:
        # It is not removed yet: its log and exit code go with it.
        if not self.exited():
            # It may end meanwhile.
            self._warded.podman("kill", "--signal=KILL", self._name, timeout=_ASK_TIME)
            self._wait()

    def _wait(self) -> None:
        """Wait until podman knows that it has ended, which it does a little later than we.

        `podman wait` was seen (4.3) to miss the end of one of two containers for half a minute.
        """
        until = time.monotonic() + _ASK_TIME
        while self._inspect("{{.State.Status}}") not in _ENDED:
            if time.monotonic() > until:
                raise ProbeError(f"podman: container {self._name} does not end; look at podman ps")
            time.sleep(_INTERVAL)

    def _inspect(self, form: str) -> str:
        return self._warded.must(
            "inspect", "container", "inspect", "--format", form, self._name, timeout=_ASK_TIME
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            os.close(self._process)
