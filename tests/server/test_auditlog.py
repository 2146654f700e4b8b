"""The audit file: what was appended is in it, whole, once, whoever else writes to it or moves it away."""

import errno
import os
import stat
import threading
import time
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.server.refusals import a_record
from tests.server.writing import append, ended, healthy, in_threads, lines, records, uids
from webhook.server.auditlog import AuditFile
from webhook.server.auditsink import AuditError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def descriptors_in(folder: Path) -> int:
    """Count this process's open descriptors of files in a folder, also of those that were moved or deleted."""
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            found += link.readlink().is_relative_to(folder)
    return found


def test_a_record_is_one_line_as_it_was_given(path: Path) -> None:
    record = a_record()
    AuditFile(path).append(record, durable=True)
    assert path.read_bytes().count(b"\n") == 1
    assert records(path) == [record]


def test_file_and_folder_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "audit.jsonl"
    append(AuditFile(path), "u")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_an_existing_file_is_continued_and_keeps_its_mode(path: Path) -> None:
    append(AuditFile(path), "before")
    path.chmod(0o640)
    append(AuditFile(path), "after")
    assert uids(path) == ["before", "after"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_nothing_is_made_before_it_is_needed(path: Path) -> None:
    log = AuditFile(path)
    assert healthy(log)
    assert not path.exists()
    log.open()
    assert path.read_bytes() == b""


def test_a_renamed_file_is_left_and_a_new_one_begun(path: Path) -> None:
    log, rotated = AuditFile(path), path.with_suffix(".1")
    append(log, "old")
    path.rename(rotated)
    append(log, "new")
    assert (uids(rotated), uids(path)) == (["old"], ["new"])
    assert descriptors_in(path.parent) == 1


def test_a_file_that_rotation_made_itself_is_used(path: Path) -> None:
    log = AuditFile(path)
    append(log, "old")
    path.rename(path.with_suffix(".1"))
    path.touch(0o640)
    append(log, "new")
    assert uids(path) == ["new"]


def test_a_truncated_file_is_continued_from_its_start(path: Path) -> None:
    log = AuditFile(path)
    append(log, "old")
    os.truncate(path, 0)
    append(log, "new")
    assert uids(path) == ["new"]
    assert b"\0" not in path.read_bytes()


def test_a_deleted_folder_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "audit.jsonl"
    log = AuditFile(path)
    append(log, "old")
    path.unlink()
    path.parent.rmdir()
    append(log, "new")
    assert uids(path) == ["new"]


def test_rotation_while_threads_write_loses_and_tears_nothing(path: Path) -> None:
    log, each = AuditFile(path), 500
    rotated: list[Path] = []

    def write(number: int) -> None:
        for step in range(each):
            append(log, f"{number}-{step}", durable=step % 100 == 0)

    threads = in_threads(4, write)
    while any(thread.is_alive() for thread in threads):
        if path.exists():
            rotated.append(path.rename(path.with_suffix(f".{len(rotated)}")))
        time.sleep(0.002)
    ended(threads)
    assert len(rotated) > 3
    written = uids(*rotated, *([path] if path.exists() else []))
    assert sorted(written) == sorted(f"{n}-{s}" for n in range(4) for s in range(each))
    append(log, "last")
    assert descriptors_in(path.parent) == 1


def _delete_again_and_again(path: Path, stop: Event, report: Path) -> None:
    """Delete the file whenever it is there; then tell what stood in each file when it was gone."""
    whole: list[bytes] = []
    while not stop.is_set():
        with suppress(FileNotFoundError):
            kept = os.open(path, os.O_RDONLY)
            path.unlink()
            # a size may be that of a line half written: what follows its last line's end was not there in time
            there = os.pread(kept, os.fstat(kept).st_size, 0)
            whole.append(there.rpartition(b"\n")[0])
            os.close(kept)
    report.write_bytes(b"\n".join(whole) + b"\n")


def test_what_falls_into_a_file_after_its_deletion_is_written_again(path: Path) -> None:
    context, report = get_context("spawn"), path.with_suffix(".report")
    stop = context.Event()
    deleter = context.Process(
        target=_delete_again_and_again, args=(path, stop, report), daemon=True
    )
    deleter.start()
    log = AuditFile(path)
    append(log, "0")
    while path.exists() and deleter.is_alive():
        time.sleep(0.001)
    for step in range(1, 1500):
        append(log, str(step))
    stop.set()
    deleter.join(60)
    assert deleter.exitcode == 0
    deleter.close()
    assert "0" in uids(report)
    left = uids(path) if path.exists() else []
    assert {*uids(report), *left} == {str(step) for step in range(1500)}


def _append_many(path: Path, name: str, count: int) -> None:
    log = AuditFile(path)
    for step in range(count):
        append(log, f"{name}-{step}")


def test_lines_of_several_processes_stay_whole(path: Path) -> None:
    context = get_context("spawn")
    workers = [
        context.Process(target=_append_many, args=(path, str(n), 800), daemon=True)
        for n in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
        worker.close()
    assert sorted(uids(path)) == sorted(f"{n}-{s}" for n in range(3) for s in range(800))


def test_a_line_that_a_crash_tore_is_closed_by_the_next_process(path: Path) -> None:
    append(AuditFile(path), "whole")
    with path.open("ab") as crashed:
        crashed.write(b'{"time":"2026-')
    append(AuditFile(path), "next")
    _, torn, following, _ = path.read_bytes().split(b"\n")
    assert torn == b'{"time":"2026-'
    assert b'"uid":"next"' in following


def test_a_line_that_another_process_tore_meanwhile_is_closed(path: Path) -> None:
    log = AuditFile(path)
    append(log, "first")
    with path.open("ab") as other:
        other.write(b"torn")
    append(log, "second")
    append(log, "third")
    assert path.read_bytes().split(b"\n")[1] == b"torn"
    assert path.read_bytes().count(b"\n") == 4


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_refused_at_once_and_in_words(path: Path, kind: str) -> None:
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(AuditError, match=r"audit\.jsonl cannot be written: .*: .*another file"):
        AuditFile(path).open()


def test_a_parent_that_is_a_file_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    log = AuditFile(tmp_path / "taken" / "audit.jsonl")
    with pytest.raises(AuditError, match="Not a directory: check its disk and its folder"):
        append(log, "u")
    assert not healthy(log)
    assert "Not a directory" in log.condition.message


def test_a_moved_file_is_written_on_while_no_new_one_can_be_made(path: Path) -> None:
    log, rotated = AuditFile(path), path.with_suffix(".1")
    append(log, "old")
    path.rename(rotated)
    path.mkdir()
    append(log, "meanwhile", durable=True)
    assert uids(rotated) == ["old", "meanwhile"]
    assert not healthy(log)
    assert "moved away" in log.condition.message
    path.rmdir()
    assert healthy(log), "it looks again when asked"
    append(log, "new")
    assert uids(path) == ["new"]


def test_a_deleted_file_for_which_no_new_one_can_be_made_is_an_error(path: Path) -> None:
    log = AuditFile(path)
    append(log, "old")
    path.unlink()
    path.mkdir()
    with pytest.raises(AuditError, match="Is a directory"):
        append(log, "new")


class Disk:
    """Syncs for real, slowly, and fails when it is told to."""

    def __init__(self) -> None:
        self.syncs = 0
        self.failing = False
        self.entered = threading.Event()
        self.goes_on = threading.Event()
        self.goes_on.set()

    def sync(self, descriptor: int) -> None:
        self.syncs += 1
        self.entered.set()
        assert self.goes_on.wait(30)
        if self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.fdatasync(descriptor)


def test_only_durable_records_wait_for_the_disk(path: Path) -> None:
    disk = Disk()
    log = AuditFile(path, sync=disk.sync)
    append(log, "u")
    assert disk.syncs == 0
    append(log, "v", durable=True)
    assert disk.syncs == 1


def test_one_sync_serves_all_that_wrote_before_it_began(path: Path) -> None:
    disk = Disk()
    log = AuditFile(path, sync=disk.sync)
    disk.goes_on.clear()
    first = in_threads(1, lambda _: append(log, "first", durable=True))
    assert disk.entered.wait(30)
    others = in_threads(8, lambda n: append(log, f"other-{n}", durable=True))
    while lines(path) < 9:
        time.sleep(0.001)
    disk.goes_on.set()
    ended([*first, *others])
    assert disk.syncs == 2, "one for the first, one for all that came while it ran"


def test_a_record_written_while_a_sync_runs_waits_for_the_next_one(path: Path) -> None:
    disk = Disk()
    log = AuditFile(path, sync=disk.sync)
    disk.goes_on.clear()
    first = in_threads(1, lambda _: append(log, "first", durable=True))
    assert disk.entered.wait(30)
    done = threading.Event()

    def write(_: int) -> None:
        append(log, "second", durable=True)
        done.set()

    second = in_threads(1, write)
    while lines(path) < 2:
        time.sleep(0.001)
    assert not done.wait(0.05)
    disk.goes_on.set()
    ended([*first, *second])
    assert disk.syncs == 2


def test_a_failed_sync_is_told_to_everyone_whose_record_it_was_for(path: Path) -> None:
    disk = Disk()
    told: list[str] = []
    log = AuditFile(path, sync=disk.sync)
    disk.goes_on.clear()

    def write(number: int) -> None:
        try:
            append(log, str(number), durable=True)
        except AuditError as error:
            told.append(str(error))

    first = in_threads(1, write)
    assert disk.entered.wait(30)
    others = in_threads(5, write)
    while lines(path) < 6:
        time.sleep(0.001)
    disk.failing = True
    disk.goes_on.set()
    ended([*first, *others])
    assert len(told) == 6
    assert all("Input/output error" in message for message in told)
    disk.failing = False
    append(log, "after", durable=True)
    assert healthy(log)


def test_a_failed_sync_shows_in_the_condition_until_the_disk_is_well(path: Path) -> None:
    disk = Disk()
    log = AuditFile(path, sync=disk.sync)
    disk.failing = True
    with pytest.raises(AuditError):
        append(log, "u", durable=True)
    assert not healthy(log)
    assert "Input/output error" in log.condition.message
    disk.failing = False
    assert healthy(log)


def test_a_thread_that_waits_for_a_sync_keeps_the_rotated_file_open(path: Path) -> None:
    disk = Disk()
    log = AuditFile(path, sync=disk.sync)
    disk.goes_on.clear()
    waiting = in_threads(1, lambda _: append(log, "old", durable=True))
    assert disk.entered.wait(30)
    path.rename(path.with_suffix(".1"))
    append(log, "new")
    assert descriptors_in(path.parent) == 2
    disk.goes_on.set()
    ended(waiting)
    assert descriptors_in(path.parent) == 1
    assert uids(path.with_suffix(".1")) == ["old"]


def test_a_log_that_nothing_refers_to_is_closed(path: Path) -> None:
    log = AuditFile(path)
    append(log, "u")
    assert descriptors_in(path.parent) == 1
    del log
    assert descriptors_in(path.parent) == 0
