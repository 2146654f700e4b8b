"""A directory of our own issue: what it needs, what is never touched, and crashes and races."""

import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority, issue_leaf
from certs.certificate import Certificate, describe
from certs.checks import faults, issued_by
from certs.directory import load, write
from certs.errors import (
    CertificateError,
    ForeignFileError,
    HostError,
    LifetimeError,
    UnreadableFileError,
    UnwritableFileError,
)
from certs.hosts import MOST_HOSTS
from certs.keypair import KeyPair, key_to_pem, new_key
from certs.layout import AUTHORITY_CERTIFICATE, AUTHORITY_KEY, LEAF_CERTIFICATE, LEAF_KEY
from certs.lifetime import AUTHORITY_LIFETIME, LEAF_LIFETIME, SHORTEST, renewal_due
from certs.lock import locked
from certs.selfsigned import IssuedAuthority, IssuedLeaf, Kept, Outcome, ensure
from certs.upkeep import Found

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTS = ["localhost", "127.0.0.1", "::1"]
WRITTEN = (AUTHORITY_KEY, AUTHORITY_CERTIFICATE, LEAF_KEY, LEAF_CERTIFICATE)


def contents(directory: Path) -> dict[str, bytes]:
    return {
        name: (directory / name).read_bytes() for name in WRITTEN if (directory / name).exists()
    }


def read(directory: Path, name: str) -> Certificate:
    return describe((directory / name).read_bytes())[0]


def assert_serves(directory: Path, *, now: datetime = NOW) -> None:
    """The directory loads, for all hosts, with a leaf of its own CA."""
    loaded = load(directory, now=now)
    authority = read(directory, AUTHORITY_CERTIFICATE)
    assert faults(loaded.leaf, now=now, authorities=[authority], hosts=HOSTS) == ()


@pytest.fixture
def issued(tmp_path: Path) -> Path:
    """Return a directory as it is after the first time."""
    directory = tmp_path / "home" / "certs"
    assert isinstance(ensure(directory, HOSTS, now=NOW), IssuedAuthority)
    return directory


def test_an_empty_place_gets_an_authority_and_a_leaf(issued: Path) -> None:
    assert_serves(issued)
    assert read(issued, LEAF_CERTIFICATE).not_after == NOW + LEAF_LIFETIME
    assert read(issued, AUTHORITY_CERTIFICATE).not_after == NOW + AUTHORITY_LIFETIME
    modes = [stat.S_IMODE((issued / name).stat().st_mode) for name in WRITTEN]
    assert modes == [0o600, 0o644, 0o600, 0o644]
    assert stat.S_IMODE(issued.stat().st_mode) == 0o700


def test_no_value_on_the_way_shows_a_key(issued: Path) -> None:
    secret = b"the key's own bytes"
    found = Found(
        directory=issued,
        authority_key=secret,
        authority_certificate=b"public",
        leaf_key=secret,
        leaf_certificate=b"public",
    )
    assert "own bytes" not in repr(found)
    assert "public" in repr(found)


def test_what_is_good_is_kept_and_not_even_locked(issued: Path) -> None:
    before = contents(issued)
    with locked(issued):
        outcome = ensure(issued, HOSTS, now=NOW + 59 * DAY)
    assert isinstance(outcome, Kept)
    assert outcome.leaf == read(issued, LEAF_CERTIFICATE)
    assert contents(issued) == before


@pytest.mark.parametrize("days", [61, 91, 2000])
def test_a_leaf_is_renewed_at_two_thirds_of_its_life_or_later_under_the_same_authority(
    issued: Path, days: int
) -> None:
    before = contents(issued)
    outcome = ensure(issued, HOSTS, now=NOW + days * DAY)
    assert isinstance(outcome, IssuedLeaf)
    assert ("two thirds" in outcome.reason) == (days < 90)
    assert ("expired" in outcome.reason) == (days > 90)
    after = contents(issued)
    assert [name for name in WRITTEN if after[name] != before[name]] == [LEAF_KEY, LEAF_CERTIFICATE]
    assert_serves(issued, now=NOW + days * DAY)


def test_a_leaf_of_the_future_is_issued_again_when_the_clock_goes_back(tmp_path: Path) -> None:
    ensure(tmp_path, HOSTS, now=NOW)
    ensure(tmp_path, HOSTS, now=NOW + 70 * DAY)
    outcome = ensure(tmp_path, HOSTS, now=NOW + DAY)
    assert isinstance(outcome, IssuedLeaf)
    assert "not valid before" in outcome.reason
    with pytest.raises(LifetimeError, match="set the clock right"):
        ensure(tmp_path, HOSTS, now=NOW - DAY)


