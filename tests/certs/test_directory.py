"""A directory as a Secret mounts it: loaded whole or refused with every reason, written safely."""

import shutil
import stat
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority, issue_leaf
from certs.certificate import describe
from certs.directory import ServingPair, load, version, write
from certs.errors import UnusableDirectoryError, UnwritableFileError
from certs.files import LARGEST_FILE, replace
from certs.keypair import KeyPair
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY
from certs.lock import locked

NOW = datetime(2026, 5, 4, tzinfo=UTC)
MONTH = timedelta(days=30)
AUTHORITY = issue_authority("test CA", now=NOW, lifetime=12 * MONTH)
ONE, TWO = (issue_leaf(AUTHORITY, hosts=[h], now=NOW, lifetime=MONTH) for h in ("one", "two"))


def refusal(directory: Path, *, now: datetime = NOW) -> list[str]:
    """Return why a directory cannot be loaded."""
    with pytest.raises(UnusableDirectoryError) as caught:
        load(directory, now=now)
    assert str(caught.value) == "; ".join(map(str, caught.value.errors))
    return [str(error) for error in caught.value.errors]


def mount(directory: Path, generation: str, pair: KeyPair) -> None:
    """Write a pair as kubelet's AtomicWriter does: a new directory, one rename, the old one removed."""
    data = directory / "..data"
    old = data.resolve() if data.is_symlink() else None
    fresh = directory / generation
    fresh.mkdir(parents=True)
    (fresh / "tls.crt").write_bytes(pair.certificate_pem)
    (fresh / "tls.key").write_bytes(pair.key_pem)
    (directory / "..data_tmp").symlink_to(generation)
    (directory / "..data_tmp").replace(data)
    for name in ("tls.crt", "tls.key"):
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")
    if old is not None:
        shutil.rmtree(old)


def is_pair(loaded: ServingPair, *pairs: KeyPair) -> bool:
    return any(
        (loaded.certificate_pem, loaded.key_pem) == (pair.certificate_pem, pair.key_pem)
        for pair in pairs
    )


