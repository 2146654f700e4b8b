"""The last good policy holds, and what is wrong with the file is told whole."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.stores.samples import Clock, as_json, as_yaml, policy_document, put, scan_document
from webhook.core.policy import DEFAULT_POLICY
from webhook.stores.policyfile import (
    POLICY_LIMIT,
    PolicyFile,
    UnreadablePolicy,
    load_policy,
    parse_policy,
)
from webhook.stores.seen import SETTLE


class Looked:
    """A policy file and a clock that a test can put forward."""

    def __init__(self, path: Path, *, required: bool = False) -> None:
        self.clock = Clock()
        self.policy = PolicyFile(path, required=required, clock=self.clock)

    def look(self, *, later: float = SETTLE) -> bool:
        self.clock.ahead += later
        return self.policy.refresh()

    @property
    def held(self) -> tuple[str, int]:
        return self.policy.current.metadata.name, self.policy.generation

    @property
    def told(self) -> list[str]:
        return [str(problem).rpartition("/")[2] for problem in self.policy.problems]


def faults(data: bytes, path: str = "policy.yaml") -> list[str]:
    with pytest.raises(UnreadablePolicy) as caught:
        parse_policy(data, path)
    assert str(caught.value).splitlines() == [str(problem) for problem in caught.value.problems]
    return [str(problem) for problem in caught.value.problems]


def test_a_bare_off_and_a_bare_day_are_read_as_the_words_they_are() -> None:
    policy = parse_policy(
        b"apiVersion: nbgate.dev/v1alpha1\nkind: NotebookPolicy\nmetadata: {name: a}\n"
        b"spec:\n  unscanned: Off\n  exemptions:\n"
        b"  - {name: b, namespaces: [c], reason: d, expires: 2027-03-31}\n",
        "policy.yaml",
    )
    assert policy.spec.unscanned.label == "Off"
    assert str(policy.spec.exemptions[0].expires) == "2027-03-31"


def test_every_fault_is_told_with_file_and_path() -> None:
    wrong = policy_document(unscaned="Deny", stale={"after": "1 week"}, pod={"runAsUser": 0})
    assert [fault.rpartition(": ")[0] for fault in faults(as_yaml(wrong))] == [
        "policy.yaml: spec.stale.after",
        "policy.yaml: spec.pod.runAsUser",
        "policy.yaml: spec.unscaned",
    ]


def test_a_file_with_another_number_of_documents_than_one_is_no_policy() -> None:
    two = as_yaml(policy_document("a"), policy_document("b"))
    assert faults(two) == ["policy.yaml: holds 2 documents; write exactly one NotebookPolicy"]
    assert faults(b"[]") == ["policy.yaml: holds 0 documents; write exactly one NotebookPolicy"]
    assert faults(b"") == ["policy.yaml: holds no document; write one, or remove it"]
    assert faults(as_yaml(policy_document()) + b"---\n{") != []


def test_a_list_of_one_policy_as_kubectl_prints_it_is_a_policy() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [policy_document("a")]}
    assert parse_policy(as_json(listed), "policy.json").metadata.name == "a"


def test_another_kind_is_named_alone() -> None:
    assert faults(as_yaml(scan_document())) == [
        "policy.yaml: kind: is ImageScan; name a file with a NotebookPolicy"
    ]
    assert "is not JSON" in faults(as_yaml(policy_document()), "policy.json")[0]


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with pytest.raises(UnreadablePolicy):
        parse_policy(data, "policy.yaml")


def test_only_a_file_that_nobody_named_may_be_absent(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    assert load_policy(path, required=False) is DEFAULT_POLICY
    with pytest.raises(UnreadablePolicy, match=r"policy\.yaml: is not there"):
        load_policy(path, required=True)
    path.symlink_to("nowhere")
    with pytest.raises(UnreadablePolicy, match="a link"):
        load_policy(path, required=False)


def test_a_policy_larger_than_a_cluster_would_take_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_bytes(as_yaml(policy_document()) + b"#" * POLICY_LIMIT)
    with pytest.raises(UnreadablePolicy, match=f"more than the {POLICY_LIMIT}"):
        load_policy(path, required=True)


def test_a_good_policy_replaces_the_last_and_counts(tmp_path: Path) -> None:
    looked = Looked(tmp_path / "policy.yaml")
    assert looked.look()
    assert looked.held == ("default", 1)
    for count, name in enumerate(["a", "b"], 2):
        put(tmp_path / "policy.yaml", policy_document(name))
        assert looked.look()
        assert looked.held == (name, count)
    assert not looked.look()


def test_a_document_with_a_generation_of_its_own_keeps_it(tmp_path: Path) -> None:
    document = policy_document("a")
    document["metadata"]["generation"] = 7
    looked = Looked(put(tmp_path / "policy.yaml", document))
    looked.look()
    assert looked.held == ("a", 7)


def test_a_bad_policy_is_told_and_the_last_good_one_stays(tmp_path: Path) -> None:
    path = put(tmp_path / "policy.yaml", policy_document("good"))
    looked = Looked(path)
    looked.look()
    for bad in (b"", b"{", b"kind: NotebookPolicy", as_yaml(policy_document(unscaned="Off"))):
        path.write_bytes(bad)
        assert looked.look()
        assert looked.held == ("good", 1)
        assert looked.told
    put(path, policy_document("good"))
    assert looked.look()
    assert (looked.held, looked.told) == (("good", 1), [])


def test_a_policy_file_that_is_gone_is_told_and_the_last_good_one_stays(tmp_path: Path) -> None:
    path = put(tmp_path / "policy.yaml", policy_document("good"))
    looked = Looked(path)
    looked.look()
    path.rename(tmp_path / "away")
    assert looked.look()
    assert looked.held == ("good", 1)
    assert "policy.yaml: is gone" in looked.told[0]
    (tmp_path / "away").rename(path)
    assert looked.look()
    assert looked.told == []


def test_a_link_that_was_gone_and_is_back_unchanged_is_no_problem_any_more(tmp_path: Path) -> None:
    target = put(tmp_path / "target.yaml", policy_document("good"))
    path = tmp_path / "policy.yaml"
    path.symlink_to(target)
    looked = Looked(path)
    looked.look()
    path.unlink()
    looked.look()
    assert "is gone" in looked.told[0]
    path.symlink_to(target)
    assert looked.look()
    assert (looked.held, looked.told) == (("good", 1), [])


def test_nothing_holds_before_a_named_file_was_read(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    looked = Looked(path, required=True)
    assert looked.look()
    assert not looked.policy.loaded
    assert "is not there" in looked.told[0]
    path.mkdir()
    assert looked.look()
    assert "is a folder" in looked.told[0]
    path.rmdir()
    put(path, policy_document("a"))
    assert looked.look()
    assert (looked.held, looked.told) == (("a", 1), [])


def test_half_a_policy_never_holds(tmp_path: Path) -> None:
    """Cut in the right place it is a policy too, with rules that nobody wrote."""
    whole = as_yaml(policy_document("whole", unscanned="Warn", acceptRewrite=False))
    path = put(tmp_path / "policy.yaml", policy_document("old"))
    looked = Looked(path)
    looked.look()
    looked.clock.ahead = 0
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        assert not looked.look(later=0)
    path.write_bytes(whole)
    assert looked.look()
    assert looked.held == ("whole", 2)


def test_a_config_map_that_is_swapped_is_read_again(tmp_path: Path) -> None:
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        put(tmp_path / version / "policy.yaml", policy_document(version.strip(".") + "-policy"))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "policy.yaml").symlink_to("..data/policy.yaml")
    looked = Looked(tmp_path / "policy.yaml")
    looked.look()
    assert looked.held == ("1-policy", 1)
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert looked.look()
    assert looked.held == ("2-policy", 2)


@given(st.binary(max_size=60))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_dislodge_a_good_policy(tmp_path: Path, data: bytes) -> None:
    path = put(tmp_path / "policy.yaml", policy_document("good"))
    looked = Looked(path)
    looked.look()
    path.write_bytes(data)
    looked.look()
    assert looked.held == ("good", 1)
    assert looked.told