def test_a_new_host_is_added_and_servers_that_share_the_directory_do_not_fight(
    issued: Path,
) -> None:
    outcome = ensure(issued, ["LOCALHOST", "new.example"], now=NOW)
    assert isinstance(outcome, IssuedLeaf)
    assert outcome.reason == "tls.crt: does not cover new.example"
    assert outcome.leaf.hosts == ("localhost", "new.example", "127.0.0.1", "::1")
    assert isinstance(ensure(issued, HOSTS, now=NOW), Kept)


@pytest.mark.parametrize("days", [61, 91], ids=["in time", "after its end"])
def test_a_renewal_keeps_every_host_that_the_last_leaf_was_for(issued: Path, days: int) -> None:
    outcome = ensure(issued, ["new.example"], now=NOW + days * DAY)
    assert set(outcome.leaf.hosts) == {"new.example", *HOSTS}


def test_a_repair_keeps_every_host_that_the_last_leaf_was_for(issued: Path) -> None:
    (issued / LEAF_KEY).unlink()
    assert set(ensure(issued, ["new.example"], now=NOW).leaf.hosts) == {"new.example", *HOSTS}


def test_added_hosts_never_grow_past_the_limit(issued: Path) -> None:
    many = [f"h{i}.example" for i in range(MOST_HOSTS - 1)]
    assert ensure(issued, many, now=NOW).leaf.hosts == tuple(many)


def test_the_authority_is_renewed_with_its_key_when_a_full_leaf_no_longer_fits(
    issued: Path,
) -> None:
    old = read(issued, AUTHORITY_CERTIFICATE)
    key = (issued / AUTHORITY_KEY).read_bytes()
    fits = old.not_after - LEAF_LIFETIME
    assert isinstance(ensure(issued, HOSTS, now=fits), IssuedLeaf)
    assert read(issued, AUTHORITY_CERTIFICATE) == old
    outcome = ensure(issued, HOSTS, now=fits + DAY)
    assert isinstance(outcome, IssuedAuthority)
    assert outcome.reason == "ca.crt was near its end"
    assert (issued / AUTHORITY_KEY).read_bytes() == key
    assert read(issued, AUTHORITY_CERTIFICATE).not_after == fits + DAY + AUTHORITY_LIFETIME
    assert issued_by(outcome.leaf, old)
    assert_serves(issued, now=fits + DAY)


def test_an_expired_authority_is_renewed(issued: Path) -> None:
    later = NOW + AUTHORITY_LIFETIME + DAY
    assert isinstance(ensure(issued, HOSTS, now=later), IssuedAuthority)
    assert_serves(issued, now=later)


def remove(*names: str) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        for name in names:
            (directory / name).unlink()

    return spoil


