"""Secret nbgate-ca: what is written is read again, and whatever is wrong with it is taken for the safe case."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.authority import issue_authority, issue_leaf
from certs.certificate import Certificate, describe
from certs.keypair import KeyPair
from certs.rotationstate import (
    NOTES,
    Announced,
    Former,
    Served,
    Signer,
    State,
    read_state,
    retired,
    write_state,
)

NOW = datetime(2026, 5, 4, 1, 2, 3, 4, tzinfo=UTC)
DAY = timedelta(days=1)


def authority(name: str) -> tuple[KeyPair, Certificate]:
    pair = issue_authority(name, now=NOW, lifetime=100 * DAY)
    return pair, describe(pair.certificate_pem)[0]


PAIR, CERTIFICATE = authority("one")
OTHERS = [authority(name)[1] for name in ("two", "three")]
WHOLE = State(
    signer=Signer(pair=PAIR, certificate=CERTIFICATE, leaves_until=NOW + 9 * DAY),
    formers=tuple(
        Former(certificate=one, leaves_until=NOW + DAY * n, forced=bool(n))
        for n, one in enumerate(OTHERS)
    ),
    over={"ab": NOW, "cd": NOW + DAY},
    announced=Announced(to="x/1 y/2", at=NOW),
    served=Served(leaf="ef", at=NOW),
)
MOMENTS = st.datetimes(timezones=st.just(UTC))


@given(
    st.lists(st.tuples(MOMENTS, st.booleans()), max_size=2),
    st.none() | st.builds(Announced, to=st.text(), at=MOMENTS),
    st.none() | st.builds(Served, leaf=st.text(), at=MOMENTS),
)
def test_what_is_written_is_read_again(
    formers: list[tuple[datetime, bool]], announced: Announced | None, served: Served | None
) -> None:
    state = replace(
        WHOLE,
        formers=tuple(
            Former(certificate=one, leaves_until=until, forced=forced)
            for one, (until, forced) in zip(OTHERS, formers, strict=False)
        ),
        announced=announced,
        served=served,
    )
    assert replace(read_state(write_state(state)), noted={}) == state


def test_nothing_is_an_empty_state() -> None:
    assert read_state({}) == State()
    assert read_state(dict.fromkeys(write_state(WHOLE), b"")) == State()


def test_a_signer_whose_key_cannot_be_used_is_a_former_one() -> None:
    data = write_state(WHOLE)
    other = authority("other")[0].key_pem
    for key in (b"", b"x", other):
        state = read_state({**data, "ca.key": key})
        assert state.signer is None
        assert state.formers[-1].certificate == CERTIFICATE
        assert state.formers[-1].leaves_until == NOW + 9 * DAY
        assert state.complaint.startswith("Secret nbgate-ca cannot issue: ca.key")


def test_a_certificate_that_is_no_ca_does_not_sign() -> None:
    leaf = issue_leaf(PAIR, hosts=["a.example"], now=NOW, lifetime=DAY)
    state = read_state({"ca.crt": leaf.certificate_pem, "ca.key": leaf.key_pem})
    assert state.signer is None
    assert "is no CA" in state.complaint


@pytest.mark.parametrize("notes", [b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_without_notes_every_ca_is_kept_until_its_own_end_and_nothing_was_seen(
    notes: bytes,
) -> None:
    state = read_state({**write_state(WHOLE), NOTES: notes})
    assert state.signer is not None
    assert state.signer.leaves_until == CERTIFICATE.not_after
    assert [one.leaves_until for one in state.formers] == [one.not_after for one in OTHERS]
    assert not any(one.forced for one in state.formers)
    assert (state.announced, state.served, state.over) == (None, None, {})
    assert NOTES in state.complaint


WRONG = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)


@settings(max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["leavesUntil", "over", "forced", "announced", "served"]),
        WRONG
        | st.dictionaries(
            st.sampled_from([CERTIFICATE.fingerprint, "to", "leaf", "at"]),
            WRONG | st.sampled_from(["9999-12-31T23:59:59-23:00", "2026-01-01T00:00:00"]),
        ),
    )
)
def test_notes_of_any_shape_are_read(notes: dict[str, object]) -> None:
    state = read_state({**write_state(WHOLE), NOTES: json.dumps(notes).encode()})
    assert state.signer is not None
    assert [one.leaves_until for one in state.formers] == [one.not_after for one in OTHERS]


def test_a_ca_that_was_over_and_signs_again_is_trusted() -> None:
    """Somebody has put it back by hand."""
    state = replace(WHOLE, over={CERTIFICATE.fingerprint: NOW})
    assert read_state(write_state(state)).over == {}


def test_who_retires_by_force_takes_all_former_ones_along() -> None:
    state = retired(WHOLE, forced=True)
    assert state.signer is None
    assert [one.forced for one in state.formers] == [True, True, True]
    assert [one.forced for one in retired(WHOLE, forced=False).formers] == [False, True, False]


def test_no_key_is_shown() -> None:
    assert "PRIVATE" not in repr(WHOLE)
