"""A pod that runs, as those see it who ask its server.

Requests go through the API server's port-forward: it works from a laptop as from a pod, under a NetworkPolicy that lets
nothing in, and hands every header on (the API server's proxy would take those for CORS away). It ends at the pod's own
loopback interface, though, where servers answer that nobody else can reach. So the kubelet's readiness probe decides
whether anything listens at the pod's address, and there is no connection before it says so.

A server that listens on the pod's address alone, and not on all, is not reached this way: it takes connections and
answers none.
"""

import socket
import time
from contextlib import closing

from webhook.kube import PODS, Kube
from webhook.kubeerrors import Forbidden, KubeError, NotFound, Unreachable
from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.listening import PORT, Listener
from webhook.scanner.probes.podstatus import PodState, read_state
from webhook.scanner.probes.tail import LINES, tail
from webhook.scanner.progress import Progress

_LOOK = 0.5  # seconds for which a pod's state counts as known: the kubelet reports once a second at best
_BLIND = 30.0  # seconds without an answer of the API server's after which a probe gives up; a leader change takes 15
_LOG_LIMIT = 256 * 1024  # bytes: 20 lines of what containerd takes for one line, 16 KiB
_TRY_AGAIN = 2.0  # seconds between two tries of the loopback interface
_READY_LAG = 5.0  # seconds that the kubelet may need to see a server and say so; two are usual
_LOOPBACK_SECONDS = 5.0  # for any byte of an answer that only the loopback interface gives


class StartedPod:
    """One pod; `progress` hears of every look, so that a scan can be stopped between two.

    Methods raise ProbeError where the cluster cannot be asked any more.
    """

    def __init__(self, kube: Kube, namespace: str, name: str, progress: Progress) -> None:
        self._kube, self._namespace, self._name = kube, namespace, name
        self._progress = progress
        self._state = PodState(stage="waiting")
        self._looked = float("-inf")
        self._answered = time.monotonic()
        self._cut_off: float | None = None
        self._tried = float("-inf")
        self._apart: float | None = None  # since when its loopback interface alone answers

    def state(self) -> PodState:
        """Give its state, as it was half a second ago at most."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return self._state
        self._progress.advance(0)
        try:
            self._state = read_state(self._kube.get(PODS, self._name, self._namespace))
            self._answered = time.monotonic()
        except NotFound as error:
            raise ProbeError(
                f"{error}; somebody deleted the probe's pod while it ran: scan again"
            ) from error
        except Unreachable as error:
            if now - self._answered > _BLIND:
                raise ProbeError(str(error)) from error
        except KubeError as error:
            raise ProbeError(str(error)) from error
        self._looked = time.monotonic()
        return self._state

    def connect(self, timeout: float) -> socket.socket:
        """Connect to 8888 where the kubelet can too; see Connector."""
        if not self.state().ready:
            raise ConnectionRefusedError("nothing listens on 8888 at the pod's address")
        return self._forward(timeout)

    def exited(self) -> bool:
        """Tell whether its process has ended. Raises ProbeError where the cluster ended it."""
        state = self.state()
        if state.stage == "lost":
            raise ProbeError(f"the cluster ended the probe's pod: {state.reason}; scan again")
        return state.stage not in {"waiting", "running"}

    def ending(self) -> tuple[int | None, str]:
        """Give its exit code, and why, where the kubelet knows more."""
        state = self.state()
        return state.exit_code, state.reason

    def listening(self) -> tuple[Listener, ...]:
        """Give what is known of 8888; of other ports nothing can be seen from outside."""
        state = self.state()
        if state.ready:
            self._apart = None
            return (Listener(port=PORT, loopback=False),)
        if state.stage != "running":
            return ()
        now = time.monotonic()
        if self._apart is None and now - self._tried > _TRY_AGAIN:
            # One answer proves it; more would only fill the log of the image, whose last lines are for people.
            self._apart = now if self._answers_itself() else None
            self._tried = time.monotonic()
        if self._apart is None or now - self._apart < _READY_LAG:
            return ()
        return (Listener(port=PORT, loopback=True),)

    def log(self) -> tuple[str, ...]:
        """Give the last lines of its output, clean and cut."""
        try:
            data = self._kube.log(self._name, self._namespace, lines=LINES, limit=_LOG_LIMIT)
        except Forbidden as error:
            raise ProbeError(str(error)) from error
        except KubeError:
            return ()  # it is for people, and what was seen counts without it
        return tail(data.decode("utf-8", "replace"))

    def _forward(self, seconds: float) -> socket.socket:
        try:
            connection = self._kube.forward(self._name, self._namespace, PORT, seconds)
        except Forbidden as error:
            raise ProbeError(str(error)) from error
        except KubeError as error:
            now = time.monotonic()
            self._cut_off = self._cut_off or now
            # The pod is there and listens; that it cannot be reached is not the image's fault.
            if now - self._cut_off > _BLIND and self.state().ready:
                raise ProbeError(str(error)) from error
            raise ConnectionError(str(error)) from error
        self._cut_off = None
        return connection

    def _answers_itself(self) -> bool:
        """Tell whether something on its loopback interface answers on 8888."""
        try:
            with closing(self._forward(_LOOPBACK_SECONDS)) as connection:
                connection.settimeout(_LOOPBACK_SECONDS)
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return bool(connection.recv(1))
        except OSError:
            return False
