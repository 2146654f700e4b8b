"""Disks that are full or read-only, under a running server: nobody's answer changes, and it heals by itself."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.certificate import describe
from certs.directory import write
from certs.keypair import KeyPair
from tests.server.documents import put, scan
from tests.server.load import namespaces_in, under_load
from tests.server.mounts import in_mounts_of, read_only, seeing, seen_by, small
from tests.server.running import NBGATE, RunningServer
from webhook.stores.auditlog import Entry, Unreadable, read_log

SECONDS = 10  # within which it heals; it takes about one
KILOBYTES = 512
MAKE_ROOM = "make room there; the next record is written again"


@pytest.fixture(scope="module")
def authority() -> KeyPair:
    now = datetime.now(UTC) - timedelta(days=100)
    return issue_authority("nbgate self-signed CA", now=now, lifetime=timedelta(days=3650))


def leaf(authority: KeyPair, *, days_old: int) -> KeyPair:
    """A pair of 90 days, for this machine."""
    now, hosts = datetime.now(UTC) - timedelta(days=days_old), ["localhost", "127.0.0.1", "::1"]
    return issue_leaf(authority, hosts=hosts, now=now, lifetime=timedelta(days=90))


@pytest.fixture(scope="module")
def server(authority: KeyPair, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One whose audit log is on a small disk, and whose certificates and scans are read-only."""
    home = tmp_path_factory.mktemp("home")
    for name in ("disk", "audit", "scans"):
        (home / name).mkdir()
    write(home / "certs", leaf(authority, days_old=0), authority=authority)
    put(home / "scans" / "other.json", scan("registry.example.com/other:1"))
    under = seeing(
        small(home / "disk", KILOBYTES), *read_only(home / "certs"), *read_only(home / "scans")
    )
    with RunningServer(home, "--audit-log", str(home / "disk/log"), under=under) as running:
        yield running


def condition(server: RunningServer, name: str) -> tuple[str, str]:
    ready = server.client.get("/readyz")
    assert ready.status_code == 200
    [found] = [c for c in ready.json()["conditions"] if c["type"] == name]
    return found["status"], found["message"]


def lost(server: RunningServer) -> int:
    text = server.client.get("/metrics").text
    return int(float(text.partition("\nnbgate_audit_failures_total ")[2].split()[0]))


def test_a_full_disk_costs_no_refusal_and_what_it_lost_is_counted(server: RunningServer) -> None:
    """Each is answered, and is in the file, or counted as lost from it, told of, and on standard output."""
    disk = seen_by(server.pid, server.home / "disk")
    (disk / "filler").write_bytes(b"x" * (KILOBYTES - 32) * 1024)
    with under_load(server, name="full") as load:
        load.await_more(60)  # some 1.2 KB each: the disk is full long before
        status, message = condition(server, "AuditLog")
        assert status == "False"
        assert message.endswith(": No space left on device: " + MAKE_ROOM)
        (disk / "filler").unlink()
        load.await_more()
    assert load.failures == []
    items = list(read_log(disk / "log"))
    written = [str(item.record["namespace"]) for item in items if isinstance(item, Entry)]
    assert 0 < len(load.refused) - lost(server) <= len(written)
    assert set(load.refused[-10:]) <= set(written)
    assert set(load.refused) <= set(namespaces_in([server.home / "stdout"]))
    assert any("audit record lost" in line for line in server.log)
    # what the full disk tore stands by itself, and takes no record with it
    assert len([item for item in items if isinstance(item, Unreadable)]) <= 2
    assert condition(server, "AuditLog")[0] == "True"
    (disk / "log").unlink()


def test_an_audit_log_that_becomes_read_only_is_written_again_when_it_is_not(
    server: RunningServer,
) -> None:
    """What was open all along took the records of the time between."""
    log = server.home / "disk" / "log"
    with under_load(server, clients=1, name="before") as before:
        pass
    with over(server, log.parent), under_load(server, clients=1, name="meanwhile") as meanwhile:
        status, message = condition(server, "AuditLog")
        assert status == "False"
        assert "Read-only file system: mount it writable" in message
    with under_load(server, clients=1, name="after") as after:
        pass
    assert before.failures == meanwhile.failures == after.failures == []
    refused = {*before.refused, *meanwhile.refused, *after.refused}
    assert refused <= set(namespaces_in([seen_by(server.pid, log)]))
    assert condition(server, "AuditLog")[0] == "True"


@contextmanager
def over(server: RunningServer, folder: Path) -> Iterator[None]:
    """Mount an empty folder over this one, read-only; as a disk that fails, it hides no file that is open."""
    in_mounts_of(server.pid, "mount", "--bind", str(server.home / "audit"), str(folder))
    in_mounts_of(server.pid, "mount", "-o", "remount,bind,ro", str(folder))
    try:
        yield
    finally:
        in_mounts_of(server.pid, "umount", str(folder))


def shown(server: RunningServer) -> datetime:
    """When the certificate ends that a new connection is shown."""
    text = server.client.get("/metrics").text
    name = "\nnbgate_certificate_expiry_timestamp_seconds "
    return datetime.fromtimestamp(float(text.partition(name)[2].split()[0]), UTC)


