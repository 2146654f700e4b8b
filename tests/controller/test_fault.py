"""How long is waited after a failure: more each time, bounded, and by whose fault it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.fault import Fault, fault_of
from webhook.controller.registries import Registries
from webhook.scanner import errors
from webhook.scanner.sources.transport import Interrupted

HOUR = 3600.0
ERRORS: dict[str, Exception] = {
    "NotFound": errors.NotFound("no such tag"),
    "Unauthorized": errors.Unauthorized("log in"),
    "Refused": errors.Refused("at a private address"),
    "BadContent": errors.BadContent("not a manifest"),
    "Unavailable": errors.SourceError("answers 418"),
    "Unreachable": errors.Unreachable("no answer"),
    "RateLimited": errors.RateLimited("too many requests", 7000.0),
    "ProbeFailed": errors.ProbeError("no node"),
    "ScanFailed": errors.ScanError("something"),
    "InternalError": KeyError("x"),
}
TEMPORARY = ("Unreachable", "RateLimited", "ProbeFailed")
NAMES = st.text(max_size=10)


@pytest.mark.parametrize("reason", ERRORS)
def test_each_kind_of_error_has_a_reason_of_its_own(reason: str) -> None:
    assert fault_of(ERRORS[reason]).reason == reason


def test_the_most_special_kind_counts() -> None:
    assert fault_of(Interrupted("broke off")).reason == "Unreachable"


@given(st.sampled_from(list(ERRORS)), NAMES, st.integers(1, 10_000))
def test_pauses_grow_and_are_bounded(reason: str, name: str, attempts: int) -> None:
    fault = fault_of(ERRORS[reason])
    assert 30 <= fault.pause(name, attempts) <= fault.pause(name, attempts + 1) <= 6.6 * HOUR


@given(NAMES)
def test_what_may_pass_is_tried_sooner_than_what_somebody_must_mend(name: str) -> None:
    pauses = {reason: fault_of(error).pause(name, 1) for reason, error in ERRORS.items()}
    lasting = [pause for reason, pause in pauses.items() if reason not in TEMPORARY]
    assert max(pauses["Unreachable"], pauses["ProbeFailed"]) < min(lasting)
    assert pauses["ProbeFailed"] < pauses["Unreachable"]


def test_a_registry_that_asks_for_patience_gets_it_within_bounds() -> None:
    asked = fault_of(errors.RateLimited("too many", 2 * HOUR))
    greedy = fault_of(errors.RateLimited("too many", 1e9))
    negative = fault_of(errors.RateLimited("too many", -5.0))
    assert asked.pause("x", 1) >= 2 * HOUR
    assert greedy.asked_for == 6 * HOUR
    assert negative.asked_for == fault_of(errors.RateLimited("too many")).asked_for == 0


def test_a_message_is_one_line_of_bounded_length() -> None:
    message = fault_of(ValueError("a\nb" * 1000)).message
    assert message.isprintable()
    assert len(message) <= 500
    assert "please report it: ValueError" in message


# -- registries -----------------------------------------------------------------------------------

SILENT = fault_of(ERRORS["Unreachable"])


def failures(registries: Registries, times: list[float], fault: Fault = SILENT) -> list[float]:
    return [registries.failed("r", fault, at) - at for at in times]


def test_a_silent_registry_is_left_alone_for_longer_each_time() -> None:
    registries = Registries()
    at, pauses = 0.0, []
    for _ in range(8):
        until = registries.failed("r", SILENT, at)
        pauses.append(until - at)
        at = until
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_tries_that_fail_together_are_one_failure() -> None:
    assert failures(Registries(), [0.0, 1.0, 2.0]) == [30, 30, 30]


def test_an_answer_forgets_it_all_and_others_are_asked_meanwhile() -> None:
    registries = Registries()
    failures(registries, [0.0, 30.0])
    assert (registries.free_at("r"), registries.free_at("other"), registries.paused(31)) == (
        90.0,
        0.0,
        1,
    )
    registries.answered("r")
    assert (registries.free_at("r"), registries.paused(31)) == (0.0, 0)
    assert failures(registries, [40.0]) == [30]


def test_it_is_left_alone_for_as_long_as_it_asks_for() -> None:
    assert failures(Registries(), [0.0], fault_of(ERRORS["RateLimited"])) == [7000]


def test_registries_that_are_left_alone_no_more_are_forgotten_before_they_are_too_many() -> None:
    registries = Registries()
    for number in range(20_000):
        registries.failed(f"r{number}.example", SILENT, float(number))

    assert sum(bool(registries.free_at(f"r{number}.example")) for number in range(20_000)) <= 10_000
    assert registries.free_at("r19999.example") > 19_999
