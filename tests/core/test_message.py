"""The words for people: one line, at most 1 KiB, the same at every retry, no rule left out."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    DAY,
    HELP,
    IMAGE,
    NOW,
    Json,
    container,
    finished_container,
    finished_pod,
    notebook,
    pending_document,
    request,
    review,
    scan_document,
    snapshot,
)
from webhook.core.decision import Decision, mutate, validate
from webhook.core.document import Fault
from webhook.core.message import bounded, denial, policy_denial
from webhook.core.requirements import REQUIREMENTS
from webhook.core.review import Request, parse_review

TEXT = st.text(st.characters(codec="utf-8"), max_size=400)
FAILS = st.dictionaries(st.sampled_from(REQUIREMENTS), st.text(max_size=1000), max_size=7)


def judge(source: Json, *scans: Json, now: float = NOW, **spec: Any) -> Decision:
    return validate(request(source), snapshot(*scans, **spec), now)


def test_the_message_of_the_contract() -> None:
    known = scan_document(
        "quay.io/x/y:1",
        fails={"uid-1000": "user root has UID 0", "nb-prefix": "404 under NB_PREFIX"},
    )
    source = notebook({"name": "my-nb", "image": "quay.io/x/y:1"})
    assert judge(source, known, helpURL="https://help.example.com/").message == (
        "image quay.io/x/y:1 does not work as a notebook: [nb-prefix] 404 under NB_PREFIX; "
        "[uid-1000] user root has UID 0. Fix: https://help.example.com/"
    )


def test_violations_are_grouped_by_container() -> None:
    source = finished_pod(
        finished_container(env=[]),
        container("a", "B"),
        initContainers=[container("b", "quay.io/x/y")],
    )
    message = judge(source, scan_document(), registries={"allow": ["ghcr.io/**"]}).message
    assert message == (
        "container my-nb is not admitted: [pod-prefix] NB_PREFIX must be set once, to "
        "/notebook/team-a/my-nb; container a: image B is not admitted: [reference] repository "
        "names are lower-case: write 'b'; init container b: image quay.io/x/y is not admitted: "
        f"[registry] quay.io/x/y is not in an allowed registry: use ghcr.io/**. Fix: {HELP}"
    )


def test_an_image_that_is_missing_is_said_to_be() -> None:
    known = snapshot(scan_document(), modes={"team-a": "warn"})
    source = finished_pod(finished_container(), container("a", ""))
    refused = judge(source, scan_document()).message
    assert refused.startswith("container a: image (none) is not admitted: [reference] it is empty:")
    (warning,) = validate(request(source), known, NOW).warnings
    assert warning.startswith("[reference] image (none): it is empty:")


@given(
    images=st.lists(TEXT | st.sampled_from([IMAGE, "B", "x" * 10_000]), min_size=1, max_size=60),
    names=st.lists(TEXT, min_size=60, max_size=60),
    fails=FAILS,
    address=st.sampled_from(["", "https://h.example.com/" + "x" * 166]),
)
def test_a_message_is_one_printable_line_of_at_most_1024_bytes(
    images: list[str], names: list[str], fails: dict[str, str], address: str
) -> None:
    containers = [container(name, image) for name, image in zip(names, images, strict=False)]
    source = finished_pod(*containers, finished_container())
    decision = judge(source, scan_document(fails=fails), helpURL=address)
    if not decision.denied:
        return
    assert len(decision.message.encode()) <= 1024
    assert decision.message.isprintable()
    assert decision.message.endswith(f". Fix: {address or HELP}")
    for violation in decision.denied:
        assert f"[{violation.rule}]" in decision.message
    for warning in decision.warnings:
        assert len(warning) <= 120
        assert warning.isprintable()


def test_every_rule_is_named_however_many_containers_break_it() -> None:
    many = [container(f"c{number}", "B" * 300) for number in range(190)]
    known = scan_document(fails=dict.fromkeys(REQUIREMENTS, "no " * 300))
    source = finished_pod(container(), *many, volumes=[])
    decision = judge(source, known, stale={"after": "1h", "action": "Deny"})
    rules = {violation.rule for violation in decision.denied}
    assert rules == {
        *REQUIREMENTS,
        "reference",
        "stale",
        "pod-prefix",
        "pod-uid",
        "pod-home",
        "pod-digest",
    }
    assert decision.message.startswith("image ghcr.io/kubeflow/")
    assert ", and so on: 202 violations: [stale] 1x; [port-8888] 1x; " in decision.message
    assert "[reference] 190x" in decision.message
    assert len(decision.message.encode()) <= 1024


def test_details_are_cut_before_rules_are() -> None:
    known = scan_document(fails=dict.fromkeys(REQUIREMENTS, "because " * 100))
    message = judge(finished_pod(), known).message
    assert message.count("because") > 7
    assert message.count("...") == 7
    assert all(f"[{requirement}] because" in message for requirement in REQUIREMENTS)


def test_rules_stand_alone_where_no_detail_fits() -> None:
    source = finished_pod(*(container(f"c{number}", "B") for number in range(14)))
    message = judge(source, scan_document()).message
    assert message.count("[reference]") == 14
    assert "container c3: image B is not admitted: [reference]; " in message


def test_what_fits_to_the_last_byte_is_not_cut() -> None:
    def message(length: int) -> str:
        known = scan_document(fails=dict.fromkeys(REQUIREMENTS[:4], "z" * 170))
        return judge(finished_pod(), known, helpURL=f"https://{'h' * length}").message

    most = 1024 - len(message(1)) + 1
    assert len(message(most)) == 1024
    assert "..." not in message(most)
    assert "..." in message(most + 1)


def test_the_faults_of_a_policy_that_fit_to_the_last_byte_are_not_cut() -> None:
    def message(length: int) -> str:
        return policy_denial("default", [Fault("a", "p" * 250), *[Fault("b", "q" * length)] * 3])

    most = (1024 - len(message(0))) // 3
    exact = [Fault("a", "p" * (250 + 1024 - len(message(most)))), *[Fault("b", "q" * most)] * 3]
    assert len(policy_denial("default", exact)) == 1024
    assert "..." not in policy_denial("default", exact)
    assert "..." in policy_denial("default", [*exact, Fault("c", "")])


def test_a_name_past_63_characters_is_cut() -> None:
    def opening(length: int) -> str:
        source = finished_pod(finished_container(), container("c" * length, "B"))
        return judge(source, scan_document()).message.partition(": ")[0]

    assert opening(63) == f"container {'c' * 63}"
    assert opening(64) == f"container {'c' * 60}..."
    unset = finished_pod(finished_container("n" * 64, env=[]))
    assert judge(unset, scan_document()).message.startswith(f"container {'n' * 60}... is not")
    assert policy_denial("p" * 64, [Fault("a", "b")]).startswith(f"NotebookPolicy {'p' * 60}... is")


def test_where_only_rules_are_named_the_first_image_opens_the_message() -> None:
    many = [container(f"c{number}", "B" * 300) for number in range(190)]
    source = finished_pod(finished_container(), *many)
    denied = judge(source, scan_document(), stale={"after": "1h", "action": "Deny"})
    assert denied.message.startswith("image ghcr.io/kubeflow/")
    assert "and so on: 191 violations: [stale] 1x; [reference] 190x" in denied.message


def test_bytes_count_not_characters() -> None:
    source = finished_pod(*(container(f"c{number}", "ü" * 500) for number in range(5)))
    assert len(judge(source, scan_document()).message.encode()) <= 1024


@pytest.mark.parametrize("now", [0.0, NOW, NOW + 1.5, NOW + 400 * DAY])
def test_a_message_depends_on_neither_time_nor_uid(now: float) -> None:
    known = snapshot(scan_document(fails={"uid-1000": "no"}), stale={"after": "1s"})
    body = review(finished_pod())
    expected = validate(parse_review(json.dumps(body).encode()), known, NOW).message
    body["request"]["uid"] = f"uid-{now}"
    body["request"]["name"] = "another"
    assert validate(parse_review(json.dumps(body).encode()), known, now).message == expected
    unscanned = snapshot(pending_document())
    late = validate(request(finished_pod(container())), unscanned, now)
    assert late.message == validate(request(finished_pod(container())), unscanned, NOW).message


@pytest.mark.parametrize("stage", ["mutate", "validate"])
@pytest.mark.parametrize("image", ["a" * 10_000, "\x1b" * 10_000, f"{'a' * 5000}/{'-' * 5000}"])
def test_an_image_name_of_10000_characters_is_judged_within_10_ms(image: str, stage: str) -> None:
    """An expression that backtracks would take seconds. The fastest of a few tries, in CPU time: no noise of others."""
    known = snapshot()
    seen = request(finished_pod(finished_container(image=f"{image}@")))
    stages: dict[str, Callable[[Request], Decision]] = {
        "mutate": lambda held: mutate(held, known),
        "validate": lambda held: validate(held, known, NOW),
    }
    assert min(_seconds(stages[stage], seen) for _ in range(5)) < 0.010


def _seconds(stage: Callable[[Request], Decision], seen: Request) -> float:
    start = time.process_time()
    stage(seen)
    return time.process_time() - start


# Its parts


@given(st.lists(TEXT, max_size=80))
def test_warnings_are_bounded_in_length_and_number(texts: list[str]) -> None:
    result = bounded(texts)
    assert len(result) <= 30
    assert sum(len(text) for text in result) <= 4096
    assert all(len(text) <= 120 and text.isprintable() for text in result)
    assert len(set(result)) == len(result)


def test_warnings_past_thirty_are_counted() -> None:
    assert bounded([f"w{number}" for number in range(30)])[-1] == "w29"
    result = bounded([f"w{number}" for number in range(31)])
    assert (len(result), result[28], result[29]) == (30, "w28", "and 2 more warnings")
    assert bounded(["same"] * 50) == ("same",)


def test_a_denial_is_a_function_of_its_violations() -> None:
    violations = judge(finished_pod(container()), scan_document()).denied
    assert denial(violations, "https://a") == denial(violations, "https://a")
    assert denial(violations, "https://a").endswith(". Fix: https://a")
