"""The audit record: exactly the contract's fields, one line whatever users write, and every denial always."""

import re
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    CONTROLLER,
    DIGEST,
    IMAGE,
    NOW,
    OTHER_DIGEST,
    Json,
    container,
    ephemeral_containers,
    exemption,
    finished_container,
    finished_pod,
    notebook,
    pod,
    policy,
    request,
    scan_document,
    snapshot,
    stateful_set_pod,
)
from webhook.core.audit import SUPPRESSION_SECONDS, Level, Record, build_record, identity, recorded
from webhook.core.decision import UNTOUCHED, Decision, Snapshot, mutate, validate
from webhook.core.policy import read_policy

# design, section 7, in its order
FIELDS = [
    *("time", "uid", "operation", "dryRun", "endpoint", "user", "groups", "namespace", "notebook"),
    *("pod", "kind", "image", "canonicalImage", "digest", "decision", "violations", "warnings"),
    *("exemptions", "patch", "mode", "policy", "scan", "snapshot", "durationMs", "suppressed"),
]
FAILING = scan_document(name="jupyter-1", fails={"uid-1000": "user root has UID 0"})
# C0, DEL, C1 and line separators: a terminal or a log reader may act on each; JSON escapes the first kind alone
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def judged(source: Json, known: Snapshot, **fields: Any) -> tuple[Record, Decision]:
    seen = request(source, **fields)
    decision = validate(seen, known, NOW)
    return record_of(seen, decision, known), decision


def record_of(seen: Any, decision: Decision, known: Snapshot, **more: Any) -> Record:
    whole = {"endpoint": "validate", "now": NOW, "seconds": 0.0012345, **more}
    return build_record(seen, decision, known, **whole)


def test_a_denied_pods_record_says_all_that_the_contract_names() -> None:
    known = Snapshot(
        scans=snapshot(FAILING).scans,
        policy=snapshot(requirements={"empty-home": "Warn"}).policy,
        policy_generation=3,
        generation=9,
    )
    record, decision = judged(finished_pod(), known)
    assert record == {
        "time": "2026-01-02T00:00:00Z",
        "uid": "8adbba00-55da-4fb5-8494-14cec71aa613",
        "operation": "CREATE",
        "dryRun": False,
        "endpoint": "validate",
        "user": CONTROLLER,
        "groups": ["system:authenticated"],
        "namespace": "team-a",
        "notebook": "my-nb",
        "pod": "my-nb-0",
        "kind": "Pod",
        "image": f"{IMAGE}@{DIGEST}",
        "canonicalImage": f"{IMAGE}@{DIGEST}",
        "digest": DIGEST,
        "decision": "denied",
        "violations": [
            {"requirement": "uid-1000", "action": "Deny", "message": "user root has UID 0"}
        ],
        "warnings": [],
        "exemptions": [],
        "patch": [],
        "mode": "deny",
        "policy": {"name": "default", "generation": 3},
        "scan": {"name": "jupyter-1", "scannedAt": "2026-01-01T00:00:00Z"},
        "snapshot": {"generation": 9},
        "durationMs": 1.234,
        "suppressed": 0,
    }
    assert decision.word == "denied"


