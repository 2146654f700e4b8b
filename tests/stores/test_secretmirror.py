"""A folder that is as a Secret is: taken whole or not at all, and what is good stays."""

import base64
import os
import shutil
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from certs.authority import issue_authority, issue_leaf
from certs.directory import load, version
from certs.errors import CertificateError, ForeignFileError, UnwritableFileError
from certs.keypair import KeyPair
from webhook.kube import SECRETS, Document
from webhook.kubeerrors import KubeError, NotFound, Resource, Unreachable
from webhook.stores.secretmirror import SecretMirror

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)
AUTHORITY = issue_authority("test CA", now=NOW - 50 * DAY, lifetime=200 * DAY)


def leaf(*, at: datetime = NOW, days: int = 30) -> KeyPair:
    return issue_leaf(AUTHORITY, hosts=["nbgate.nbgate-system.svc"], now=at, lifetime=days * DAY)


ONE, TWO = leaf(), leaf()


class Cluster:
    """Holds one Secret, or gives an error."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = {}
        self.error: KubeError | None = None
        self.raw: dict[str, str] | None = None

    def holds(self, pair: KeyPair, **others: bytes) -> None:
        extra = {name.replace("_", "-") + ".crt": content for name, content in others.items()}
        self.files = {"tls.crt": pair.certificate_pem, "tls.key": pair.key_pem, **extra}

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> Document:
        assert (resource, name, namespace) == (SECRETS, "nbgate-tls", "nbgate-system")
        if self.error is not None:
            raise self.error
        if self.files is None:
            return {"kind": "Secret"}
        encoded = self.raw or {
            name: base64.b64encode(held).decode() for name, held in self.files.items()
        }
        return {"kind": "Secret", "data": encoded}


class Mirrored:
    def __init__(self, directory: Path) -> None:
        self.directory, self.cluster, self.now = directory, Cluster(), NOW
        self.mirror = self.another()

    def another(self) -> SecretMirror:
        return SecretMirror(
            self.cluster,
            namespace="nbgate-system",
            directory=self.directory,
            now=lambda: self.now,
        )

    def serves(self, pair: KeyPair) -> bool:
        held = load(self.directory, now=NOW)
        return (held.certificate_pem, held.key_pem) == (pair.certificate_pem, pair.key_pem)


@pytest.fixture
def mirrored(tmp_path: Path) -> Mirrored:
    found = Mirrored(tmp_path / "certs")
    found.mirror.prepare()
    return found


def test_what_is_good_is_there_to_be_served(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(ONE, ca=AUTHORITY.certificate_pem)
    assert mirrored.mirror.refresh()
    assert mirrored.serves(ONE)
    assert (mirrored.directory / "ca.crt").read_bytes() == AUTHORITY.certificate_pem
    assert (mirrored.directory / "tls.crt").read_bytes() == ONE.certificate_pem
    assert mirrored.mirror.problem == ""


def test_only_its_owner_can_read_it(mirrored: Mirrored) -> None:
    umask = os.umask(0)
    try:
        mirrored.cluster.holds(ONE, client_ca=AUTHORITY.certificate_pem)
        mirrored.mirror.refresh()
    finally:
        os.umask(umask)
    live = (mirrored.directory / "..data").resolve()
    assert stat.S_IMODE(mirrored.directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(live.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in live.iterdir()} == {0o600}


def test_what_is_the_same_is_not_written_again(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(ONE)
    mirrored.mirror.refresh()
    before = version(mirrored.directory)
    assert not mirrored.mirror.refresh()
    assert not mirrored.another().refresh()
    assert version(mirrored.directory) == before


def test_a_new_pair_takes_the_place_of_the_old_one_and_nothing_is_left_of_it(
    mirrored: Mirrored,
) -> None:
    mirrored.cluster.holds(ONE, ca=AUTHORITY.certificate_pem)
    mirrored.mirror.refresh()
    before = version(mirrored.directory)
    mirrored.cluster.holds(TWO)
    assert mirrored.mirror.refresh()
    assert mirrored.serves(TWO)
    assert version(mirrored.directory) != before
    names = {path.name for path in mirrored.directory.iterdir()}
    live = (mirrored.directory / "..data").readlink().name
    assert names == {".lock", "..data", live, "tls.crt", "tls.key"}


def swaps_seen(mirrored: Mirrored, swaps: int) -> int:
    """Load all the time while pairs are swapped; every load must give a whole pair. Count the loads."""
    done, loads = threading.Event(), 0
    failures: list[CertificateError] = []

    def read() -> None:
        nonlocal loads
        while not done.is_set():
            try:
                load(mirrored.directory, now=NOW)
            except CertificateError as error:
                failures.append(error)
            loads += 1

    thread = threading.Thread(target=read)
    thread.start()
    for number in range(swaps):
        mirrored.cluster.holds((ONE, TWO)[number % 2])
        assert mirrored.mirror.refresh()
    done.set()
    thread.join()
    assert failures == []
    return loads


def test_nobody_ever_sees_half_of_a_pair(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(TWO)
    mirrored.mirror.refresh()
    assert swaps_seen(mirrored, 40) > 40


def without(name: str) -> Callable[[Cluster], None]:
    def change(cluster: Cluster) -> None:
        cluster.holds(TWO)
        assert cluster.files is not None
        del cluster.files[name]

    return change


def put(**files: bytes) -> Callable[[Cluster], None]:
    def change(cluster: Cluster) -> None:
        cluster.holds(TWO)
        assert cluster.files is not None
        cluster.files |= {name.replace("_", "."): content for name, content in files.items()}

    return change


BAD: dict[str, tuple[Callable[[Cluster], None], str]] = {
    "empty": (lambda c: setattr(c, "files", {}), "holds no tls.crt and no tls.key"),
    "no data": (lambda c: setattr(c, "files", None), "holds no tls.crt and no tls.key"),
    "no key": (without("tls.key"), "holds no tls.key"),
    "emptied": (put(tls_crt=b""), "holds no tls.crt"),
    "nonsense": (put(tls_crt=b"nonsense"), "tls.crt: no PEM certificate"),
    "mismatch": (put(tls_key=ONE.key_pem), "the private key is not the certificate's"),
    "expired": (lambda c: c.holds(leaf(at=NOW - 40 * DAY)), "tls.crt: expired"),
    "not yet": (lambda c: c.holds(leaf(at=NOW + 4 * DAY)), "tls.crt: not valid before"),
    "no client CA": (
        lambda c: c.holds(TWO, client_ca=TWO.certificate_pem),
        "client-ca.crt: holds no CA certificate",
    ),
    "gone": (lambda c: setattr(c, "error", NotFound("cannot get: not found")), "not found"),
    "away": (lambda c: setattr(c, "error", Unreachable("no answer")), "no answer"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_good_is_told_and_the_last_good_pair_stays(
    mirrored: Mirrored, case: str
) -> None:
    change, words = BAD[case]
    mirrored.cluster.holds(ONE)
    mirrored.mirror.refresh()
    change(mirrored.cluster)
    assert not mirrored.mirror.refresh()
    assert words in mirrored.mirror.problem
    assert "\n" not in mirrored.mirror.problem
    # the Secret is named, and not the folder that nobody can change anything in
    assert str(mirrored.directory) not in mirrored.mirror.problem
    assert mirrored.serves(ONE)
    assert len([p for p in mirrored.directory.iterdir() if p.name.startswith("..")]) == 2
    mirrored.cluster.error = None
    mirrored.cluster.holds(TWO)
    assert mirrored.mirror.refresh()
    assert mirrored.mirror.problem == ""


def test_a_pair_that_is_not_valid_yet_is_taken_when_its_time_comes(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(leaf(at=NOW + 4 * DAY))
    assert not mirrored.mirror.refresh()
    mirrored.now = NOW + 5 * DAY
    assert mirrored.mirror.refresh()


def test_what_is_not_base64_is_told(mirrored: Mirrored) -> None:
    mirrored.cluster.raw = {"tls.crt": "a", "tls.key": "b"}
    assert not mirrored.mirror.refresh()
    assert "is not written in base64" in mirrored.mirror.problem


def test_what_a_process_left_that_ended_in_between_is_cleared(mirrored: Mirrored) -> None:
    (mirrored.directory / "..dead").mkdir()
    (mirrored.directory / "..dead" / "tls.key").write_bytes(b"half")
    (mirrored.directory / "..data_tmp").symlink_to("..dead")
    mirrored.cluster.holds(ONE)
    assert mirrored.mirror.refresh()
    assert not (mirrored.directory / "..dead").exists()
    assert mirrored.serves(ONE)


def test_processes_may_mirror_at_once(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(ONE)
    mirrors = [mirrored.another() for _ in range(6)]
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda m=m: taken.append(m.refresh())) for m in mirrors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 1
    assert {mirror.problem for mirror in mirrors} == {""}


# Folders that are no good


def test_a_folder_of_our_own_issue_is_left_alone(tmp_path: Path) -> None:
    mirrored = Mirrored(tmp_path)
    (tmp_path / "ca.key").touch()
    with pytest.raises(ForeignFileError, match="set NBGATE_HOME to another folder"):
        mirrored.mirror.prepare()


@pytest.mark.parametrize("kind", ["file", "below a file", "proc"])
def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path, kind: str) -> None:
    (tmp_path / "file").touch()
    places = {"file": tmp_path / "file", "below a file": tmp_path / "file" / "x"}
    mirrored = Mirrored(places.get(kind, Path("/proc/nbgate")))
    with pytest.raises(UnwritableFileError, match="choose a directory"):
        mirrored.mirror.prepare()
    mirrored.cluster.holds(ONE)
    assert not mirrored.mirror.refresh()
    assert "cannot be written" in mirrored.mirror.problem


def test_a_folder_that_is_gone_is_told(mirrored: Mirrored) -> None:
    mirrored.cluster.holds(ONE)
    shutil.rmtree(mirrored.directory)
    assert not mirrored.mirror.refresh()
    assert "cannot be written" in mirrored.mirror.problem
