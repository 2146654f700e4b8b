"""The challenges of WWW-Authenticate, as RFC 9110 has them, and whatever else may stand there."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.scanner.sources.challenge import (
    LENGTH_LIMIT,
    Challenge,
    InvalidChallenge,
    parse_challenges,
)


def parsed(*headers: str) -> list[tuple[str, dict[str, str]]]:
    return [(each.scheme, dict(each.parameters)) for each in parse_challenges(headers)]


def test_what_registries_send_is_read() -> None:
    header = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull"'
    assert parsed(header) == [
        (
            "bearer",
            {
                "realm": "https://auth.docker.io/token",
                "service": "registry.docker.io",
                "scope": "repository:a/b:pull",
            },
        )
    ]
    assert parsed('Basic realm="Registry Realm"') == [("basic", {"realm": "Registry Realm"})]


@pytest.mark.parametrize(
    ("header", "challenges"),
    [
        # RFC 9110, section 11.6.1
        (
            'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
            [
                ("basic", {"realm": "simple"}),
                ("newauth", {"realm": "apps", "type": "1", "title": 'Login to "apps"'}),
            ],
        ),
        ("", []),
        (" , ,\t,", []),
        ("Negotiate", [("negotiate", {})]),
        ("Negotiate YII/abc==, basic", [("negotiate", {}), ("basic", {})]),
        ('BEARER  Realm = x , SERVICE="a,b"', [("bearer", {"realm": "x", "service": "a,b"})]),
        ("Bearer realm=a, realm=b", [("bearer", {"realm": "a"})]),
        ('Bearer realm=""', [("bearer", {"realm": ""})]),
        (",Basic ,Bearer a=b", [("basic", {}), ("bearer", {"a": "b"})]),
    ],
)
def test_challenges_are_told_apart(
    header: str, challenges: list[tuple[str, dict[str, str]]]
) -> None:
    assert parsed(header) == challenges


def test_several_headers_are_one_list() -> None:
    assert parsed("Negotiate", "Basic realm=x") == [("negotiate", {}), ("basic", {"realm": "x"})]


@pytest.mark.parametrize(
    "header",
    [
        "realm=x",
        'Basic realm="x',
        'Basic realm="x" y',
        "=",
        '"',
        "Basic (x)",
        'Bearer "x"',
        "B\u00e9",
        'Basic realm="x\\"',
        "Basic a=b=c",
        "x" * (LENGTH_LIMIT + 1),
    ],
)
def test_what_is_no_list_of_challenges_is_refused(header: str) -> None:
    with pytest.raises(InvalidChallenge):
        parse_challenges([header])


LIKELY = st.text(alphabet='aB =,"\\/\t~:é', max_size=300)


@given(st.lists(st.one_of(st.text(max_size=300), LIKELY), max_size=4))
def test_any_text_is_read_or_refused(headers: list[str]) -> None:
    with suppress(InvalidChallenge):
        assert all(isinstance(each, Challenge) for each in parse_challenges(headers))


_NAMES = st.text(alphabet="abcXYZ0129!#-_", min_size=1, max_size=8)
_VALUES = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(
    st.lists(
        st.tuples(_NAMES, st.dictionaries(_NAMES.map(str.lower), _VALUES, max_size=3)), max_size=4
    )
)
def test_what_is_written_is_read_back(challenges: list[tuple[str, dict[str, str]]]) -> None:
    written = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in values.items())
        for scheme, values in challenges
    )
    assert parsed(written) == [(scheme.lower(), values) for scheme, values in challenges]


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.mark.parametrize(
    "piece",
    ["a", "a=", "a=b,", "a=b", '"', "\\", "a ", " ", ",", 'a="\\', 'a="b",', "a\t=\t", "=", "a/"],
)
def test_the_longest_text_of_any_kind_is_read_at_once(piece: str) -> None:
    text = (piece * LENGTH_LIMIT)[:LENGTH_LIMIT]
    for header in (text, f"Bearer {text}"[:LENGTH_LIMIT], f'Bearer a="{text}'[:LENGTH_LIMIT]):
        begun = time.perf_counter()
        with suppress(InvalidChallenge):
            parse_challenges([header])
        # Linear reading takes 3 ms at most; quadratic would take seconds.
        assert time.perf_counter() - begun < 0.1
