"""What the main loop does itself is bounded: many clients with costly requests do not have it to themselves."""

import json
import os
import resource
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.running import RunningServer, recorded
from tests.server.test_attacks import AT_ONCE, review, seconds_to_answer, shaken, worker_of

CLIENTS = 900
SMALL_BYTES = 16 * 1024


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def costly_review() -> bytes:
    """Some two milliseconds of a processor, in little enough for the main loop: very many values."""
    document = recorded("create-pods")
    document["request"]["object"]["metadata"]["managedFields"] = []
    document["request"]["object"]["spec"]["containers"][0]["env"] = "HERE"
    text = json.dumps(document, separators=(",", ":"))
    count = (SMALL_BYTES - len(text) - 200) // len("{},")
    return text.replace('"HERE"', f"[{','.join(['{}'] * count)}]").encode()


def test_costly_requests_that_come_together_are_refused_like_all_that_waits(
    tmp_path: Path,
) -> None:
    """They had the main loop for as long as all of them took: others waited ten seconds to be known to live."""
    request = review(costly_review(), "/mutate")
    assert len(request) <= SMALL_BYTES
    with RunningServer(tmp_path) as server, shaken(server, CLIENTS) as wires:
        worker = worker_of(server)
        os.kill(worker, signal.SIGSTOP)
        for wire in wires:
            wire.sendall(request)
        os.kill(worker, signal.SIGCONT)
        assert seconds_to_answer(server) < 3 * AT_ONCE
        codes = Counter(wire.recv(12) for wire in wires)
        assert set(codes) == {b"HTTP/1.1 200", b"HTTP/1.1 503"}
