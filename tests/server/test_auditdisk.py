"""A full disk, for real: what was acknowledged is there, what is torn is found, and writing goes on by itself."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.writing import append, healthy
from webhook.server.auditlog import AuditFile
from webhook.server.auditsink import AuditError
from webhook.stores.auditlog import Entry, Unreadable, read_log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB with one file of 16 KiB on it, `filler`."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        problem = (
            f"no file system may be mounted here, so a full disk is not tested: {mounted.stderr}"
        )
        if "CI" in os.environ:
            pytest.fail(problem)
        pytest.skip(problem)
    try:
        (disk / "filler").write_bytes(b"x" * 16384)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(log: AuditFile, name: str, *, durable: bool = False) -> tuple[list[str], str]:
    """Append until the disk is full; give what was acknowledged, and the error."""
    acknowledged: list[str] = []
    for step in range(1000):
        try:
            append(log, f"{name}-{step}", durable=durable)
        except AuditError as error:
            return acknowledged, str(error)
        acknowledged.append(f"{name}-{step}")
    pytest.fail("the disk never was full")


def read(path: Path) -> tuple[list[str], list[str]]:
    """Give the uids of the entries, and the places of what is unreadable."""
    items = list(read_log(path))
    entries = [str(item.record["uid"]) for item in items if isinstance(item, Entry)]
    return entries, [item.place for item in items if isinstance(item, Unreadable)]


@pytest.mark.parametrize("durable", [False, True])
def test_a_full_disk_loses_no_acknowledged_record_and_heals_by_itself(
    small_disk: Path,
    durable: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    path = small_disk / "audit.jsonl"
    log = AuditFile(path)
    before, problem = fill(log, "before", durable=durable)
    assert problem == (
        f"the audit log {path} cannot be written: No space left on device: "
        "make room there; the next record is written again"
    )
    assert len(before) > 10
    assert not path.read_bytes().endswith(b"\n"), "the last record is torn"
    assert not healthy(log)
    (small_disk / "filler").unlink()
    append(log, "healed", durable=durable)
    size = path.stat().st_size
    assert healthy(log)
    assert path.stat().st_size == size, "what is well needs no trying"
    entries, unreadable = read(path)
    assert entries == [*before, "healed"]
    assert unreadable == [f"{path}:{len(before) + 1}"]


def test_a_replica_that_gets_no_requests_finds_out_that_there_is_room_again(
    small_disk: Path,
) -> None:
    log = AuditFile(small_disk / "audit.jsonl")
    fill(log, "u")
    assert "No space left on device" in log.condition.message
    (small_disk / "filler").unlink()
    assert healthy(log)


def test_another_process_closes_the_line_that_a_full_disk_tore(small_disk: Path) -> None:
    path = small_disk / "audit.jsonl"
    other = AuditFile(path)
    append(other, "first")
    before, _ = fill(AuditFile(path), "before")
    (small_disk / "filler").unlink()
    append(other, "healed")
    assert read(path)[0] == ["first", *before, "healed"]


def test_repeated_failures_tear_no_more_than_one_line_each(small_disk: Path) -> None:
    path = small_disk / "audit.jsonl"
    log = AuditFile(path)
    acknowledged, _ = fill(log, "a")
    for _ in range(50):
        with pytest.raises(AuditError):
            append(log, "lost")
    (small_disk / "filler").unlink()
    more, _ = fill(log, "b")
    entries, unreadable = read(path)
    assert entries == [*acknowledged, *more]
    assert len(unreadable) == 2


LIMITED = """
import resource, sys
from pathlib import Path
from tests.server.writing import append
from webhook.server.auditlog import AuditFile
from webhook.server.auditsink import AuditError
log, written = AuditFile(Path(sys.argv[1])), 0
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
try:
    while True:
        append(log, f"u-{written}")
        written += 1
except AuditError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
append(log, "healed")
print(written)
"""


def test_a_limit_on_the_size_of_files_is_named_and_healed_from(tmp_path: Path) -> None:
    """Needs no rights, so it also runs where nothing may be mounted."""
    path = tmp_path / "audit.jsonl"
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIMITED, str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    problem, written = ran.stdout.splitlines()
    assert problem.endswith("File too large: rotate it, or raise the limit on a file's size")
    entries, unreadable = read(path)
    assert entries == [*(f"u-{n}" for n in range(int(written))), "healed"]
    assert unreadable == [f"{path}:{int(written) + 1}"]
