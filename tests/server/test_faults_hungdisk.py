"""A disk that hangs under the audit log: it takes writes and never says that they are done, nor that they failed."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.server.load import namespaces_in, under_load
from tests.server.mounts import in_mounts_of, on_disk, seeing, seen_by
from tests.server.running import RunningServer, recorded

THREADS = 2
AT_ONCE = 1.0  # some milliseconds, where nothing else runs


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    disk = tmp_path / "disk"
    disk.mkdir()
    flags = ["--audit-log", str(disk / "log"), "--threads", str(THREADS)]
    with RunningServer(
        tmp_path, *flags, under=seeing(on_disk(disk, tmp_path / "image"))
    ) as running:
        yield running


@contextmanager
def hanging(server: RunningServer) -> Iterator[None]:
    """Freeze the disk: whoever writes to it waits, and nothing can end that but the thaw (fsfreeze(8))."""
    disk = str(server.home / "disk")
    in_mounts_of(server.pid, "fsfreeze", "--freeze", disk)
    try:
        yield
    finally:
        in_mounts_of(server.pid, "fsfreeze", "--unfreeze", disk)


def test_a_disk_that_hangs_holds_up_refusals_and_nothing_else(server: RunningServer) -> None:
    """Pods are patched and let in, and the process is known to live; readiness turns the rest to other replicas."""
    create, delete = recorded("create-pods"), recorded("delete-pods")
    with (
        under_load(server, clients=2 * THREADS, name="hung") as load,
        server.new_client() as client,
    ):
        with hanging(server):
            time.sleep(0.3)
            held = len(load.refused)
            started = time.monotonic()
            for _ in range(10):
                assert server.review("mutate", create)["allowed"] is True
                assert server.review("validate", delete)["allowed"] is True
                assert server.client.get("/livez").status_code == 200
            assert time.monotonic() - started < AT_ONCE
            assert len(load.refused) == held
            for path in ("/readyz", "//readyz"):
                with pytest.raises(httpx.ReadTimeout):
                    client.get(f"{server.url}{path}", timeout=0.3)
            assert server.client.get("/livez", timeout=AT_ONCE).status_code == 200
        load.await_more()
    assert load.failures == []
    log = seen_by(server.pid, server.home / "disk" / "log")
    assert set(load.refused) <= set(namespaces_in([log]))
