"""Readiness: ready just when every required condition holds, and each condition is told of, whatever it says."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from webhook.server.health import Condition, render

CONDITIONS = st.lists(
    st.builds(Condition, st.text(max_size=9), st.booleans(), st.text(max_size=20), st.booleans())
)


@given(CONDITIONS)
def test_ready_is_that_all_required_conditions_hold(conditions: list[Condition]) -> None:
    code, body = render(conditions)
    ready = all(c.ok for c in conditions if c.required)
    assert json.loads(body)["ready"] is ready
    assert code == (200 if ready else 503)


@given(CONDITIONS)
def test_each_condition_is_told_of_in_order(conditions: list[Condition]) -> None:
    _, body = render(conditions)
    assert [(c["type"], c["status"], c["message"]) for c in json.loads(body)["conditions"]] == [
        (c.name, "True" if c.ok else "False", c.message) for c in conditions
    ]


@given(CONDITIONS, st.data())
def test_a_condition_that_stops_holding_never_makes_a_replica_ready(
    conditions: list[Condition], data: st.DataObject
) -> None:
    before, _ = render(conditions)
    if conditions:
        index = data.draw(st.integers(0, len(conditions) - 1))
        conditions[index] = replace(conditions[index], ok=False)
    after, _ = render(conditions)
    assert after >= before


@given(CONDITIONS)
def test_the_body_is_one_line_for_curl(conditions: list[Condition]) -> None:
    _, body = render(conditions)
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1


def test_a_condition_is_required_unless_it_is_said_not_to_be() -> None:
    assert render([Condition("A", False, "why")])[0] == 503
    assert render([Condition("A", False, "why", required=False)])[0] == 200