def test_what_is_written_is_loaded(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    loaded = load(tmp_path, now=NOW)
    assert is_pair(loaded, ONE)
    assert (loaded.leaf,) == describe(ONE.certificate_pem)
    assert (loaded.certificate_path, loaded.key_path) == (
        tmp_path / "tls.crt",
        tmp_path / "tls.key",
    )
    assert (loaded.client_ca_path, loaded.client_authorities) == (None, ())
    assert loaded.version == version(tmp_path)


def test_a_loaded_key_never_shows(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    shown = repr(load(tmp_path, now=NOW))
    assert ONE.key_pem.decode().splitlines()[1] not in shown
    assert "PRIVATE" not in shown


def test_keys_are_for_their_owner_alone_and_certificates_for_all(tmp_path: Path) -> None:
    directory = tmp_path / "certs"
    write(directory, ONE, authority=AUTHORITY)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.glob("*.*")}
    assert modes["tls.key"] == modes["ca.key"] == 0o600
    assert modes["tls.crt"] == modes["ca.crt"] == 0o644
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert not list(directory.glob(".*.new"))


def test_a_key_is_written_before_its_certificate(tmp_path: Path) -> None:
    write(tmp_path, ONE, authority=AUTHORITY)
    (tmp_path / "tls.crt").unlink()
    (tmp_path / "tls.crt").mkdir()
    with pytest.raises(UnwritableFileError, match=r"tls\.crt"):
        write(tmp_path, TWO)
    assert (tmp_path / "tls.key").read_bytes() == TWO.key_pem


def test_two_writers_never_mix_their_pairs(tmp_path: Path) -> None:
    writing = threading.Thread(target=write, args=(tmp_path, ONE))
    with locked(tmp_path):
        writing.start()
        time.sleep(0.1)
        assert not (tmp_path / "tls.key").exists()
    writing.join()
    assert is_pair(load(tmp_path, now=NOW), ONE)


def test_a_chain_behind_the_leaf_is_kept(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    chain = ONE.certificate_pem + AUTHORITY.certificate_pem
    (tmp_path / "tls.crt").write_bytes(chain)
    loaded = load(tmp_path, now=NOW)
    assert loaded.certificate_pem == chain
    assert loaded.leaf.hosts == ("one",)


def test_a_leaf_that_does_not_stand_first_is_refused_with_the_cure(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    (tmp_path / "tls.crt").write_bytes(AUTHORITY.certificate_pem + ONE.certificate_pem)
    assert any("first in its chain" in reason for reason in refusal(tmp_path))


def test_between_the_two_steps_of_a_swap_there_is_an_error_and_no_pair(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    replace(tmp_path / "tls.key", TWO.key_pem, mode=0o600)
    (reason,) = refusal(tmp_path)
    assert reason.startswith(f"{tmp_path / 'tls.key'}: the private key is not the certificate's")
    replace(tmp_path / "tls.crt", TWO.certificate_pem, mode=0o644)
    assert is_pair(load(tmp_path, now=NOW), TWO)


def test_while_a_writer_writes_a_reader_gets_a_whole_pair_or_a_mismatch(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    done = threading.Event()

    def swap() -> None:
        for i in range(40):
            write(tmp_path, (TWO, ONE)[i % 2])
        done.set()

    writer = threading.Thread(target=swap)
    writer.start()
    pairs = 0
    while not done.is_set():
        try:
            assert is_pair(load(tmp_path, now=NOW), ONE, TWO)
            pairs += 1
        except UnusableDirectoryError as error:
            assert "the private key is not the certificate's" in str(error)  # noqa: PT017  either is right
    writer.join()
    assert pairs


def test_a_mounted_secret_is_read_through_one_directory_and_never_fails_in_a_swap(
    tmp_path: Path,
) -> None:
    mount(tmp_path, "..g0", ONE)
    done = threading.Event()

    def swap() -> None:
        for i in range(1, 40):
            mount(tmp_path, f"..g{i}", (ONE, TWO)[i % 2])
            time.sleep(0.02)
        done.set()

    kubelet = threading.Thread(target=swap)
    kubelet.start()
    loads = 0
    while not done.is_set():
        assert is_pair(load(tmp_path, now=NOW), ONE, TWO)
        loads += 1
    kubelet.join()
    assert loads > 40
    assert load(tmp_path, now=NOW).version == version(tmp_path)


def test_a_swap_of_the_mounted_directory_is_a_new_version(tmp_path: Path) -> None:
    mount(tmp_path, "..g0", ONE)
    before = version(tmp_path)
    assert version(tmp_path) == before
    mount(tmp_path, "..g1", ONE)
    assert version(tmp_path) != before


@pytest.mark.parametrize("name", ["tls.crt", "tls.key", "client-ca.crt"])
def test_each_served_file_makes_the_version(tmp_path: Path, name: str) -> None:
    write(tmp_path, ONE)
    (tmp_path / "client-ca.crt").write_bytes(AUTHORITY.certificate_pem)
    seen = {version(tmp_path)}
    replace(tmp_path / name, (tmp_path / name).read_bytes(), mode=0o644)
    seen.add(version(tmp_path))
    (tmp_path / name).unlink()
    seen.add(version(tmp_path))
    assert len(seen) == 3


def test_a_version_never_raises(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert version(tmp_path / "none") == version(tmp_path / "nowhere")
    assert version(tmp_path / "file")
    assert version(tmp_path / "loop")


def test_an_empty_directory_is_refused_with_both_files_named(tmp_path: Path) -> None:
    reasons = refusal(tmp_path)
    assert [reason.split(": ")[0] for reason in reasons] == [
        str(tmp_path / "tls.crt"),
        str(tmp_path / "tls.key"),
    ]


def test_every_reason_comes_at_once_and_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "tls.crt").write_bytes(ONE.certificate_pem)
    (tmp_path / "tls.key").write_bytes(b"x" * (LARGEST_FILE + 1))
    (tmp_path / "client-ca.crt").write_bytes(b"none")
    reasons = refusal(tmp_path, now=NOW + 2 * MONTH)
    assert [Path(reason.split(": ")[0]).name for reason in reasons] == [
        "tls.key",
        "client-ca.crt",
        "tls.crt",
    ]
    assert "expired" in reasons[2]


@pytest.mark.parametrize(
    ("now", "word"), [(NOW - MONTH, "not valid before"), (NOW + 2 * MONTH, "expired")]
)
def test_a_certificate_that_does_not_hold_now_is_refused(
    tmp_path: Path, now: datetime, word: str
) -> None:
    write(tmp_path, ONE)
    (reason,) = refusal(tmp_path, now=now)
    assert reason.startswith(f"{tmp_path / 'tls.crt'}: {word}")


def test_client_authorities_are_loaded_and_one_that_holds_is_enough(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    old = issue_authority("old CA", now=NOW - MONTH, lifetime=timedelta(days=1))
    (tmp_path / "client-ca.crt").write_bytes(old.certificate_pem + AUTHORITY.certificate_pem)
    loaded = load(tmp_path, now=NOW)
    assert loaded.client_ca_path == tmp_path / "client-ca.crt"
    assert [ca.subject for ca in loaded.client_authorities] == ["CN=old CA", "CN=test CA"]


@pytest.mark.parametrize("content", ["leaf", "old CA"])
def test_client_authorities_of_which_none_holds_are_refused(tmp_path: Path, content: str) -> None:
    write(tmp_path, ONE)
    old = issue_authority("old CA", now=NOW - MONTH, lifetime=timedelta(days=1))
    pem = ONE.certificate_pem if content == "leaf" else old.certificate_pem
    (tmp_path / "client-ca.crt").write_bytes(pem)
    (reason,) = refusal(tmp_path)
    assert "client-ca.crt: holds no CA certificate that is valid now" in reason


def test_files_that_are_not_served_are_not_read(tmp_path: Path) -> None:
    write(tmp_path, ONE)
    (tmp_path / AUTHORITY_CERTIFICATE).write_bytes(b"none")
    (tmp_path / AUTHORITY_KEY).mkdir()
    assert is_pair(load(tmp_path, now=NOW), ONE)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["tls.crt", "tls.key", "client-ca.crt"]), st.integers(0, 2000), st.binary())
def test_a_corrupt_file_gives_our_error_or_a_whole_pair(
    tmp_path_factory: pytest.TempPathFactory, name: str, at: int, junk: bytes
) -> None:
    directory = tmp_path_factory.getbasetemp() / "corrupt"
    directory.mkdir(exist_ok=True)
    contents = {
        "tls.crt": ONE.certificate_pem,
        "tls.key": ONE.key_pem,
        "client-ca.crt": AUTHORITY.certificate_pem,
    }
    contents[name] = contents[name][:at] + junk
    for file, content in contents.items():
        (directory / file).write_bytes(content)
    try:
        loaded = load(directory, now=NOW)
    except UnusableDirectoryError as error:
        assert str(error).startswith(str(directory / name))  # noqa: PT017  either is right
    else:
        assert loaded.leaf.hosts == ("one",)


def test_a_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Not a directory" in refusal(tmp_path / "file")[0]
    with pytest.raises(UnwritableFileError):
        write(tmp_path / "file", ONE)
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
