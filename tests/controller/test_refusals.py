"""Refusals are read from Kubernetes' words, and become Events with ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.notices import event_on, one_line
from webhook.controller.refusal import Refusal, refusal_in, worth_saying

Json = dict[str, Any]
NOW = 1_800_000_000.0
OURS = "image x:1 does not work as a notebook: [uid-1000] user root has UID 0. Fix: https://h"
AROUND = (
    "create Pod nb-0 in StatefulSet nb failed error: "
    'admission webhook "pods.nbgate.dev" denied the request: '
)
NOTEBOOK = {
    "apiVersion": "kubeflow.org/v1",
    "kind": "Notebook",
    "metadata": {"name": "nb", "namespace": "team", "uid": "1-2-3"},
}


def event(message: object = AROUND + OURS, **fields: object) -> Json:
    return {
        "metadata": {
            "name": "nb.17",
            "namespace": "team",
            "creationTimestamp": "2027-01-15T08:00:00Z",
        },
        "involvedObject": {"kind": "StatefulSet", "name": "nb", "namespace": "team"},
        "message": message,
        "lastTimestamp": "2027-01-15T08:00:10Z",
        **fields,
    }


def test_our_words_are_found_among_kubernetes() -> None:
    assert refusal_in(event()) == Refusal(namespace="team", name="nb", message=OURS, at=NOW + 10)


@pytest.mark.parametrize(
    "message",
    [
        "",
        OURS,
        AROUND.replace("pods.nbgate.dev", "pods.nbgate.dev.evil.com") + OURS,
        AROUND.replace("pods.nbgate.dev", "podsXnbgateXdev") + OURS,
        AROUND.replace("denied the request", "failed") + OURS,
        'pods "nb-0" is forbidden: exceeded quota: q',
        None,
        5,
    ],
)
def test_what_others_say_is_no_refusal_of_ours(message: object) -> None:
    assert refusal_in(event(message)) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"involvedObject": None},
        {"involvedObject": {"name": ""}},
        {"involvedObject": {"name": 5}},
        {"involvedObject": {"name": "."}},
        {"involvedObject": {"name": ".."}},
        {"involvedObject": {"name": "a/b"}},
        {"involvedObject": {"name": "n" * 254}},
        {"lastTimestamp": None, "metadata": {"namespace": "team"}},
    ],
)
def test_what_cannot_be_understood_is_none_either(fields: Json) -> None:
    assert refusal_in(event(**fields)) is None


def test_the_namespace_is_where_the_event_was_allowed_to_be_written() -> None:
    elsewhere = {"kind": "StatefulSet", "name": "nb", "namespace": "victim"}

    found = refusal_in(event(involvedObject=elsewhere))

    assert found is not None
    assert found.namespace == "team"


@pytest.mark.parametrize(
    ("fields", "after"),
    [
        ({}, 10),
        ({"lastTimestamp": None, "eventTime": "2027-01-15T08:00:05.123456Z"}, 5.123456),
        ({"lastTimestamp": None}, 0),
        ({"lastTimestamp": "yesterday"}, 0),
    ],
)
def test_the_time_is_that_of_the_last_retry_as_far_as_it_is_known(
    fields: Json, after: float
) -> None:
    found = refusal_in(event(**fields))

    assert found is not None
    assert found.at == NOW + after


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("image x is not admitted: [unscanned] its scan is under way. Fix: u", "ScanPending"),
        ("image x does not work as a notebook: [unscanned] a; [registry] b", "NotebookRefused"),
        ("image x does not work as a notebook: [uid-1000] root", "NotebookRefused"),
        ("image x, and so on: 9 violations: [unscanned] 9x", "ScanPending"),
        ("", "NotebookRefused"),
    ],
)
def test_the_reason_tells_waiting_from_refused(message: str, reason: str) -> None:
    assert Refusal(namespace="n", name="nb", message=message, at=NOW).reason == reason


@pytest.mark.parametrize(
    ("age", "said", "worth"),
    [
        (0, None, True),
        (3600, None, True),
        (3601, None, False),
        (0, 1, False),
        (0, 3599, False),
        (0, 3600, True),
    ],
)
def test_it_is_said_once_an_hour_while_it_goes_on(
    age: float, said: float | None, *, worth: bool
) -> None:
    refusal = Refusal(namespace="n", name="nb", message="m", at=NOW - age)

    assert worth_saying(refusal, None if said is None else NOW - said, NOW) is worth


# -- our event ------------------------------------------------------------------------------------


def test_the_event_is_on_the_notebook_and_in_our_name() -> None:
    made = event_on(NOTEBOOK, "Warning", "NotebookRefused", OURS, NOW)

    assert made["involvedObject"] == {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "name": "nb",
        "namespace": "team",
        "uid": "1-2-3",
    }
    assert (made["type"], made["reason"], made["message"]) == ("Warning", "NotebookRefused", OURS)
    assert made["source"] == {"component": "nbgate"}
    assert made["firstTimestamp"] == made["lastTimestamp"] == "2027-01-15T08:00:00Z"
    assert made["metadata"]["namespace"] == "team"


def name(notebook: Json = NOTEBOOK, reason: str = "R", message: str = "m", at: float = NOW) -> str:
    made: str = event_on(notebook, "Warning", reason, message, at)["metadata"]["name"]
    return made


def test_the_same_word_on_the_same_notebook_has_the_same_name_whenever_it_is_said() -> None:
    assert name() == name(at=NOW + 5000)


def test_another_word_or_another_notebook_of_that_name_has_another() -> None:
    again = {**NOTEBOOK, "metadata": {**NOTEBOOK["metadata"], "uid": "4-5-6"}}  # type: ignore[dict-item]

    assert len({name(), name(again), name(message="n"), name(reason="S")}) == 4


def test_a_long_name_stays_a_name() -> None:
    meta = {"name": "a" * 199 + "-" * 20 + "b" * 30, "namespace": "team", "uid": "1"}

    made = name({**NOTEBOOK, "metadata": meta})

    assert len(made) <= 253
    assert "-." not in made


@given(st.text(max_size=3000))
def test_every_message_is_one_printable_line_of_a_kib(text: str) -> None:
    said = one_line(text)

    assert said.isprintable()
    assert len(said.encode()) <= 1024


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=1024))
def test_what_is_fit_stays_as_it_is(text: str) -> None:
    assert one_line(text) == text.strip()