def overwrite(name: str, content: bytes) -> Callable[[Path], None]:
    def spoil(directory: Path) -> None:
        (directory / name).write_bytes(content)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (remove(LEAF_CERTIFICATE), "tls.crt was missing"),
        (remove(LEAF_KEY), "tls.key was missing"),
        (remove(LEAF_KEY, LEAF_CERTIFICATE), "tls.crt was missing"),
        (overwrite(LEAF_CERTIFICATE, b"half a certif"), "tls.crt was not a PEM certificate"),
        (overwrite(LEAF_KEY, b""), "tls.key was not an unencrypted private key in PEM"),
        (
            overwrite(LEAF_KEY, key_to_pem(new_key())),
            "tls.crt: the private key is not the certificate's",
        ),
    ],
)
def test_a_damaged_leaf_next_to_a_good_authority_is_issued_again(
    issued: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    authority = read(issued, AUTHORITY_CERTIFICATE)
    spoil(issued)
    outcome = ensure(issued, HOSTS, now=NOW)
    assert isinstance(outcome, IssuedLeaf)
    assert outcome.reason == reason
    assert read(issued, AUTHORITY_CERTIFICATE) == authority
    assert_serves(issued)


def test_a_missing_authority_certificate_is_made_anew_for_its_key(issued: Path) -> None:
    old = read(issued, AUTHORITY_CERTIFICATE)
    remove(AUTHORITY_CERTIFICATE)(issued)
    outcome = ensure(issued, HOSTS, now=NOW)
    assert isinstance(outcome, IssuedAuthority)
    assert outcome.reason == "ca.crt was missing"
    assert issued_by(outcome.leaf, old)
    assert_serves(issued)


def test_without_the_authoritys_key_a_leaf_that_holds_is_kept_and_the_reason_says_so(
    issued: Path,
) -> None:
    remove(AUTHORITY_KEY)(issued)
    outcome = ensure(issued, HOSTS, now=NOW + 80 * DAY)
    assert isinstance(outcome, Kept)
    assert "no ca.key" in outcome.reason


@pytest.mark.parametrize(
    ("spoil", "hosts", "at", "word"),
    [
        (remove(), HOSTS, NOW + 91 * DAY, "expired"),
        (remove(), [*HOSTS, "new.example"], NOW, "does not cover new.example"),
        (remove(LEAF_KEY), HOSTS, NOW, "tls.key was missing"),
        (remove(LEAF_KEY, LEAF_CERTIFICATE), HOSTS, NOW, "tls.crt was missing"),
        (overwrite(LEAF_CERTIFICATE, b"?"), HOSTS, NOW, "tls.crt was not a PEM certificate"),
    ],
)
def test_without_the_authoritys_key_nothing_is_replaced(
    issued: Path, spoil: Callable[[Path], None], hosts: list[str], at: datetime, word: str
) -> None:
    remove(AUTHORITY_KEY)(issued)
    spoil(issued)
    before = contents(issued)
    with pytest.raises(ForeignFileError, match=rf"{word}.*; put ca\.key there"):
        ensure(issued, hosts, now=at)
    assert contents(issued) == before


OTHER = issue_authority("other CA", now=NOW, lifetime=365 * DAY)
OTHER_LEAF = issue_leaf(OTHER, hosts=HOSTS, now=NOW, lifetime=90 * DAY)


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        (overwrite(AUTHORITY_KEY, b"half a k"), "ca.key"),
        (overwrite(AUTHORITY_KEY, OTHER.key_pem), "ca.crt"),
        (overwrite(AUTHORITY_CERTIFICATE, b"?"), "ca.crt"),
        (overwrite(AUTHORITY_CERTIFICATE, OTHER.certificate_pem), "ca.crt"),
        (overwrite(LEAF_CERTIFICATE, OTHER_LEAF.certificate_pem), "tls.crt"),
    ],
)
def test_what_is_not_ours_is_an_error_that_names_it_and_is_never_replaced(
    issued: Path, spoil: Callable[[Path], None], name: str
) -> None:
    spoil(issued)
    before = contents(issued)
    with pytest.raises(ForeignFileError, match=rf"^{issued / name}: .*; "):
        ensure(issued, HOSTS, now=NOW)
    assert contents(issued) == before


def test_a_foreign_leaf_beside_a_lone_authority_key_is_not_replaced(issued: Path) -> None:
    write(issued, OTHER_LEAF)
    remove(AUTHORITY_CERTIFICATE)(issued)
    before = contents(issued)
    with pytest.raises(ForeignFileError, match=r"tls\.crt: not issued by"):
        ensure(issued, HOSTS, now=NOW)
    assert contents(issued) == before


def test_a_certificate_of_the_authoritys_key_that_is_no_authority_is_an_error(
    issued: Path,
) -> None:
    leaf = contents(issued)
    overwrite(AUTHORITY_KEY, leaf[LEAF_KEY])(issued)
    overwrite(AUTHORITY_CERTIFICATE, leaf[LEAF_CERTIFICATE])(issued)
    with pytest.raises(ForeignFileError, match=r"ca\.crt: not the CA certificate of"):
        ensure(issued, HOSTS, now=NOW)


def test_an_authority_from_elsewhere_is_used_but_never_renewed(tmp_path: Path) -> None:
    write(tmp_path, OTHER_LEAF, authority=OTHER)
    later = NOW + 364 * DAY
    assert isinstance(ensure(tmp_path, HOSTS, now=later), IssuedLeaf)
    assert read(tmp_path, LEAF_CERTIFICATE).not_after == NOW + 365 * DAY
    before = contents(tmp_path)
    with pytest.raises(ForeignFileError, match=r"ca\.crt: expired"):
        ensure(tmp_path, HOSTS, now=NOW + 366 * DAY)
    assert contents(tmp_path) == before


def test_an_unreadable_file_is_an_error_and_not_a_missing_one(issued: Path) -> None:
    remove(LEAF_KEY)(issued)
    (issued / LEAF_KEY).mkdir()
    with pytest.raises(UnreadableFileError, match=r"tls\.key: not a regular file"):
        ensure(issued, HOSTS, now=NOW)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere/below")
    with pytest.raises(UnwritableFileError, match="link: "):
        ensure(tmp_path / "link", HOSTS, now=NOW)


