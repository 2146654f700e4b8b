"""Bounded reads, atomic replacements, and one writer at a time."""

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from certs.errors import BusyDirectoryError, UnreadableFileError, UnwritableFileError
from certs.files import LARGEST_FILE, make_private_directory, read, read_if_there, replace
from certs.lock import LOCK_FILE, locked


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """Return a file-mode mask that would let everybody read, until the test ends."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_file_of_the_largest_size_is_read_whole_and_one_byte_more_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tls.crt"
    path.write_bytes(b"x" * LARGEST_FILE)
    assert len(read(path)) == LARGEST_FILE
    path.write_bytes(b"x" * (LARGEST_FILE + 1))
    with pytest.raises(UnreadableFileError, match=r"tls\.crt: over 1048576 bytes"):
        read(path)


def test_a_missing_file_is_an_error_or_none(tmp_path: Path) -> None:
    assert read_if_there(tmp_path / "none") is None
    with pytest.raises(UnreadableFileError, match=r"none: no such file; "):
        read(tmp_path / "none")
    with pytest.raises(UnreadableFileError, match=r"^/shown: no such file; "):
        read(tmp_path / "none", shown=Path("/shown"))


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    before = open_files()
    for name in ("pipe", "directory", "loop", "file/below"):
        with pytest.raises(UnreadableFileError, match=rf"{name}: .*; "):
            read(tmp_path / name)
    with pytest.raises(UnreadableFileError, match="not a regular file"):
        read(Path("/dev/zero"))
    assert open_files() == before


@pytest.mark.usefixtures("wide_umask")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_replaced_file_has_its_mode_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "tls.key"
    path.write_text("old")
    path.chmod(0o666)
    replace(path, b"new", mode=mode)
    assert (path.read_bytes(), mode_of(path)) == (b"new", mode)


@pytest.mark.usefixtures("wide_umask")
def test_a_directory_is_created_for_its_owner_alone_and_an_existing_one_is_left(
    tmp_path: Path,
) -> None:
    make_private_directory(tmp_path / "a" / "certs")
    assert mode_of(tmp_path / "a" / "certs") == 0o700
    (tmp_path / "b").mkdir(mode=0o755)
    make_private_directory(tmp_path / "b")
    assert mode_of(tmp_path / "b") == 0o755


def test_what_a_crash_left_behind_is_cleared_by_the_next_write(tmp_path: Path) -> None:
    leftover = tmp_path / ".tls.key.new"
    leftover.write_text("half a k")
    leftover.chmod(0o666)
    replace(tmp_path / "tls.key", b"key", mode=0o600)
    assert list(tmp_path.iterdir()) == [tmp_path / "tls.key"]
    assert mode_of(tmp_path / "tls.key") == 0o600


def test_a_reader_sees_all_of_the_old_bytes_or_all_of_the_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "tls.crt"
    contents = [letter * 200_000 for letter in (b"a", b"b")]
    replace(path, contents[0], mode=0o644)
    done = threading.Event()

    def write() -> None:
        for i in range(60):
            replace(path, contents[i % 2], mode=0o644)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(read(path))
    writer.join()
    assert seen == set(contents)


@pytest.mark.parametrize("name", ["file/tls.crt", "directory", "missing/tls.crt"])
def test_what_cannot_be_written_is_an_error_with_the_cure(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    with pytest.raises(UnwritableFileError, match=r"cannot be written .*; choose a directory"):
        replace(tmp_path / name, b"", mode=0o600)


def test_a_directory_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableFileError, match=r"file/certs: "):
        make_private_directory(tmp_path / "file" / "certs")


def test_a_lock_keeps_others_out_until_it_is_dropped(tmp_path: Path) -> None:
    with (
        locked(tmp_path),
        pytest.raises(BusyDirectoryError, match=r"\.lock: another process .*; end it"),
        locked(tmp_path, patience=0.05),
    ):
        pass
    with locked(tmp_path, patience=0):
        assert mode_of(tmp_path / LOCK_FILE) == 0o600


def test_a_waiting_writer_goes_on_when_the_lock_is_dropped(tmp_path: Path) -> None:
    order: list[str] = []

    def wait() -> None:
        with locked(tmp_path):
            order.append("second")

    with locked(tmp_path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_lock_dies_with_its_holder(tmp_path: Path) -> None:
    hold = (
        "import pathlib, sys, time\n"
        "from certs.lock import locked\n"
        "with locked(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyDirectoryError), locked(tmp_path, patience=0):
            pass
        holder.kill()
    with locked(tmp_path, patience=0):
        pass


def test_a_lock_in_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnwritableFileError, match=r"none/\.lock"), locked(tmp_path / "none"):
        pass
