"""Notebook pods created at a steady pace, so that what happens meanwhile shows in the answers.

No node has what the pods ask for, so nothing runs; each is deleted when it has been created, which no webhook is asked
about.
"""

from __future__ import annotations

import http.client
import itertools
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.cluster.controlplane import ControlPlane
from tests.cluster.identities import ADMIN
from tests.cluster.manifests import Document

CREATORS = 16  # at once: an answer takes some 30 ms, and ten times that on a busy machine
ANSWER_SECONDS = 15  # what the API server has for both webhooks, and some more


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """One request and its answer; `at` is of the monotonic clock. Status 0: no answer came, and `text` says why."""

    at: float
    seconds: float
    status: int
    text: str

    @property
    def created(self) -> bool:
        return self.status == http.HTTPStatus.CREATED

    @property
    def pod(self) -> Document:
        document: Document = json.loads(self.text)
        return document


@dataclass(slots=True)
class Load:
    """What was created so far, while more is."""

    creations: list[Creation] = field(default_factory=list)

    def wait(self, more: int, seconds: float) -> None:
        """Let this many more be answered."""
        wanted, deadline = len(self.creations) + more, time.monotonic() + seconds
        while len(self.creations) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{more} more pods were not created within {seconds:g} s")
            time.sleep(0.05)


@contextmanager
def creating(
    plane: ControlPlane, pod: Callable[[str], Document], *, per_second: float
) -> Iterator[Load]:
    """Create pods at this pace for as long as the context is open; `pod` makes one of a name."""
    load, ended = Load(), threading.Event()
    # An etcd that went away in the middle may have kept a pod whose creator heard of no success: no name comes again.
    run = secrets.token_hex(3)
    begin, numbers = time.monotonic(), itertools.count()

    def create() -> None:
        connection = _Connection(plane)
        # They share the numbers: taking one is a single step of the interpreter.
        for number in numbers:
            if ended.wait(max(0.0, begin + number / per_second - time.monotonic())):
                break
            _create(connection, pod(f"paced-{run}-{number}"), load)
        connection.close()

    creators = [threading.Thread(target=create) for _ in range(CREATORS)]
    for creator in creators:
        creator.start()
    try:
        yield load
    finally:
        ended.set()
        for creator in creators:
            creator.join()


def _create(connection: _Connection, pod: Document, load: Load) -> None:
    path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods"
    creation = connection.ask("POST", path, pod)
    load.creations.append(creation)
    if creation.created:
        connection.ask("DELETE", f"{path}/{pod['metadata']['name']}", None)


class _Connection:
    """A connection that is kept, so that the pace is of requests and not of handshakes; opened anew after an error."""

    def __init__(self, plane: ControlPlane) -> None:
        self._host = plane.url.removeprefix("https://")
        self._context = ssl.create_default_context(cafile=plane.certificate)
        self._open: http.client.HTTPSConnection | None = None

    def ask(self, method: str, path: str, body: Document | None) -> Creation:
        begin = time.monotonic()
        try:
            status, text = self._answer(method, path, body)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            status, text = 0, f"{type(error).__name__}: {error}"
        return Creation(at=begin, seconds=time.monotonic() - begin, status=status, text=text)

    def close(self) -> None:
        if self._open:
            with suppress(OSError):
                self._open.close()
            self._open = None

    def _answer(self, method: str, path: str, body: Document | None) -> tuple[int, str]:
        if not self._open:
            self._open = http.client.HTTPSConnection(
                self._host, context=self._context, timeout=ANSWER_SECONDS
            )
        headers = {"Authorization": f"Bearer {ADMIN.token}", "Content-Type": "application/json"}
        self._open.request(method, path, json.dumps(body) if body else None, headers)
        response = self._open.getresponse()
        return response.status, response.read().decode()
