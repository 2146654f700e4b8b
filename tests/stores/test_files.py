"""Files are read whole or not at all, and replaced in one step."""

import os
import socket
import threading
from pathlib import Path

import pytest

from webhook.stores.files import (
    UnreadableFile,
    identity_of,
    read_file,
    sync_folder,
    write_file,
)
from webhook.stores.problem import printable


def refusal(path: Path, limit: int = 100) -> str:
    with pytest.raises(UnreadableFile) as caught:
        read_file(path, limit)
    return str(caught.value)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_read_up_to_its_limit_and_refused_beyond(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 100)
    assert read_file(path, 100).data == b"x" * 100
    assert "has 100 bytes, more than the 99" in refusal(path, 99)


def test_an_empty_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    assert read_file(path).data == b""


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "link").symlink_to("target")
    found = read_file(tmp_path / "link")
    assert (found.data, found.identity) == (b"x", identity_of((tmp_path / "target").stat()))


def test_what_is_no_regular_file_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert "is no regular file" in refusal(tmp_path / "pipe")
        assert "is no regular file" in refusal(Path("/dev/zero"))
        assert "cannot be read" in refusal(tmp_path / "socket")
    assert "is a folder" in refusal(tmp_path)


def test_what_is_not_there_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    assert "is not there" in refusal(tmp_path / "nothing")
    assert "is not there" in refusal(tmp_path / "dangling")
    assert "cannot be read" in refusal(tmp_path / "loop")


def test_a_file_that_is_written_while_it_is_read_is_not_taken_for_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 4_000_000)
    done = threading.Event()

    def write() -> None:
        with path.open("r+b", buffering=0) as file:
            while not done.is_set():
                file.seek(0, os.SEEK_END)
                file.write(b"y")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "changed while it was read" in first_refusal(path)
    finally:
        done.set()
        writer.join()
    assert read_file(path).data[-1:] == b"y"


def first_refusal(path: Path) -> str:
    for _ in range(1000):
        try:
            read_file(path)
        except UnreadableFile as error:
            return str(error)
    return "never refused"


def test_a_written_file_has_the_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for data in (b"one", b"two"):
        write_file(path, data)
        sync_folder(tmp_path)
        assert path.read_bytes() == data
    assert names(tmp_path) == ["file.json"]


def test_a_file_is_made_as_the_umask_wants_it(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "file", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    (path / "kept").touch()
    with pytest.raises(OSError, match="file"):
        write_file(path, b"new")
    assert names(tmp_path) == ["file"]
    assert names(path) == ["kept"]


def test_readers_see_the_old_or_the_new_and_never_a_mixture(tmp_path: Path) -> None:
    path = tmp_path / "file"
    texts = [bytes([n]) * 200_000 for n in b"abc"]
    write_file(path, texts[0])
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            write_file(path, texts[n % 3])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    while not done.is_set():
        seen.add(read_file(path, 1_000_000).data)
    writer.join()
    assert seen <= set(texts)


def test_a_name_of_any_bytes_is_printable_in_one_line() -> None:
    for name in (b"a\nb", b"a\x1b[2Jb", b"a\xffb", "a\u202eb".encode()):
        shown = printable(os.fsdecode(name))
        assert shown.isprintable()
        assert shown.startswith("a")
        assert shown.endswith("b")
    assert printable("/tmp/scans/å.json") == "/tmp/scans/å.json"
