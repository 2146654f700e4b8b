"""Rare states are shown to people as what they are: facts and conditions of scans, waivers, policies, keys, folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from certs.lock import locked
from tests.cli.running import Ended, nbgate
from tests.cli.test_review import notebook, pod, policy, reviewed
from tests.server.running import recorded
from tests.stores.samples import IMAGE, scan_document
from webhook.cli import main as program
from webhook.stores.scanfile import write_scan

Json = dict[str, Any]


def shown(home: Path, **status: Any) -> str:
    write_scan(home / "scans", scan_document(**status))
    ended = nbgate(home, "scans", "show", IMAGE)
    assert (ended.code, ended.err) == (0, "")
    assert all(line.isprintable() for line in ended.out.splitlines())
    return ended.out


# -- scans ------------------------------------------------------------------------------------------------


def test_what_an_image_asks_of_hardware_and_does_behind_a_rewrite_is_shown(tmp_path: Path) -> None:
    facts = {
        "user": "1000",
        "accelerators": [{"resource": "amd.com/gpu", "evidence": "env ROCM\x1b[2J"}],
        "rewritable": False,
        "frameGuard": "X-Frame-Options: DENY",
    }
    lines = shown(tmp_path, facts=facts).splitlines()
    told = {line.partition(" ")[0]: line.partition(" ")[2].strip() for line in lines}
    assert told["Hardware"].startswith("amd.com/gpu (env ROCM")
    assert told["Rewrite"] == "breaks behind one"
    assert told["Frames"] == "X-Frame-Options: DENY"


def test_an_image_that_follows_a_rewrite_is_shown_so(tmp_path: Path) -> None:
    assert "works behind one" in shown(tmp_path, facts={"rewritable": True})


def test_why_a_scan_failed_is_shown(tmp_path: Path) -> None:
    conditions = [
        {"type": "Scanned", "status": "False", "message": "the registry\nis away\x07"},
        {"type": "Silent", "status": "True"},
    ]
    out = shown(tmp_path, conditions=conditions)
    assert "Scanned" in out
    assert "the registry" in out
    assert "Silent" not in out


# -- review -----------------------------------------------------------------------------------------------


def test_which_exemption_waives_a_rule_is_shown(tmp_path: Path) -> None:
    exemption = {"name": "legacy", "namespaces": ["team-a"], "reason": "x", "expires": "2999-01-01"}
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy({"exemptions": [exemption]})))
    ended = nbgate(tmp_path, "review", "-", given=json.dumps(pod()).encode())
    assert "  waived by the exemption legacy" in ended.out.splitlines()
    [row] = reviewed(tmp_path, pod())
    assert row["exemptions"] == ["legacy"]


def policy_review(spec: Json) -> bytes:
    """What an API server asks when somebody applies a policy."""
    review = recorded("create-notebooks")
    names = {"kind": "NotebookPolicy", "resource": "notebookpolicies"}
    gvk = {"group": "nbgate.dev", "version": "v1alpha1"}
    review["request"] |= {
        "kind": {**gvk, "kind": names["kind"]},
        "resource": {**gvk, "resource": names["resource"]},
        "requestKind": {**gvk, "kind": names["kind"]},
        "requestResource": {**gvk, "resource": names["resource"]},
        "namespace": "",
        "name": "test",
        "object": policy(spec),
    }
    return json.dumps(review).encode()


def test_a_policy_that_would_be_refused_shows_each_fault_with_its_path(tmp_path: Path) -> None:
    wrong = policy_review({"unscaned": "Deny", "stale": {"after": 3}})
    ended = nbgate(tmp_path, "review", "-", given=wrong)
    assert ended.code == 1
    faults = [line for line in ended.out.splitlines() if line.startswith("  denied  spec.")]
    assert [fault.partition(": ")[0].split()[-1] for fault in faults] == [
        "spec.stale.after",
        "spec.unscaned",
    ]
    rows = nbgate(tmp_path, "review", "-", "-o", "json", given=wrong).json
    assert {v["field"] for v in rows[0]["violations"]} == {"spec.stale.after", "spec.unscaned"}
    assert nbgate(tmp_path, "review", "-", given=policy_review({})).code == 0


# -- certificates ---------------------------------------------------------------------------------------------


def test_a_key_that_cannot_be_read_is_a_problem_of_its_certificate(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    (tmp_path / "certs" / "tls.key").unlink()
    (tmp_path / "certs" / "tls.key").mkdir()
    ended = nbgate(tmp_path, "certs", "show", "-o", "json")
    assert ended.code == 1
    problems = {row["file"]: row["problems"] for row in ended.json}
    assert problems["ca.crt"] == []
    assert "tls.key: not a regular file" in problems["tls.crt"][0]


def test_each_run_of_a_change_by_hand_says_to_people_what_comes_next(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    said = [rotated(tmp_path).out.splitlines() for _ in range(3)]
    assert [lines[0].partition(";")[0].partition(":")[0] for lines in said] == [
        "Issued the next CA",
        "Changed over",
        "Dropped the CA before",
    ]
    assert "run this again to drop the CA before" in said[1][1]
    assert "give ca.crt to every client" in said[2][1]


def test_a_folder_that_another_process_is_writing_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbgate(tmp_path, "certs", "issue")
    monkeypatch.setattr("certs.lock.locked.__wrapped__.__kwdefaults__", {"patience": 0.05})
    with locked(tmp_path / "certs"):
        ended = rotated(tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "another process holds this lock" in ended.err


def rotated(home: Path) -> Ended:
    return nbgate(home, "certs", "rotate", "--dir", home / "certs")


# -- the last resort --------------------------------------------------------------------------------------------


def test_a_fault_of_our_own_is_a_sentence_and_code_3_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> int:
        raise RuntimeError("two\nlines\x1b[2J")

    monkeypatch.setattr(program, "nbgate", broken)
    ended = nbgate(tmp_path, "scans", "list")
    assert (ended.code, ended.out) == (3, "")
    [line] = ended.err.splitlines()
    assert line == "nbgate: internal error, please report it: RuntimeError: two?lines?[2J"


def test_a_name_of_any_bytes_in_an_error_of_the_system_stays_on_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**_: object) -> int:
        return len((tmp_path / "a\nb\x1b[2J\udcff").read_bytes())

    monkeypatch.setattr(program, "nbgate", broken)
    ended = nbgate(tmp_path, "scans", "list")
    assert ended.code == 3
    assert ended.err == f"nbgate: {tmp_path}/a?b?[2J?: No such file or directory\n"


def test_what_is_no_notebook_has_no_image_to_show(tmp_path: Path) -> None:
    deleted = notebook()
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    ended = nbgate(tmp_path, "review", "-", given=json.dumps(deleted).encode())
    assert "  image" not in ended.out