CASES: dict[str, tuple[Json, dict[str, Any]]] = {
    "pod": (finished_pod(), {}),
    "bare pod": (pod(), {"user": "alice"}),
    "notebook": (notebook(), {"dry_run": True}),
    "ephemeral": (ephemeral_containers(container("d", "B")), {"operation": "UPDATE"}),
    "no reference": (finished_pod(finished_container(image="B@")), {}),
    "other": (pod(notebook=None), {}),
    "deleted": (pod(), {"operation": "DELETE"}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_record_has_exactly_the_contracts_fields(case: str) -> None:
    source, fields = CASES[case]
    seen, known = request(source, **fields), snapshot(FAILING)
    for decision in (mutate(seen, known), validate(seen, known, NOW)):
        assert list(record_of(seen, decision, known)) == FIELDS


def test_a_mutation_records_its_patch() -> None:
    known = snapshot(scan_document(IMAGE))
    seen = request(stateful_set_pod())
    decision = mutate(seen, known)
    record = record_of(seen, decision, known, endpoint="mutate")
    assert record["patch"] == list(decision.patch) != []
    assert record["decision"] == "warned"
    assert record["endpoint"] == "mutate"
    assert record["warnings"] == list(decision.warnings)


def test_a_record_names_the_image_that_is_at_fault_where_none_serves() -> None:
    source = ephemeral_containers(container("d", "B"))
    record, _ = judged(source, snapshot(), operation="UPDATE", subresource="ephemeralcontainers")
    assert (record["image"], record["canonicalImage"], record["digest"]) == ("B", None, None)
    assert record["scan"] is None
    fine = ephemeral_containers(container("d", "busybox"))
    record, _ = judged(fine, snapshot(), operation="UPDATE", subresource="ephemeralcontainers")
    assert (record["image"], record["canonicalImage"], record["digest"]) == ("", None, None)


def test_a_tag_is_recorded_with_the_digest_that_it_was_resolved_to() -> None:
    record, _ = judged(notebook(), snapshot(scan_document()))
    assert (record["image"], record["canonicalImage"], record["digest"]) == (IMAGE, IMAGE, DIGEST)


@pytest.mark.parametrize(
    ("source", "fields", "name"),
    [
        (finished_pod(), {}, "my-nb-0"),
        (finished_pod(), {"name": ""}, "my-nb-0"),
        (pod(metadata={"name": "", "generateName": "gen-"}), {"name": ""}, "gen-"),
        (notebook(), {}, ""),
        (pod(notebook=None), {}, ""),
    ],
)
def test_a_record_names_the_pod(source: Json, fields: dict[str, Any], name: str) -> None:
    record, _ = judged(source, snapshot(), **fields)
    assert record["pod"] == name


def test_what_is_left_alone_has_an_empty_record() -> None:
    seen, known = request(pod(notebook=None)), snapshot()
    record = record_of(seen, UNTOUCHED, known)
    assert (record["notebook"], record["image"], record["decision"]) == ("", "", "allowed")
    assert record["violations"] == record["warnings"] == record["patch"] == []
    assert (record["mode"], record["snapshot"]["generation"]) == ("deny", 0)


def test_what_was_suppressed_is_counted() -> None:
    seen, known = request(finished_pod()), snapshot()
    assert record_of(seen, validate(seen, known, NOW), known, suppressed=41)["suppressed"] == 41


def test_a_digest_that_nobody_scanned_is_recorded_too() -> None:
    source = finished_pod(finished_container(image=f"x@{OTHER_DIGEST}"))
    record, _ = judged(source, snapshot())
    assert (record["digest"], record["scan"]) == (OTHER_DIGEST, None)


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_first_and_the_last_time_can_be_recorded(written: str) -> None:
    known = snapshot(scan_document(scannedAt=written, resolvedAt=written))
    record, _ = judged(finished_pod(), known)
    assert record["scan"]["scannedAt"].endswith(written[4:])


HOSTILE = st.text(st.sampled_from("a\n\r\t\x00\x1b\x7f\x85\x9b\u2028\u202eü"), max_size=30)


@given(text=HOSTILE, groups=st.lists(HOSTILE, max_size=40), message=HOSTILE)
def test_control_characters_never_reach_the_line(
    text: str, groups: list[str], message: str
) -> None:
    known = snapshot(scan_document(fails={"uid-1000": message}))
    source = finished_pod(finished_container(name=text), container(text, text))
    seen = request(source, user=text, namespace=f"n{text}", name=text)
    hostile = seen._replace(uid=f"u{text}", groups=tuple(groups), kind=text)
    record = record_of(hostile, validate(hostile, known, NOW), known)
    assert not [held for held in strings(record) if CONTROL.search(held)]
    assert orjson.dumps(record).count(b"\n") == 0


def test_the_first_32_groups_are_recorded() -> None:
    """A directory may give a user hundreds, and the service account's own are three."""
    known, groups = snapshot(scan_document()), tuple(f"group-{n}" for n in range(40))
    seen = request(pod())._replace(groups=groups)
    assert record_of(seen, validate(seen, known, NOW), known)["groups"] == list(groups[:32])


@pytest.mark.parametrize("where", ["label", "policy", "scan"])
def test_control_characters_never_reach_a_line_by_patch_or_name(where: str) -> None:
    """Labels are validated by the API server only after the mutating webhooks."""
    bad = "x\x9b31m\x7f\u2028"
    source = pod(notebook=bad if where == "label" else "my-nb")
    document = policy() | {"metadata": {"name": bad if where == "policy" else "default"}}
    known = Snapshot(
        scans=snapshot(scan_document(name=bad if where == "scan" else "scan")).scans,
        policy=read_policy(document),
    )
    seen = request(source, user="alice")
    record = record_of(seen, mutate(seen, known), known, endpoint="mutate")
    assert record["patch"]
    assert not [held for held in strings(record) if CONTROL.search(held)]


def test_a_patch_of_many_variables_is_recorded_without_the_users_own() -> None:
    """Users keep secrets in variables."""
    env = [{"name": "NB_PREFIX"}] * 20_000 + [{"name": "TOKEN", "value": "s3cret"}]
    seen, known = request(pod(container(env=env))), snapshot()
    decision = mutate(seen, known)
    assert "s3cret" in str(decision.patch)
    line = orjson.dumps(record_of(seen, decision, known, endpoint="mutate"))
    assert b"s3cret" not in line
    assert b'{"op":"replace","path":"/spec/containers/0/env"}' in line
    assert len(line) < 64 * 1024


def test_the_record_of_a_patch_is_bounded() -> None:
    keys = [{"key": f"k{number}"} for number in range(200)]
    known = snapshot(scan_document(cuda=True), pod={"gpu": {"tolerations": keys}})
    seen = request(stateful_set_pod())
    decision = mutate(seen, known)
    assert len(decision.patch) > 200
    assert len(record_of(seen, decision, known)["patch"]) == 50


def strings(value: object) -> Iterator[str]:
    """List every text in a record."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_a_record_is_bounded_whatever_was_sent() -> None:
    containers = [container(f"c{n}", "B" * 5000) for n in range(200)]
    source = stateful_set_pod(*containers)
    seen = request(source, user="u" * 9999, namespace="n" * 9999)
    known = snapshot()
    record = record_of(seen, validate(seen, known, NOW), known)
    assert len(record["violations"]) == 100
    assert len(record["user"]) == len(record["namespace"]) == len(record["image"]) == 512
    assert len(orjson.dumps(record)) < 64 * 1024


# Which decisions are recorded


def decisions() -> dict[str, Decision]:
    known: dict[str, tuple[Json, Snapshot]] = {
        "denied": (finished_pod(), snapshot(FAILING)),
        "warned": (finished_pod(), snapshot(FAILING, requirements={"uid-1000": "Warn"})),
        "audited": (finished_pod(), snapshot(FAILING, requirements={"uid-1000": "Audit"})),
        "exempt": (finished_pod(), snapshot(FAILING, exemptions=[exemption()])),
        "fine": (finished_pod(), snapshot(scan_document())),
        "other": (pod(notebook=None), snapshot()),
    }
    judgements = {
        name: validate(request(source), held, NOW) for name, (source, held) in known.items()
    }
    homeless = mutate(request(stateful_set_pod()), snapshot())
    return {**judgements, "homeless": homeless}


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("denied", {"denied", "exempt"}),
        ("warned", {"denied", "exempt", "warned", "audited", "homeless"}),
        ("all", {"denied", "exempt", "warned", "audited", "homeless", "fine", "other"}),
    ],
)
def test_every_denial_and_every_exemption_is_recorded_and_the_rest_by_level(
    level: Level, names: set[str]
) -> None:
    assert {name for name, held in decisions().items() if recorded(held, level)} == names


# Which refusals are the same


def same(first: tuple[Json, dict[str, Any]], second: tuple[Json, dict[str, Any]]) -> bool:
    known = snapshot(FAILING, stale={"after": "1s"})
    keys = [
        identity(seen, validate(seen, known, now))
        for now, seen in (
            (NOW, request(first[0], **first[1])),
            (NOW + 600, request(second[0], **second[1])),
        )
    ]
    return keys[0] == keys[1]


def test_a_retry_is_the_same_refusal() -> None:
    retried = finished_pod()
    retried["metadata"]["uid"] = "another"
    assert same((finished_pod(), {}), (retried, {}))
    assert SUPPRESSION_SECONDS == 600


def test_a_pod_by_another_name_of_the_same_notebook_is_the_same_refusal() -> None:
    """A name that is generated is another at every retry."""
    assert same((finished_pod(), {"name": "a"}), (finished_pod(), {"name": "b"}))


@pytest.mark.parametrize(
    "other",
    [
        (finished_pod(), {"user": "alice"}),
        (finished_pod(), {"namespace": "team-b"}),
        (finished_pod(), {"dry_run": True}),
        (finished_pod(), {"operation": "UPDATE"}),
        (finished_pod(finished_container(env=[])), {}),
        (stateful_set_pod(notebook="other"), {}),
        (notebook(), {}),
        (finished_pod(finished_container(image=f"x@{OTHER_DIGEST}")), {}),
    ],
)
def test_a_refusal_that_differs_is_another(other: tuple[Json, dict[str, Any]]) -> None:
    assert not same((finished_pod(), {}), other)


def test_pods_without_a_name_are_told_apart_by_their_notebook() -> None:
    one, other = ((stateful_set_pod(notebook=name), {"name": ""}) for name in ("one", "other"))
    assert not same(one, other)


def test_what_is_left_alone_is_told_apart_by_its_name() -> None:
    seen, other = request(pod(notebook=None)), request(pod(notebook=None), name="x")
    assert identity(seen, UNTOUCHED) != identity(other, UNTOUCHED)
