"""What is written is read back as it was; anything else is passed over: torn, edited, foreign, of another version."""

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.stores.samples import policy_document, scan_document
from webhook.core.policy import read_policy
from webhook.core.scanreading import read_scan
from webhook.core.verdict import build_index
from webhook.stores.snapshotformat import Kept, NotUsable, checksum, read, write

VERSION = "1.2.3"


def image(number: int) -> str:
    return f"registry.example.com/team/notebook-{number}:v1"


def kept(count: int = 3) -> Kept:
    failing = {"verdict": "Violates", "checks": [{"requirement": "uid-1000", "result": "Fail"}]}
    documents = [scan_document(image(n), **(failing if n % 3 else {})) for n in range(count)]
    documents.append({**scan_document(image(-1)), "status": {"phase": "Scanning"}})
    return Kept(
        scans=build_index(map(read_scan, documents)),
        policy=read_policy(policy_document(unscanned="Warn", pod={"runAsUser": None})),
        modes={"a": "warn"},
        heard={"scans": 1.5, "policy": 2.5, "modes": 3.5},
    )


def written(what: Kept) -> bytes:
    return b"".join(write(what, VERSION))


WHOLE = written(kept())

STATUS: dict[str, st.SearchStrategy[Any]] = {
    "phase": st.sampled_from(["Pending", "Scanning", "Complete", "Failed"]),
    "serving": st.sampled_from(["Prefix", "Root", "Unknown"]),
    "verdict": st.sampled_from(["Violates", "Unknown"]),
    "checks": st.lists(
        st.fixed_dictionaries(
            {
                "requirement": st.just("uid-1000"),
                "result": st.just("Fail"),
                "message": st.text(st.characters(codec="utf-8"), max_size=20),
            }
        ),
        min_size=1,
        max_size=1,
    ),
    "facts": st.fixed_dictionaries({"cuda": st.sampled_from([None, True, False])}),
    "resolvedAt": st.sampled_from(["2026-01-02T03:04:05.123456Z", None]),
}


@given(every=st.lists(st.fixed_dictionaries(STATUS), max_size=5))
def test_what_is_written_is_read_back(every: list[dict[str, Any]]) -> None:
    scans = [read_scan(scan_document(image(n), **one)) for n, one in enumerate(every)]
    what = Kept(scans=build_index(scans), heard={"scans": 1.0})
    assert read(written(what), VERSION) == what


def test_more_than_a_line_of_scans_a_policy_and_modes_are_read_back() -> None:
    what = kept(1000)
    found = read(written(what), VERSION)
    assert found == what
    assert found.policy is not None
    # null was written, and means something else than nothing
    assert found.policy.spec.pod.run_as_user is None


def test_scans_share_what_is_the_same() -> None:
    scans = list(read(WHOLE, VERSION).scans.scans())
    same = [one for one in scans if one.verdict == "Violates"]
    assert len(same) == 2
    assert same[0].outcomes is same[1].outcomes
    assert same[0].verdict is same[1].verdict


@settings(max_examples=200)
@given(cut=st.integers(0, len(WHOLE) - 1))
def test_a_torn_file_is_passed_over(cut: int) -> None:
    # the last character is a line's end, which nobody misses
    if WHOLE[:cut] != WHOLE.rstrip():
        with pytest.raises(NotUsable):
            read(WHOLE[:cut], VERSION)


@settings(max_examples=200)
@given(at=st.integers(0, len(WHOLE) - 2), byte=st.integers(0, 255))
def test_an_edited_file_is_passed_over(at: int, byte: int) -> None:
    edited = WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    if edited != WHOLE:
        with pytest.raises(NotUsable):
            read(edited, VERSION)


@pytest.mark.parametrize(
    "data", [b"", b"\n", b"{}", b"\x80\x04K\x01.", b"nbgate-snapshot", b"nbgate-snapshot 2 1.2.3\n"]
)
def test_what_is_no_snapshot_is_passed_over(data: bytes) -> None:
    with pytest.raises(NotUsable, match="no snapshot of nbgate's"):
        read(data, VERSION)


def test_another_version_is_passed_over_whatever_it_holds() -> None:
    with pytest.raises(NotUsable, match="another version"):
        read(WHOLE, "1.2.4")


def forged(*lines: bytes) -> bytes:
    """Make a file of these lines whose checksum is right."""
    whole = b"".join(line + b"\n" for line in (b"nbgate-snapshot 1 1.2.3", *lines))
    return whole + hashlib.sha256(whole).hexdigest().encode() + b"\n"


HEAD = WHOLE.split(b"\n")[1]


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (b"[]",),
        (b"{}",),
        (b"nonsense",),
        (HEAD.replace(b'"modes":{', b'"modes":[{').replace(b'},"heard"', b'}],"heard"'),),
        (HEAD.replace(b'"unscanned":"Warn"', b'"unscanned":"Often"'),),
        (HEAD.replace(b'"scans":1.5', b'"scans":"now"'),),
        (HEAD, b"{}"),
        (HEAD, b'{"outcomes":[],"rows":[[]]}'),
        (HEAD, b'{"outcomes":[],"rows":[[1,2,3]]}'),
        (HEAD, b'{"outcomes":[[["Pass","a","b"]]],"rows":[]}'),
    ],
)
def test_a_right_checksum_over_nonsense_is_no_reason_to_fail(lines: tuple[bytes, ...]) -> None:
    with pytest.raises(NotUsable):
        read(forged(*lines), VERSION)


def test_other_fields_are_another_version() -> None:
    with pytest.raises(NotUsable, match="another version"):
        read(forged(HEAD.replace(b'"name"', b'"title"')), VERSION)


def test_the_checksum_is_the_last_line() -> None:
    assert checksum(WHOLE) == WHOLE.split(b"\n")[-2].decode()