@pytest.mark.parametrize("hosts", [[], ["https://x"], ["*.com"]])
def test_hosts_are_judged_before_anything_is_written(tmp_path: Path, hosts: list[str]) -> None:
    with pytest.raises(HostError):
        ensure(tmp_path / "certs", hosts, now=NOW)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("written", range(len(WRITTEN) + 1))
@pytest.mark.parametrize("days", [0, 61, 3600])
def test_after_a_crash_between_any_two_writes_the_next_call_mends_it(
    issued: Path, tmp_path: Path, written: int, days: int
) -> None:
    """Day 0 is the first issue, day 61 a leaf's renewal, day 3600 the authority's."""
    now = NOW + days * DAY
    crashed, old = tmp_path / "crashed", read(issued, AUTHORITY_CERTIFICATE)
    if days:
        shutil.copytree(issued, crashed)
        ensure(issued, HOSTS, now=now)
    crashed.mkdir(exist_ok=True)
    for name in WRITTEN[:written]:
        shutil.copy2(issued / name, crashed / name)
    ensure(crashed, HOSTS, now=now)
    assert_serves(crashed, now=now)
    assert isinstance(ensure(crashed, HOSTS, now=now), Kept)
    if days or written:
        assert issued_by(read(crashed, LEAF_CERTIFICATE), old)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.timedeltas(timedelta(), 800 * DAY), max_size=6),
    st.timedeltas(SHORTEST, 800 * DAY),
    st.timedeltas(SHORTEST, 1600 * DAY),
)
def test_whatever_the_lifetimes_and_however_long_between_calls_it_always_serves(
    pauses: list[timedelta], leaf_lifetime: timedelta, authority_lifetime: timedelta
) -> None:
    now = NOW
    with TemporaryDirectory() as temporary:
        directory = Path(temporary)

        def once() -> Outcome:
            return ensure(
                directory,
                HOSTS,
                now=now,
                leaf_lifetime=leaf_lifetime,
                authority_lifetime=authority_lifetime,
            )

        once()
        key = (directory / AUTHORITY_KEY).read_bytes()
        for pause in pauses:
            now += pause
            outcome = once()
            assert_serves(directory, now=now)
            assert not renewal_due(outcome.leaf, now)
            assert isinstance(once(), Kept)
            authority = read(directory, AUTHORITY_CERTIFICATE)
            assert outcome.leaf.not_after <= authority.not_after
            assert (directory / AUTHORITY_KEY).read_bytes() == key


def test_processes_that_start_at_once_agree_on_one_authority(tmp_path: Path) -> None:
    program = (
        "import datetime, pathlib, sys\n"
        "from certs.selfsigned import ensure\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "now = datetime.datetime.fromisoformat(sys.argv[2])\n"
        "outcome = ensure(pathlib.Path(sys.argv[1]), sys.argv[3:], now=now)\n"
        "print(type(outcome).__name__, outcome.leaf.fingerprint)\n"
    )
    directory = tmp_path / "certs"
    command = [sys.executable, "-c", program, str(directory), NOW.isoformat(), *HOSTS]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0].split() for process in running]
    assert sorted(kind for kind, _ in answers) == ["IssuedAuthority", "Kept", "Kept", "Kept"]
    assert len({fingerprint for _, fingerprint in answers}) == 1
    assert_serves(directory)


def test_threads_that_watch_a_renewal_find_a_good_leaf_or_make_one(issued: Path) -> None:
    later = NOW + 61 * DAY
    outcomes: list[Outcome | CertificateError] = []

    def renew() -> None:
        try:
            outcomes.append(ensure(issued, HOSTS, now=later))
        except CertificateError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=renew) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IssuedLeaf"] + ["Kept"] * 7
    assert_serves(issued, now=later)


def test_an_authority_with_more_than_our_name_in_its_subject_is_somebody_elses(
    tmp_path: Path,
) -> None:
    key = new_key()
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example"),
            x509.NameAttribute(NameOID.COMMON_NAME, "nbgate self-signed CA"),
        ]
    )
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + 30 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority = KeyPair(
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        key_pem=key_to_pem(key),
    )
    leaf = issue_leaf(authority, hosts=HOSTS, now=NOW, lifetime=10 * DAY)
    write(tmp_path, leaf, authority=authority)
    assert isinstance(ensure(tmp_path, HOSTS, now=NOW + 29 * DAY), IssuedLeaf)
    assert contents(tmp_path)[AUTHORITY_CERTIFICATE] == authority.certificate_pem
