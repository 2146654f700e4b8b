"""Keys that hold what no key may, and files that the kernel refuses: told with place and cure, the others readable."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.stores.samples import scan_document
from tests.stores.test_secretmirror import ONE, TWO, Mirrored
from webhook.stores.documents import Broken, parse_documents
from webhook.stores.files import UnreadableFile, read_file
from webhook.stores.scandir import load_scans

# Regular files of the kernel's: one that not even root may read, and one of which each read fails.
UNREADABLE = Path("/proc/sys/net/ipv4/route/flush")
FAILING = Path("/sys/class/net/lo/speed")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b'{"a": {"b\\u0000": 1}}', "a.'b\\x00': holds a NUL character; remove it"),
        (b'a: {"b\\0": 1}', "a.'b\\x00': holds a NUL character; remove it (line 1)"),
        (b"a: {.inf: 1}", "a.'.inf': is a key that is no text; quote it (line 1)"),
        (b"a: {1e999: 1}", "a.1e999: is a key that is no text; quote it (line 1)"),
    ],
)
def test_a_key_that_no_cluster_would_take_is_told_with_its_place(data: bytes, fault: str) -> None:
    (broken,) = parse_documents(data)
    assert isinstance(broken, Broken)
    assert [str(one) for one in broken.faults] == [fault]


def test_a_file_that_may_not_be_read_says_what_to_grant() -> None:
    with pytest.raises(UnreadableFile, match="may not be read; grant this user read permission"):
        read_file(UNREADABLE)


def test_a_disk_that_fails_while_a_file_is_read_says_why() -> None:
    with pytest.raises(UnreadableFile, match=r"cannot be read: Invalid argument; check the disk"):
        read_file(FAILING)


@pytest.mark.parametrize("place", [UNREADABLE, FAILING])
def test_a_scan_that_cannot_be_read_hides_no_other(tmp_path: Path, place: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(scan_document()))
    (tmp_path / "b.json").symlink_to(place)
    found = load_scans(tmp_path)
    assert (len(found.scans), found.unreadable) == (1, 1)
    [problem] = found.problems
    assert str(tmp_path / "b.json") in str(problem)


def test_a_folder_with_a_mount_of_somebody_elses_is_told_of_and_left_as_it_is(
    tmp_path: Path,
) -> None:
    """Its `..data` is a folder, not a link, so no rename can put ours in its place."""
    mirrored = Mirrored(tmp_path / "certs")
    mirrored.mirror.prepare()
    theirs = tmp_path / "certs" / "..data"
    theirs.mkdir()
    (theirs / "tls.crt").write_bytes(TWO.certificate_pem)
    (theirs / "tls.key").write_bytes(TWO.key_pem)
    mirrored.cluster.holds(ONE)
    assert not mirrored.mirror.refresh()
    assert "cannot be written" in mirrored.mirror.problem
    assert mirrored.mirror.problem.isprintable()
    assert (theirs / "tls.crt").read_bytes() == TWO.certificate_pem
