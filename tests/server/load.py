"""Refusals without pause while something happens to the server: which were acknowledged, and what the clients met."""

import json
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.server.running import RunningServer, recorded

HEADERS = {"Content-Type": "application/json"}
_ASKED = "team-a"  # the namespace of the recorded review


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no decision: when it was sent, when that was known, in monotonic seconds, and why."""

    sent: float
    known: float
    why: str


@dataclass(slots=True)
class Load:
    """What clients were told; each request is of a namespace of its own, and so each refusal gets a record of its own.

    Attributes:
        refused: the namespaces whose pod was refused, by a whole answer.
        seconds: how long each of these answers took.
        admitted: those whose pod was not refused, which no test here expects.
    """

    refused: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    admitted: list[str] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    def await_more(self, count: int = 20) -> None:
        """Wait until so many more were refused."""
        goal, deadline = len(self.refused) + count, time.monotonic() + 20
        while len(self.refused) < goal:
            assert time.monotonic() < deadline, f"no answers any more: {self.failures[-3:]}"
            time.sleep(0.005)

    def percentile(self, share: float) -> float:
        """Give the time within which this share of the answers came."""
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Review:
    """The recorded refused review, to be sent for any namespace."""

    def __init__(self) -> None:
        text = json.dumps(recorded("create-pods"))
        assert f'"{_ASKED}"' in text
        self._parts = text.split(f'"{_ASKED}"')

    def of(self, namespace: str) -> bytes:
        """Write it for this namespace."""
        return f'"{namespace}"'.join(self._parts).encode()


@contextmanager
def under_load(
    server: RunningServer, *, clients: int = 2, pause: float = 0.002, name: str = "load"
) -> Iterator[Load]:
    """Ask without pause as long as the context is open; as the API server does, over kept connections."""
    load, review, done = Load(), Review(), threading.Event()
    trusted = ssl.create_default_context(cafile=str(server.authority))

    def ask(client: int) -> None:
        number = 0
        with server.new_client(trusted) as wire:
            while not done.wait(pause):
                number += 1
                _ask(wire, review, load, f"{name}-{client}-{number}")

    threads = [threading.Thread(target=ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        load.await_more()
        yield load
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _ask(wire: httpx.Client, review: Review, load: Load, namespace: str) -> None:
    sent = time.monotonic()
    try:
        answer = wire.post("/validate", content=review.of(namespace), headers=HEADERS)
    except httpx.TransportError as error:
        load.failures.append(Failure(sent, time.monotonic(), repr(error)))
        return
    if answer.status_code != 200:
        load.failures.append(Failure(sent, time.monotonic(), answer.text))
        return
    load.seconds.append(time.monotonic() - sent)
    decided = load.admitted if answer.json()["response"]["allowed"] else load.refused
    decided.append(namespace)


def namespaces_in(paths: Iterable[Path]) -> list[str]:
    """Read the namespaces of all whole records in audit files; each line must be one, or empty."""
    lines = [line for path in paths for line in path.read_bytes().split(b"\n") if line]
    return [json.loads(line)["namespace"] for line in lines]
