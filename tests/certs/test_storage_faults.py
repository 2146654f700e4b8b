"""File systems that lock nothing, keep what should go, or change faster than they are read: each an error of ours."""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path, PosixPath
from typing import Self

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.directory import load, write
from certs.errors import UnusableDirectoryError, UnwritableFileError
from certs.handrotation import NEXT_CERTIFICATE, NEXT_KEY, Finished, rotate
from certs.layout import LEAF_CERTIFICATE, LEAF_KEY
from certs.lock import locked
from certs.selfsigned import ensure

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ["localhost", "127.0.0.1"]


def test_a_file_system_without_locks_is_told_of_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NFS without its lock daemon answers ENOLCK: to write all the same could mix two writers' pairs."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    authority = issue_authority("test CA", now=NOW, lifetime=DAY)
    with pytest.raises(UnwritableFileError, match=r"/\.lock: cannot be written \(No locks avail"):
        write(tmp_path, issue_leaf(authority, hosts=HOSTS, now=NOW, lifetime=DAY))
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
    monkeypatch.undo()
    with locked(tmp_path, patience=0):
        assert True, "who was refused holds nothing"


@pytest.mark.parametrize("name", [NEXT_CERTIFICATE, NEXT_KEY])
def test_a_next_ca_that_cannot_be_removed_is_told_of_what_is_served_is_whole_and_a_run_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The file system turns read-only between the last write and the tidying up after it."""
    ensure(tmp_path, HOSTS, now=NOW)
    announced = rotate(tmp_path, now=NOW)
    monkeypatch.setattr(Path, "unlink", refusing(name))
    with pytest.raises(UnwritableFileError, match=rf"/{name}: cannot be written \(Read-only"):
        rotate(tmp_path, now=NOW)
    monkeypatch.undo()
    assert load(tmp_path, now=NOW).leaf.issuer == announced.authorities[-1].subject
    while not isinstance(rotate(tmp_path, now=NOW), Finished):
        load(tmp_path, now=NOW)
    assert not (tmp_path / NEXT_KEY).exists()
    assert not (tmp_path / NEXT_CERTIFICATE).exists()


UNLINK = Path.unlink


def refusing(name: str) -> Callable[..., None]:
    def unlink(path: Path, *, missing_ok: bool = False) -> None:
        if path.name == name:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        UNLINK(path, missing_ok=missing_ok)

    return unlink


class Restless(PosixPath):
    """A mounted Secret of which another generation is live at each look: a path is made for each."""

    def __truediv__(self, name: str | PathLike[str]) -> Self:
        place = PosixPath(self)
        (place / "..data_tmp").symlink_to(f"..{next(GENERATIONS)}")
        (place / "..data_tmp").replace(place / "..data")
        return super().__truediv__(name)


GENERATIONS = itertools.cycle(range(3))


def test_a_mount_that_changes_faster_than_it_is_read_is_refused_with_reasons_and_not_tried_for_ever(
    tmp_path: Path,
) -> None:
    """Each generation lacks its key, so each try fails; and by the end of each another generation is live."""
    authority = issue_authority("test CA", now=NOW, lifetime=DAY)
    pair = issue_leaf(authority, hosts=HOSTS, now=NOW, lifetime=DAY)
    for number in range(3):
        (tmp_path / f"..{number}").mkdir()
        (tmp_path / f"..{number}" / LEAF_CERTIFICATE).write_bytes(pair.certificate_pem)
    with pytest.raises(UnusableDirectoryError, match=r"/tls\.key: no such file"):
        load(Restless(tmp_path), now=NOW)
    for number in range(3):
        (tmp_path / f"..{number}" / LEAF_KEY).write_bytes(pair.key_pem)
    assert load(Restless(tmp_path), now=NOW).certificate_pem == pair.certificate_pem
