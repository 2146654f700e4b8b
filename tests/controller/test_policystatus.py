"""What a policy's status says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.controller.policystatus import status_of
from webhook.core.actions import Action
from webhook.core.document import format_time
from webhook.core.policy import PolicyStatus
from webhook.core.requirements import REQUIREMENTS

Json = dict[str, Any]
NOW = 1_800_000_000.0
LABELS = [action.label for action in Action]


def policy(name: str = "default", status: object = None, **spec: Any) -> Json:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": name, "generation": 3},
        "spec": spec,
        "status": status,
    }


def test_the_default_policy_denies_is_valid_and_in_force() -> None:
    assert status_of(policy(), NOW) == {
        "observedGeneration": 3,
        "mode": "Deny",
        "valid": True,
        "inForce": True,
        "conditions": [
            {
                "type": "Valid",
                "status": "True",
                "reason": "NoFaults",
                "message": "every field can be followed",
                "lastTransitionTime": format_time(NOW),
            }
        ],
    }


@given(st.fixed_dictionaries({name: st.sampled_from(LABELS) for name in REQUIREMENTS}))
def test_the_mode_is_the_strongest_of_the_seven(actions: dict[str, str]) -> None:
    strongest = max(actions.values(), key=Action.from_label)

    assert status_of(policy(requirements=actions), NOW)["mode"] == strongest


def test_a_requirement_that_is_left_out_denies() -> None:
    actions = dict.fromkeys(REQUIREMENTS[1:], "Off")

    assert status_of(policy(requirements=actions), NOW)["mode"] == "Deny"


def test_of_the_others_none_is_in_force() -> None:
    found = status_of(policy("strict"), NOW)

    assert (found["valid"], found["inForce"]) == (True, False)


def test_every_fault_is_told_with_its_path() -> None:
    found = status_of(policy(stale={"after": "soon"}, unknown="Maybe", surprise=1), NOW)

    [condition] = found["conditions"]
    assert (found["valid"], found["inForce"]) == (False, False)
    assert "mode" not in found
    assert (condition["status"], condition["reason"]) == ("False", "Faults")
    for path in ("spec.stale.after: ", "spec.unknown: ", "spec.surprise: "):
        assert path in condition["message"]


def test_a_thousand_faults_fit_a_condition() -> None:
    spec: Json = {f"field-{number}": 1 for number in range(1000)}

    [condition] = status_of({**policy(), "spec": spec}, NOW)["conditions"]

    assert len(condition["message"]) <= 32_768


@pytest.mark.parametrize("spec", [{}, {"unknown": "Maybe"}])
def test_what_has_not_changed_is_equal_so_that_nothing_is_written(spec: Json) -> None:
    before = status_of(policy(**spec), NOW)

    assert status_of(policy(status=before, **spec), NOW + 5000) == before


def test_a_change_of_validity_is_a_transition_and_only_that() -> None:
    good = status_of(policy(), NOW)
    warned = status_of(policy(status=good, unknown="Deny"), NOW + 10)
    bad = status_of(policy(status=warned, unknown="Maybe"), NOW + 20)

    times = [found["conditions"][0]["lastTransitionTime"] for found in (good, warned, bad)]
    assert times == [format_time(NOW), format_time(NOW), format_time(NOW + 20)]


def test_what_others_wrote_stays() -> None:
    others = {"type": "Reviewed", "status": "True"}

    found = status_of(policy(status={"conditions": [others], "reviewer": "alice"}), NOW)

    assert others in found["conditions"]
    assert found["reviewer"] == "alice"


@pytest.mark.parametrize(
    "status", [None, "text", [], {"conditions": "text"}, {"conditions": [None, 5]}]
)
def test_whatever_stood_there_the_new_one_is_right(status: object) -> None:
    found = status_of(policy(status=status if isinstance(status, dict) else None), NOW)

    assert PolicyStatus.model_validate(found).valid is True
