"""caBundle: everything that is in it is read, nothing that is needed is lost, and anything at all can be read."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority
from certs.bundle import (
    LARGEST,
    bundle_pem,
    decode_bundle,
    encode_bundle,
    fingerprints,
    merged,
    read_bundle,
)
from certs.certificate import Certificate, describe

NOW = datetime(2026, 5, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def authority(name: str, *, days: int = 100) -> Certificate:
    pair = issue_authority(name, now=NOW - 50 * DAY, lifetime=days * DAY)
    return describe(pair.certificate_pem)[0]


A, B, C = (authority(name) for name in "ABC")
EXPIRED = authority("expired", days=49)
ANY = st.lists(st.sampled_from([A, B, C, EXPIRED]), max_size=6)


@given(ANY)
def test_what_is_written_is_read_again_each_certificate_once_in_order(
    given: list[Certificate],
) -> None:
    distinct = tuple(dict.fromkeys(given))
    assert read_bundle(bundle_pem(given)) == distinct
    assert decode_bundle(encode_bundle(given)) == distinct


@given(ANY, ANY, st.sets(st.sampled_from([A, B, C])))
def test_all_that_is_trusted_is_in_and_nothing_of_somebody_else_goes(
    found: list[Certificate], trusted: list[Certificate], over: set[Certificate]
) -> None:
    names = {one.fingerprint for one in over}
    result = merged(found, trusted, over=names, now=NOW)
    assert set(trusted) <= set(result) <= {*found, *trusted}
    assert {one for one in found if one not in over and one is not EXPIRED} <= set(result)
    assert set(result) - set(trusted) <= set(found) - over - {EXPIRED}
    assert len(result) == len(set(result))
    assert merged(result, trusted, over=names, now=NOW) == result


def test_what_stands_there_keeps_its_place_and_what_is_new_comes_last() -> None:
    assert merged([C, A], [A, B], now=NOW) == (C, A, B)
    assert merged([], [A, B], now=NOW) == (A, B)


def test_one_that_cannot_be_read_hides_no_other() -> None:
    pem = bundle_pem([A, B])
    second = pem.index(b"-----BEGIN", 10)
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    for between in (broken, b"text\n", b"-----BEGIN CERTIFICATE-----\n", b"\xff\x00"):
        assert read_bundle(pem[:second] + between + pem[second:]) == (A, B)


@pytest.mark.parametrize(
    "given", [None, 1, [], "", "x", "-----", "\U0001f600", base64.b64encode(b"hi")]
)
def test_what_is_no_bundle_is_an_empty_one(given: object) -> None:
    assert decode_bundle(given) == ()


def test_what_is_too_long_is_an_empty_one() -> None:
    many = bundle_pem([A]) + b" " * LARGEST
    assert read_bundle(many) == ()
    assert decode_bundle(base64.b64encode(many).decode()) == ()


def test_many_beginnings_without_an_end_take_no_time() -> None:
    assert read_bundle(b"-----BEGIN CERTIFICATE-----" * (LARGEST // 28)) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(bundle_pem([A, B])) - 1), st.binary(max_size=5))
def test_a_bundle_that_was_changed_anywhere_is_still_read(at: int, noise: bytes) -> None:
    pem = bundle_pem([A, B])
    found = read_bundle(pem[:at] + noise + pem[at + len(noise) :])
    assert len(found) <= 2


def test_fingerprints_tell_bundles_apart() -> None:
    assert fingerprints([A, B]) != fingerprints([B, A])
