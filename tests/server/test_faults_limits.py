"""What the machine gives a process runs out: descriptors, memory, threads. It says so, and goes on."""

import json
import os
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.cluster.cgroups import CGROUPS, remove_cgroups
from tests.images.machine import unavailable
from tests.pages import ROOT
from tests.server.documents import IMAGE, policy, put, scan
from tests.server.load import HEADERS, Review, namespaces_in, under_load
from tests.server.running import RunningServer, recorded
from webhook.server.requestbuffer import MAX_BODY

SECONDS = 10
MEBIBYTE = 1 << 20


def worker_of(server: RunningServer) -> int:
    text = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
    return int(text.split()[0])


def status_of(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def descriptors(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


@contextmanager
def limited(pid: int, limit: int, soft: int) -> Iterator[None]:
    """Set a soft limit of a running process for as long as the context is open."""
    before = resource.prlimit(pid, limit)
    resource.prlimit(pid, limit, (soft, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, limit, before)


# -- descriptors -----------------------------------------------------------------------------------


def test_without_descriptors_it_decides_by_what_it_holds_and_takes_the_rest_later(
    tmp_path: Path,
) -> None:
    """Rotation, a new policy, a new scan: none can be opened, none is lost, and records go to the moved file."""
    put(tmp_path / "policy.json", policy())
    put(tmp_path / "scans/one.json", scan("registry.example.com/other:1"))
    flags = ("--policy", str(tmp_path / "policy.json"))
    log, moved = tmp_path / "audit.jsonl", tmp_path / "audit.1"
    stricter = policy(unscanned="Warn", registries={"allow": ["r.io/**"]})
    with RunningServer(tmp_path, *flags) as server:
        worker = worker_of(server)
        with under_load(server, name="few") as load:
            with limited(worker, resource.RLIMIT_NOFILE, descriptors(worker)):
                log.rename(moved)
                put(tmp_path / "policy.json", stricter)
                put(tmp_path / "scans/two.json", scan(IMAGE, name="two", failing=("uid-1000",)))
                server.eventually(lambda: exhausted(server) > 1, SECONDS, "it to be told")
                load.await_more()
                conditions = server.client.get("/readyz").json()["conditions"]
                said = {c["type"]: c["message"] for c in conditions}
                assert "Too many open files" in said["AuditLog"]
                assert "Too many open files" in said["Policy"]
            server.eventually(lambda: "[uid-1000]" in answer(server), SECONDS, "the new scan")
            server.eventually(lambda: "[registry]" in answer(server), SECONDS, "the new policy")
            load.await_more()
        assert worker_of(server) == worker
    assert load.failures == []
    assert set(load.refused) <= set(namespaces_in([log, moved]))


def exhausted(server: RunningServer) -> int:
    return sum("Too many open files" in line for line in server.log)


def answer(server: RunningServer) -> str:
    return str(server.review("validate", recorded("create-pods")).get("status", {}).get("message"))


# -- memory ----------------------------------------------------------------------------------------


def pods_limit() -> int:
    """What the webhook's container may have, in bytes, as it is deployed."""
    documents = yaml.safe_load_all((ROOT / "deploy/base/webhook/deployment.yaml").read_text())
    [deployment] = [one for one in documents if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    limit = str(container["resources"]["limits"]["memory"])
    assert limit.endswith("Mi")
    return int(limit.removesuffix("Mi")) * MEBIBYTE


def costly_review() -> bytes:
    """The largest review that is read, of what costs most: variables that are patched."""
    document = recorded("create-pods")
    document["request"]["object"]["spec"]["containers"][0]["env"] = "HERE"
    start, _, end = json.dumps(document).encode().partition(b'"HERE"')
    unit = b'{"name":"NB_PREFIX","value":"b"}'
    count = (MAX_BODY - len(start) - len(end) - 10) // (len(unit) + 1)
    return start + b"[" + b",".join([unit] * count) + b"]" + end


class MemoryGroup:
    """A cgroup with a limit on memory, of either version."""

    def __init__(self, name: str) -> None:
        old = CGROUPS / "memory"
        self.is_old = old.is_dir()
        self.folder = (old if self.is_old else CGROUPS) / name

    def limit(self, number: int) -> None:
        file = "memory.limit_in_bytes" if self.is_old else "memory.max"
        (self.folder / file).write_text(str(number))

    def kills(self) -> int:
        """How many of its processes the kernel has ended for want of memory."""
        file = "memory.oom_control" if self.is_old else "memory.events"
        lines = (self.folder / file).read_text().splitlines()
        return int(next(line.split()[1] for line in lines if line.startswith("oom_kill ")))

    def joined(self) -> list[str]:
        """The command that runs the one behind it in there."""
        return ["sh", "-ec", f'echo $$ >{self.folder}/cgroup.procs && exec "$@"', "sh"]


@pytest.fixture
def group() -> Iterator[MemoryGroup]:
    group = MemoryGroup(f"nbgate-test-{os.getpid()}")
    try:
        group.folder.mkdir()
        group.limit(pods_limit())
    except OSError as error:
        unavailable(f"no memory can be limited here: {error}")
    yield group
    deadline = time.monotonic() + SECONDS
    while not remove_cgroups(group.folder.name):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def status_codes(server: RunningServer, body: bytes, count: int) -> set[int]:
    """Send so many at once, as clients that do not wait for one another."""

    def post(_: int) -> int:
        with server.new_client() as client:
            try:
                return client.post("/mutate", content=body, headers=HEADERS).status_code
            except httpx.TransportError:
                return 0  # it was refused and closed before all of it was sent

    with ThreadPoolExecutor(count) as pool:
        return set(pool.map(post, range(count)))


def test_the_largest_bodies_at_once_stay_within_the_limit_of_the_pod(
    tmp_path: Path, group: MemoryGroup
) -> None:
    """Four threads decided four of them at once, and took 760 MiB. Others are answered all the while."""
    with RunningServer(tmp_path, under=group.joined()) as server:
        worker = worker_of(server)
        with under_load(server, clients=1, name="small") as load:
            assert status_codes(server, costly_review(), 5) <= {200, 503, 0}
        assert group.kills() == 0
        assert worker_of(server) == worker
        assert status_of(worker, "VmHWM") * 1024 < pods_limit()
        assert load.failures == []
        # a webhook may take 5 s, as it is deployed
        assert max(load.seconds) < 5


def test_a_worker_that_the_kernel_ends_for_want_of_memory_is_replaced(
    tmp_path: Path, group: MemoryGroup
) -> None:
    """As of any death of a worker: what was answered is on disk, and the next is answered."""
    with RunningServer(tmp_path, under=group.joined()) as server:
        worker = worker_of(server)
        with under_load(server, clients=1, name="small") as load:
            # the arbiter is smaller, and the kernel ends the largest
            group.limit(
                status_of(server.pid, "VmRSS") * 1024 + 2 * status_of(worker, "VmRSS") * 1024
            )
            status_codes(server, costly_review(), 4)
            group.limit(pods_limit())
            load.await_more()
        assert group.kills() > 0
        assert worker_of(server) != worker
        assert set(load.refused) <= set(namespaces_in([tmp_path / "audit.jsonl"]))
        assert load.admitted == []


def test_a_request_that_memory_does_not_suffice_for_ends_no_other(tmp_path: Path) -> None:
    """As `ulimit -v` limits it. It once ended the worker, with all that it had in hand."""
    with RunningServer(tmp_path) as server:
        worker, small = worker_of(server), Review().of("team-b")
        with under_load(server, name="small") as load:
            size = status_of(worker, "VmSize") * 1024
            with limited(worker, resource.RLIMIT_AS, size + 12 * MEBIBYTE):
                codes = status_codes(server, costly_review(), 6)
            load.await_more()
        assert codes <= {0, 200, 500, 503}
        assert codes & {0, 500}, "there was memory enough"
        assert worker_of(server) == worker
        assert all("500" in failure.why for failure in load.failures)
        assert server.client.post("/validate", content=small, headers=HEADERS).status_code == 200


def test_all_threads_are_there_from_the_start(tmp_path: Path) -> None:
    """One that could not be started later, at a limit on processes, would end the worker."""
    with RunningServer(tmp_path, "--threads", "8") as server:
        worker = worker_of(server)
        before = status_of(worker, "Threads")
        with under_load(server, clients=8, name="many"):
            pass
        assert status_of(worker, "Threads") == before > 8
