"""Three runs change the CA of a directory: at each moment, what is served verifies with what clients were given."""

from __future__ import annotations

import shutil
import ssl
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certs.authority import issue_authority
from certs.certificate import describe
from certs.checks import issued_by
from certs.context import server_context
from certs.directory import load
from certs.errors import CertificateError, ForeignFileError, UnreadableFileError
from certs.handrotation import NEXT_CERTIFICATE, NEXT_KEY, Announced, ChangedOver, Finished, rotate
from certs.selfsigned import Kept, ensure

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
HOSTS = ["localhost", "127.0.0.1"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    found = tmp_path / "certs"
    ensure(found, HOSTS, now=NOW, leaf_lifetime=30 * DAY, authority_lifetime=300 * DAY)
    return found


def verifies(directory: Path, given: bytes) -> bool:
    """Tell whether a client that was given this ca.crt takes what the directory serves, by a real handshake."""
    client = ssl.create_default_context(cadata=given.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    context = server_context(load(directory, now=NOW))
    theirs = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(4):
            for side in (ours, theirs):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLError:
        return False
    return ours.version() is not None


def given(directory: Path) -> bytes:
    return (directory / "ca.crt").read_bytes()


def test_each_run_does_what_is_next_and_clients_keep_up(directory: Path) -> None:
    at_first = given(directory)
    (old,) = describe(at_first)

    announced = rotate(directory, now=NOW)
    assert isinstance(announced, Announced)
    both = given(directory)
    assert describe(both) == announced.authorities
    assert all(verifies(directory, one) for one in (at_first, both))

    changed = rotate(directory, now=NOW)
    assert isinstance(changed, ChangedOver)
    assert not issued_by(changed.leaf, old)
    assert changed.leaf.hosts == tuple(HOSTS)
    assert verifies(directory, both)
    assert verifies(directory, given(directory))
    assert not verifies(directory, at_first)

    finished = rotate(directory, now=NOW)
    assert isinstance(finished, Finished)
    assert len(describe(given(directory))) == 1
    assert all(verifies(directory, one) for one in (both, given(directory)))
    assert {path.name for path in directory.iterdir()} == {
        *(".lock", "ca.crt", "ca.key", "tls.crt", "tls.key")
    }
    assert stat.S_IMODE((directory / "ca.key").stat().st_mode) == 0o600


def test_lifetimes_stay_as_they_were(directory: Path) -> None:
    rotate(directory, now=NOW)
    changed = rotate(directory, now=NOW)
    assert abs(changed.leaf.not_after - NOW - 30 * DAY) < timedelta(minutes=1)
    assert abs(changed.authorities[0].not_after - NOW - 300 * DAY) < timedelta(minutes=1)


@pytest.mark.parametrize("runs", range(4))
def test_a_server_that_renews_by_itself_is_content_after_each_run(
    directory: Path, runs: int
) -> None:
    for _ in range(runs):
        rotate(directory, now=NOW)
    assert isinstance(ensure(directory, HOSTS, now=NOW), Kept)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("runs", range(3))
def test_a_run_that_was_interrupted_after_any_file_is_run_again(
    directory: Path, monkeypatch: pytest.MonkeyPatch, runs: int
) -> None:
    """Files are put in place by rename or removed; the run ends at each of them in its turn."""
    for _ in range(runs):
        rotate(directory, now=NOW)
    for files in range(6):
        copy = directory.parent / f"{files}"
        shutil.copytree(directory, copy)
        before = given(copy)
        interrupt_after(files, monkeypatch)
        with suppress(Interrupted):
            rotate(copy, now=NOW)
        monkeypatch.undo()
        kinds = []
        while "Finished" not in kinds:
            kinds.append(type(rotate(copy, now=NOW)).__name__)
        assert len(kinds) <= 3
        assert len(describe(given(copy))) == 1
        if runs == 1:
            assert verifies(copy, before)


def interrupt_after(files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0

    def counted(real: Callable[..., object]) -> Callable[..., object]:
        def act(path: Path, *rest: Any, **named: Any) -> object:
            nonlocal done
            if path.name.startswith(".") and real is UNLINK:
                return real(path, *rest, **named)  # a temporary file of an earlier write
            if done == files:
                raise Interrupted
            done += 1
            return real(path, *rest, **named)

        return act

    monkeypatch.setattr(Path, "replace", counted(REPLACE))
    monkeypatch.setattr(Path, "unlink", counted(UNLINK))


REPLACE, UNLINK = Path.replace, Path.unlink


def spoil(directory: Path, how: str) -> None:
    other = issue_authority("their CA", now=NOW, lifetime=DAY)
    if how == "another's CA":
        (directory / "ca.crt").write_bytes(other.certificate_pem)
        (directory / "ca.key").write_bytes(other.key_pem)
    elif how == "another's key":
        (directory / "ca.key").write_bytes(other.key_pem)
    elif how == "the next is broken":
        rotate(directory, now=NOW)
        (directory / NEXT_KEY).write_bytes(other.key_pem)
    else:
        (directory / how).unlink()


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [
        ("another's CA", ForeignFileError, "ca.crt: somebody else's CA"),
        ("another's key", ForeignFileError, "ca.key: not the key of CN=nbgate self-signed CA"),
        ("the next is broken", ForeignFileError, "next.key: not the key of"),
        ("ca.key", UnreadableFileError, "ca.key: no such file"),
        ("tls.crt", UnreadableFileError, "tls.crt: no such file"),
    ],
)
def test_what_cannot_be_changed_over_is_not_touched(
    directory: Path, how: str, error: type[CertificateError], words: str
) -> None:
    spoil(directory, how)
    before = {path: path.read_bytes() for path in directory.iterdir()}
    with pytest.raises(error, match=words):
        rotate(directory, now=NOW)
    assert {path: path.read_bytes() for path in directory.iterdir()} == before


def test_without_a_directory_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="no such directory"):
        rotate(tmp_path / "none", now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_next_ca_that_was_not_announced_is_announced_first(directory: Path) -> None:
    before = given(directory)
    rotate(directory, now=NOW)
    next_certificate = (directory / NEXT_CERTIFICATE).read_bytes()
    (directory / "ca.crt").write_bytes(before)
    again = rotate(directory, now=NOW)
    assert isinstance(again, Announced)
    assert again.authorities[-1] == describe(next_certificate)[0]
