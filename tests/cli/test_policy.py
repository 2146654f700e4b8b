"""`nbgate policy`: what is wrong is told whole, and what is printed can be used again."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.running import nbgate
from tests.stores.samples import as_json, as_yaml, policy_document, put
from webhook.core.policy import read_policy
from webhook.core.requirements import EXEMPT_BY_DEFAULT, REQUIREMENTS
from webhook.stores.policyfile import load_policy, parse_policy

FULL: dict[str, Any] = {
    "requirements": {"allow-origin": "Warn", "uid-1000": "Off"},
    "acceptRewrite": False,
    "unknown": "Audit",
    "unscanned": "Off",
    "requestScans": False,
    "stale": {"after": "24h", "action": "Deny"},
    "registries": {"allow": ["ghcr.io/kubeflow/**", "docker.io/*"], "action": "Warn"},
    "pod": {
        "pinDigest": False,
        "runAsUser": None,
        "fsGroup": None,
        "home": None,
        "gpu": {
            "action": "Hide",
            "patterns": ["ghcr.io/gpu/**"],
            "tolerations": [{"key": "gpu", "operator": "Exists"}],
            "runtimeClassName": "nvidia",
        },
    },
    "helpURL": "https://example.com/help",
    "exemptions": [
        {"name": "a", "namespaces": ["old"], "reason": "on", "expires": "2097-01-01"},
        {
            "name": "b",
            "images": ["ghcr.io/x/y"],
            "requirements": ["registry"],
            "reason": "- 'x': #",
            "expires": "2098-01-01",
        },
    ],
}


def exemption(name: str, days: int) -> dict[str, Any]:
    day = (datetime.now(UTC) + timedelta(days=days)).date()
    return {"name": name, "namespaces": ["team"], "reason": "why", "expires": str(day)}


def test_a_good_policy_is_fine(tmp_path: Path) -> None:
    path = put(tmp_path / "policy.yaml", policy_document(**FULL))
    ended = nbgate(tmp_path, "policy", "check", path)
    assert (ended.code, ended.out.strip(), ended.err) == (0, f"{path}: fine", "")


def test_every_fault_of_every_file_is_told_with_file_and_path(tmp_path: Path) -> None:
    one = put(tmp_path / "one.yaml", policy_document(unscaned="Deny", unknown="Maybe"))
    two = put(tmp_path / "two.yaml", policy_document())
    three = tmp_path / "three.yaml"
    three.write_bytes(b"a: 1\na: 2\n")
    ended = nbgate(tmp_path, "policy", "check", one, two, three, tmp_path / "none")
    lines = ended.out.splitlines()
    assert ended.code == 2
    assert [line.split(": ")[:2] for line in lines[:4]] == [
        [str(one), "spec.unknown"],
        [str(one), "spec.unscaned"],
        [str(two), "fine"],
        [str(three), "a"],
    ]
    assert lines[4].startswith(f"{tmp_path / 'none'}: is not there")


def test_the_result_for_programs_holds_the_same(tmp_path: Path) -> None:
    path = put(tmp_path / "a.yaml", policy_document(unknown="Maybe", exemptions=[]))
    ended = nbgate(tmp_path, "policy", "check", path, "-o", "json")
    assert ended.code == 2
    assert ended.json == [
        {
            "file": str(path),
            "valid": False,
            "faults": [
                {
                    "document": 0,
                    "field": "spec.unknown",
                    "problem": "must be one of Deny, Warn, Audit, Off",
                }
            ],
            "warnings": [],
        }
    ]
    assert nbgate(tmp_path, "policy", "check", path, "-o", "yaml").yaml == ended.json


def test_a_policy_is_read_from_standard_input(tmp_path: Path) -> None:
    good, bad = as_yaml(policy_document()), as_yaml(policy_document(unknown=1))
    assert nbgate(tmp_path, "policy", "check", "-", given=good).code == 0
    ended = nbgate(tmp_path, "policy", "check", "-", given=bad)
    assert (ended.code, ended.out.partition(": must")[0]) == (2, "standard input: spec.unknown")
    huge = good + b"#" * 2_000_000
    assert "more than" in nbgate(tmp_path, "policy", "check", "-", given=huge).out


def test_exemptions_that_have_expired_or_soon_will_are_warned_of_and_are_no_fault(
    tmp_path: Path,
) -> None:
    days = {"past": -1, "now": 0, "next": 1, "soon": 30, "later": 32}
    exemptions = [exemption(name, count) for name, count in days.items()]
    path = put(tmp_path / "a.yaml", policy_document(exemptions=exemptions))
    ended = nbgate(tmp_path, "policy", "check", path)
    lines = [line.removeprefix(f"{path}: ") for line in ended.out.splitlines()]
    assert ended.code == 0
    assert [line.split(",")[0].split(" on ")[0] for line in lines] == [
        "warning: exemption past expired",
        "warning: exemption now expires today",
        "warning: exemption next expires tomorrow",
        "warning: exemption soon expires in 30 days",
        "fine",
    ]


@pytest.mark.parametrize("spec", [{}, FULL])
@pytest.mark.parametrize("output", ["yaml", "json"])
def test_what_show_prints_passes_check_and_means_the_same(
    tmp_path: Path, spec: dict[str, Any], output: str
) -> None:
    path = put(tmp_path / "policy.yaml", policy_document("mine", **spec))
    shown = nbgate(tmp_path, "policy", "show", "-o", output).out.encode()
    assert nbgate(tmp_path, "policy", "check", "-", given=shown).code == 0
    before, after = load_policy(path, required=True).spec, parse_policy(shown, "shown").spec
    assert [after.action_for(name) for name in REQUIREMENTS] == [
        before.action_for(name) for name in REQUIREMENTS
    ]
    assert after.help == before.help
    for one, other in zip(before.exemptions, after.exemptions, strict=True):
        assert set(other.requirements or ()) == set(one.requirements or EXEMPT_BY_DEFAULT)
    same = {"requirements": {}, "help_url": "", "exemptions": ()}
    assert after.model_copy(update=same) == before.model_copy(update=same)
    again = put(tmp_path / "again.yaml", yaml.safe_load(shown))
    assert nbgate(tmp_path, "policy", "show", "--policy", again, "-o", output).out.encode() == shown


def test_show_leaves_no_default_out(tmp_path: Path) -> None:
    """Whatever field the policy has stands in what is printed, at any depth."""
    shown = nbgate(tmp_path, "policy", "show", "-o", "json").json
    spec = shown["spec"]
    policy = read_policy(policy_document())
    named = policy.spec.model_dump(by_alias=True)
    assert keys(named) <= keys(spec)
    assert list(spec["requirements"]) == list(REQUIREMENTS)


def keys(value: object, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {path}
    return {path} | {found for key, item in value.items() for found in keys(item, f"{path}.{key}")}


def test_show_for_people_is_one_field_a_line_as_it_is_written(tmp_path: Path) -> None:
    put(tmp_path / "policy.yaml", policy_document("mine", **FULL))
    lines = nbgate(tmp_path, "policy", "show").out.splitlines()
    shown = dict(line.split(None, 1) for line in lines)
    assert shown["metadata.name"].strip() == "mine"
    assert shown["requirements.uid-1000"].strip() == "Off"
    assert shown["pod.runAsUser"].strip() == "null"
    assert shown["registries.allow"].strip() == "ghcr.io/kubeflow/**, docker.io/*"
    assert shown["exemptions[1].reason"].strip() == "- 'x': #"


def test_a_named_file_must_be_there_and_the_default_one_need_not(tmp_path: Path) -> None:
    assert nbgate(tmp_path, "policy", "show").code == 0
    ended = nbgate(tmp_path, "policy", "show", "--policy", tmp_path / "none")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"nbgate: {tmp_path / 'none'}: is not there")


def test_a_bad_default_policy_is_told_and_nothing_is_shown_for_it(tmp_path: Path) -> None:
    put(tmp_path / "policy.yaml", policy_document(unknown="Maybe"))
    ended = nbgate(tmp_path, "policy", "show")
    assert (ended.code, ended.out) == (2, "")
    assert "policy.yaml: spec.unknown: must be one of" in ended.err


def test_the_policy_may_be_named_in_the_environment(tmp_path: Path) -> None:
    path = put(tmp_path / "other.json", policy_document("other"))
    assert path.read_bytes() == as_json(policy_document("other"))
    ended = nbgate(tmp_path, "policy", "show", "-o", "json", NBGATE_POLICY_SHOW_POLICY=str(path))
    assert ended.json["metadata"]["name"] == "other"
