"""A real nbgate server for tests: its own process, its own state, real TLS on a loopback port."""

import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

REVIEWS = Path(__file__).parent.parent / "data" / "reviews"
NBGATE = Path(sys.executable).with_name("nbgate")


def recorded(name: str) -> dict[str, Any]:
    """A review as a real API server sent it."""
    review: dict[str, Any] = json.loads((REVIEWS / f"{name}.json").read_bytes())
    return review


class RunningServer:
    """`nbgate serve` on a free port of loopback, with all its state in `home`.

    With `waits` it is ready when it has been made; else `await_ready` waits for it. `under` is a command that ends by
    becoming the one that follows it, such as `unshare --mount`.
    """

    url: str
    port: int
    client: httpx.Client

    def __init__(
        self,
        home: Path,
        *flags: str,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] | None = None,
        under: Sequence[str] = (),
        waits: bool = True,
    ) -> None:
        self.home = home
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
        serve = [str(NBGATE), "serve", "--listen", f"{host}:0", "--grace", "0", *flags]
        with (home / "stdout").open("wb") as output:
            self._process = subprocess.Popen(
                [*under, *serve],
                env={**inherited, "NBGATE_HOME": str(home), **(environment or {})},
                stdout=output,
                stderr=subprocess.PIPE,
                text=True,
            )
        self.log: list[str] = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        if waits:
            self.await_ready()

    def await_ready(self) -> None:
        """Wait until it listens, and then until it is ready; end it where that does not come."""
        try:
            self.await_listening()
            self._await(self._ready, 30, "the server to be ready")
        except BaseException:
            self._end()
            raise

    def await_listening(self) -> None:
        """Wait until it listens, ready or not."""
        self.url = self._await(self._listening, 20, "the server to listen")
        self.port = int(self.url.rpartition(":")[2])
        self.client = self.new_client()

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.log.append(line.rstrip())

    def _await(self, look: Callable[[], str], seconds: float, what: str) -> str:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._reader.join(2)
                raise AssertionError(f"nbgate ended ({self._process.returncode}): {self.log}")
            found = look()
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"waited {seconds} s for {what}: {self.log}")

    def _listening(self) -> str:
        for line in self.log:
            if '"event": "listening"' in line:
                url: str = json.loads(line)["url"]
                return url
        return ""

    def _ready(self) -> str:
        try:
            return "yes" if self.client.get("/readyz").status_code == 200 else ""
        except httpx.TransportError:
            return ""

    @property
    def authority(self) -> Path:
        """The CA that its clients trust."""
        return self.home / "certs" / "ca.crt"

    @property
    def pid(self) -> int:
        """The arbiter's process id."""
        return self._process.pid

    def new_client(self, context: ssl.SSLContext | None = None, **options: Any) -> httpx.Client:
        """Open a client that trusts the server's CA."""
        trusted = context or ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(base_url=self.url, verify=trusted, timeout=20, **options)

    def fresh_get(self, path: str) -> httpx.Response:
        """Get a path over a new connection."""
        with self.new_client() as client:
            return client.get(path)

    def review(self, endpoint: str, document: dict[str, Any], query: str = "") -> dict[str, Any]:
        """Post a review and give the response part of its answer."""
        answered = self.client.post(f"/{endpoint}{query}", json=document)
        assert answered.status_code == 200, answered.text
        response: dict[str, Any] = answered.json()["response"]
        return response

    def eventually(self, look: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something about the server is so."""
        self._await(lambda: "yes" if look() else "", seconds, what)

    def records(self) -> list[dict[str, Any]]:
        """Read its audit log."""
        path = self.home / "audit.jsonl"
        if not path.exists():
            return []
        return [json.loads(line) for line in path.read_text().splitlines() if line]

    def signal(self, number: signal.Signals) -> None:
        """Send the arbiter a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = 30) -> int:
        """Wait for its end, and give the exit code."""
        return self._process.wait(seconds)

    def stop(self) -> None:
        """End it."""
        if hasattr(self, "client"):
            self.client.close()
        self._end()

    def _end(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(5)
        if self._process.stderr is not None:
            self._process.stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