def test_a_certificate_that_cannot_be_renewed_serves_on_and_is_renewed_when_it_can(
    server: RunningServer, authority: KeyPair
) -> None:
    """On a read-only disk; of what is there nothing is touched."""
    certs, aged = server.home / "certs", leaf(authority, days_old=80)
    write(certs, aged)
    ends = describe(aged.certificate_pem)[0].not_after
    server.eventually(lambda: shown(server) == ends, SECONDS, "the aged one to be served")
    server.eventually(
        lambda: any("cannot be renewed" in line for line in server.log), SECONDS, "it to be told"
    )
    assert any("Read-only file system" in line for line in server.log)
    assert server.fresh_get("/readyz").status_code == 200
    assert (certs / "tls.crt").read_bytes() == aged.certificate_pem
    in_mounts_of(server.pid, "mount", "-o", "remount,bind,rw", str(certs))
    server.eventually(lambda: shown(server) > ends, SECONDS, "another certificate")
    assert server.fresh_get("/livez").status_code == 200


def test_a_certificate_is_renewed_whole_or_not_at_all_on_a_full_disk(
    server: RunningServer, authority: KeyPair
) -> None:
    """A key that was written and a certificate that was not would serve nobody after a restart."""
    certs = server.home / "certs"
    in_mounts_of(server.pid, "mount", *small(certs, 32))
    here, aged = seen_by(server.pid, certs), leaf(authority, days_old=80)
    write(here, aged, authority=authority)
    with pytest.raises(OSError, match="No space left"):
        (here / "filler").write_bytes(b"x" * 32 * 1024)
    ends, told = describe(aged.certificate_pem)[0].not_after, len(server.log)
    server.eventually(lambda: shown(server) == ends, SECONDS, "the aged one to be served")
    server.eventually(
        lambda: any("No space left" in line for line in server.log[told:]), SECONDS, "the report"
    )
    assert server.fresh_get("/readyz").status_code == 200
    assert (here / "tls.key").read_bytes() == aged.key_pem
    (here / "filler").unlink()
    server.eventually(lambda: shown(server) > ends, SECONDS, "another certificate")
    assert server.fresh_get("/livez").status_code == 200


def test_an_import_to_a_full_disk_leaves_what_was_there_and_says_so(
    server: RunningServer, tmp_path: Path
) -> None:
    scans = server.home / "disk" / "scans"
    here = seen_by(server.pid, scans)
    here.mkdir()
    put(here / "scan.json", scan())
    before = (here / "scan.json").read_bytes()
    with pytest.raises(OSError, match="No space left"):
        (here.parent / "filler").write_bytes(b"x" * KILOBYTES * 1024)
    put(tmp_path / "new.json", scan("registry.example.com/new:1", name="new"))
    command = [str(NBGATE), "scans", "import", "--scans", str(scans), str(tmp_path / "new.json")]
    entered = ["nsenter", f"--target={server.pid}", "--mount", "--", *command]
    ran = subprocess.run(entered, capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert "No space left on device" in ran.stderr
    assert "Traceback" not in ran.stderr
    (here.parent / "filler").unlink()
    assert [(one.name, one.read_bytes()) for one in here.iterdir()] == [("scan.json", before)]


def test_a_read_only_home_serves_what_it_holds_without_an_audit_log(
    authority: KeyPair, tmp_path: Path
) -> None:
    """With one it does not start, and says which file and what to do."""
    write(tmp_path / "certs", leaf(authority, days_old=0), authority=authority)
    (tmp_path / "scans").mkdir()
    (tmp_path / "stdout").touch()
    under = seeing(*read_only(tmp_path))
    with pytest.raises(AssertionError, match="ended \\(3\\)") as ended:
        RunningServer(tmp_path, under=under)
    assert f"{tmp_path}/audit.jsonl cannot be written: Read-only file system" in str(ended.value)
    with RunningServer(tmp_path, "--audit-log", "none", under=under) as server:
        with under_load(server, name="read-only") as load:
            pass
        assert load.failures == []


SNAPSHOT = """
import sys
from pathlib import Path
from tests.stores.samples import IMAGE
from tests.stores.test_snapshotcache import OTHER, Replica, knows, later
folder = Path(sys.argv[1])
first = Replica(folder / "snapshot", wall=1_000_000.0)
first.knows(IMAGE)
first.cache.look()
try:
    (folder / "filler").write_bytes(bytes(1 << 20))
except OSError as error:
    print(error.strerror)
first.passes(100)
first.knows(IMAGE, OTHER)
for _ in range(3):
    first.cache.stop()
print(*first.reports, sep="\\n")
full = later(first, folder / "snapshot", 10)
full.cache.load()
print(knows(full.scans.current, IMAGE), knows(full.scans.current, OTHER), full.store.age())
(folder / "filler").unlink()
first.cache.stop()
healed = later(first, folder / "snapshot", 10)
healed.cache.load()
print(knows(healed.scans.current, IMAGE), knows(healed.scans.current, OTHER), healed.store.age())
print(sorted(path.name for path in (folder / "snapshot").iterdir()))
"""


def test_on_a_full_disk_the_last_whole_snapshot_of_the_cluster_stays(tmp_path: Path) -> None:
    """A replica that starts then knows what it holds, as old as that is; with room again the next one is written."""
    folder = tmp_path / "disk"
    folder.mkdir()
    ran = subprocess.run(
        [*seeing(small(folder, 64)), sys.executable, "-W", "error", "-c", SNAPSHOT, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    full, told, during, afterwards, files = ran.stdout.splitlines()
    assert full == "No space left on device"
    assert told.endswith("No space left on device; check the disk and the path")
    assert (during, afterwards) == ("True False 110.0", "True True 10.0")
    assert "tmp" not in files
