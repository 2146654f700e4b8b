"""What a real API server, and so a user, sees of nbgate's bad days: a refusal in words, and never a pod unjudged."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.directory import write
from certs.keypair import KeyPair
from certs.lifetime import SHORTEST
from tests.cluster import webhooks
from tests.cluster.controlplane import Answer, ControlPlane
from tests.cluster.enforcement import in_force
from tests.cluster.gate import Gate, container, created, env, message_of
from tests.cluster.manifests import Document, pod_of, stateful_set
from tests.cluster.waiting import wait_for
from tests.server.documents import policy, put, scan
from tests.server.mounts import seeing, seen_by, small
from tests.server.running import RunningServer

pytestmark = pytest.mark.cluster

GOOD, UNKNOWN = "registry.example.com/team/good:1", "registry.example.com/team/unknown:1"
DISK = 256  # KiB
LEFT = timedelta(seconds=3)  # of the life of the certificate that expires
SECONDS = 15
# From a worker's death until the API server's requests are answered again; half a second is usual.
REPLACED = 6.0


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    now = datetime.now(UTC) - timedelta(days=1)
    return issue_authority("test CA", now=now, lifetime=timedelta(days=10))


def new_leaf(authority: KeyPair, *, left: timedelta = timedelta(days=2)) -> KeyPair:
    """A leaf with so much of its life left."""
    now = datetime.now(UTC) + min(left - SHORTEST, timedelta())
    return issue_leaf(authority, hosts=["127.0.0.1"], now=now, lifetime=max(left, SHORTEST))


@pytest.fixture(scope="module")
def gate(
    authority: KeyPair, control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gate]:
    """nbgate with its audit log on a small disk and its certificate in a folder, in front of the control plane."""
    home = tmp_path_factory.mktemp("home")
    (home / "disk").mkdir()
    write(home / "certs", new_leaf(authority), authority=authority)
    put(home / "policy.json", policy())
    put(home / "scans" / "good.json", scan(GOOD))
    flags = ("--tls", str(home / "certs"), "--policy", str(home / "policy.json"))
    log = ("--audit-log", str(home / "disk" / "log"))
    with RunningServer(home, *flags, *log, under=seeing(small(home / "disk", DISK))) as server:
        configurations = (
            webhooks.mutating(server.port, authority.certificate_pem),
            webhooks.validating(server.port, authority.certificate_pem),
        )
        with in_force(control_plane, *configurations):
            yield Gate(control_plane, server)


def pod(namespace: str, image: str = GOOD, name: str = "nb") -> Document:
    return pod_of(stateful_set(name, namespace, image))


def condition(gate: Gate, name: str) -> str:
    listed = gate.server.client.get("/readyz").json()["conditions"]
    return next(str(c["status"]) for c in listed if c["type"] == name)


def assert_patched(answer: Answer) -> None:
    """What is created was judged, and patched before."""
    assert "NB_PREFIX" in env(container(created(answer), "nb"))


def test_on_a_full_audit_disk_users_are_refused_and_served_as_ever(
    gate: Gate, namespace: str
) -> None:
    """A denial is one without its record; the record comes when there is room, and counts those before."""
    disk = seen_by(gate.server.pid, gate.server.home / "disk")
    with pytest.raises(OSError, match="No space left"):
        (disk / "filler").write_bytes(bytes(2 * DISK * 1024))
    for _ in range(3):
        assert "[unscanned]" in message_of(gate.post(pod(namespace, UNKNOWN), dry_run=True))
    assert_patched(gate.post(pod(namespace), dry_run=True))
    assert condition(gate, "AuditLog") == "False"
    assert gate.server.client.get("/readyz").status_code == HTTPStatus.OK
    (disk / "filler").unlink()
    assert "[unscanned]" in message_of(gate.post(pod(namespace, UNKNOWN), dry_run=True))
    assert condition(gate, "AuditLog") == "True"
    written = [json.loads(line) for line in (disk / "log").read_text().splitlines() if line]
    denied = [
        one for one in written if one["namespace"] == namespace and one["endpoint"] == "validate"
    ]
    assert [(one["decision"], one["suppressed"]) for one in denied] == [("denied", 3)]


def test_when_a_worker_is_killed_some_are_told_to_try_again_and_none_slips_by(
    gate: Gate, namespace: str
) -> None:
    """The API server says which webhook failed, or that the pod lacks what nbgate would have patched."""
    answers: list[tuple[float, Answer]] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            sent = time.monotonic()
            answers.append((sent, gate.post(pod(namespace), dry_run=True)))

    asking = [threading.Thread(target=ask) for _ in range(3)]
    for thread in asking:
        thread.start()
    time.sleep(0.5)
    killed = time.monotonic()
    os.kill(worker_of(gate.server), signal.SIGKILL)
    wait_for(lambda: succeeding(answers, 20), SECONDS, "pods to be created again")
    done.set()
    for thread in asking:
        thread.join()
    failed = [(sent, answer) for sent, answer in answers if answer.status != HTTPStatus.CREATED]
    assert all(sent - killed < REPLACED for sent, _ in failed)
    for _, answer in failed:
        assert answer.status in {HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.FORBIDDEN}
        assert "failed calling webhook" in answer.text or "[pod-" in answer.text
    for _, answer in answers:
        if answer.status == HTTPStatus.CREATED:
            assert_patched(answer)


def succeeding(answers: list[tuple[float, Answer]], count: int) -> bool:
    last = answers[-count:]
    return len(last) == count and all(one.status == HTTPStatus.CREATED for _, one in last)


def worker_of(server: RunningServer) -> int:
    text = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return int(text.split()[0])


def test_an_expired_certificate_is_named_in_the_refusal_until_there_is_another(
    gate: Gate, authority: KeyPair, namespace: str
) -> None:
    """Of notebooks alone; and the next pair counts without a restart."""
    certs = gate.server.home / "certs"
    write(certs, new_leaf(authority, left=LEFT))
    wait_for(lambda: condition(gate, "Certificate") == "False", SECONDS, "its end")
    refused = wait_for(lambda: refusal(gate, namespace), SECONDS, "the API server to refuse it")
    assert refused.status == HTTPStatus.INTERNAL_SERVER_ERROR
    assert "failed calling webhook" in refused.text
    assert "certificate has expired" in refused.text
    other = pod(namespace, name="job")
    other["metadata"]["labels"] = {"app": "job"}
    created(gate.post(other, dry_run=True))
    write(certs, new_leaf(authority))
    wait_for(lambda: refusal(gate, namespace) is None, SECONDS, "another certificate to be seen")
    assert_patched(gate.post(pod(namespace), dry_run=True))


def refusal(gate: Gate, namespace: str) -> Answer | None:
    answer = gate.post(pod(namespace), dry_run=True)
    return None if answer.status == HTTPStatus.CREATED else answer


def test_a_replica_that_is_told_to_end_answers_what_it_was_asked(
    gate: Gate, namespace: str
) -> None:
    """And when nobody is there any more, notebooks wait, and whoever asks is told that a webhook was not reached."""
    answers: list[Answer] = []
    asking = threading.Thread(
        target=lambda: answers.extend(gate.post(pod(namespace), dry_run=True) for _ in range(40))
    )
    asking.start()
    time.sleep(0.3)
    gate.server.signal(signal.SIGTERM)
    assert gate.server.wait() == 0
    asking.join()
    kinds = [answer.status for answer in answers]
    assert kinds == sorted(kinds), "once it is refused, it stays refused"
    assert kinds[0] == HTTPStatus.CREATED
    assert kinds[-1] == HTTPStatus.INTERNAL_SERVER_ERROR
    for answer in answers:
        if answer.status == HTTPStatus.CREATED:
            assert_patched(answer)
        else:
            assert "failed calling webhook" in answer.text
