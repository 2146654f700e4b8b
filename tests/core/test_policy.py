"""NotebookPolicy documents: the contract's defaults, and every fault at once with its path and its cure."""

import copy
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import Json, exemption, policy
from tests.core.places import paths, replaced
from webhook.core.actions import Action
from webhook.core.document import Fault, InvalidDocument
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.requirements import DEFAULT_HELP_URL, REQUIREMENTS, RULES

# The document as the contract shows it. Its requirements and exemption are examples, the rest are the defaults.
CONTRACT = """
apiVersion: nbgate.dev/v1alpha1
kind: NotebookPolicy
metadata: {name: default}
spec:
  requirements:
    allow-origin: Warn
  acceptRewrite: true
  unknown: Warn
  unscanned: Deny
  requestScans: true
  stale: {after: 168h, action: Warn}
  registries: {allow: [], action: Deny}
  pod:
    pinDigest: true
    nbPrefix: true
    runAsUser: 1000
    fsGroup: 100
    home: {path: /home/jovyan, claim: "{notebook}-workspace", fallback: EmptyDir, sizeLimit: 10Gi}
    gpu: {action: Add, resource: nvidia.com/gpu, count: 1, patterns: [], tolerations: [], runtimeClassName: null}
  helpURL: ""
  exemptions:
  - {name: legacy, namespaces: [team-old], images: ["registry.example.com/old/**"], requirements: [nb-prefix],
     reason: "migrating, TICKET-1", expires: 2027-03-31}
"""


class KubernetesLoader(yaml.SafeLoader):
    """Reads as kubectl does: JSON has no type for times, so they stay text."""


KubernetesLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def loaded(text: str) -> Json:
    document: Json = yaml.load(text, KubernetesLoader)
    return document


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read_policy(document)
    return {fault.path: fault.problem for fault in caught.value.faults}


def test_the_contracts_document_is_read() -> None:
    spec = read_policy(loaded(CONTRACT)).spec
    assert spec.requirements == {"allow-origin": Action.WARN}
    assert spec.action_for("allow-origin") is Action.WARN
    assert spec.action_for("uid-1000") is Action.DENY
    (held,) = spec.exemptions
    assert (held.name, held.namespaces, held.requirements) == (
        "legacy",
        ("team-old",),
        ("nb-prefix",),
    )
    assert [str(pattern) for pattern in held.images] == ["registry.example.com/old/**"]
    assert held.expires.isoformat() == "2027-03-31"


def test_the_defaults_are_the_contracts() -> None:
    document = loaded(CONTRACT)
    del document["spec"]["requirements"], document["spec"]["exemptions"]
    assert read_policy(document).spec == DEFAULT_POLICY.spec
    assert read_policy(document) == DEFAULT_POLICY
    least = {key: document[key] for key in ("apiVersion", "kind", "metadata")}
    assert read_policy(least) == DEFAULT_POLICY
    assert read_policy({**least, "spec": {}}) == DEFAULT_POLICY
    assert [DEFAULT_POLICY.spec.action_for(name) for name in REQUIREMENTS] == [Action.DENY] * 7


def test_every_default_may_be_left_out_by_itself() -> None:
    whole = loaded(CONTRACT)
    expected = read_policy(whole)
    for key in ("acceptRewrite", "unknown", "unscanned", "requestScans", "helpURL"):
        part = copy.deepcopy(whole)
        del part["spec"][key]
        assert read_policy(part) == expected
    for key in ("stale", "registries", "pod"):
        for field in whole["spec"][key]:
            part = copy.deepcopy(whole)
            del part["spec"][key][field]
            assert read_policy(part) == expected


def test_what_the_api_server_adds_is_no_fault() -> None:
    document = policy()
    document["metadata"] |= {
        "uid": "x",
        "resourceVersion": "1",
        "generation": 4,
        "managedFields": [{}],
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "labels": {"a": "b"},
    }
    document["status"] = {"conditions": [{"type": "Ready"}]}
    read = read_policy(document)
    assert (read.metadata.name, read.metadata.generation) == ("default", 4)


def test_a_policy_is_written_as_it_is_read() -> None:
    document = policy(
        requirements={"allow-origin": "Warn"},
        registries={"allow": ["ghcr.io/**"], "action": "Audit"},
        exemptions=[exemption(images=["docker.io/*"], requirements=["stale"])],
    )
    read = read_policy(document)
    written = read.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert read_policy(written) == read
    assert written["spec"]["requirements"] == {"allow-origin": "Warn"}
    assert written["spec"]["registries"] == {"allow": ["ghcr.io/**"], "action": "Audit"}
    (held,) = written["spec"]["exemptions"]
    assert (held["images"], held["expires"]) == (["docker.io/*"], "2026-03-31")


def test_the_defaults_are_written_as_the_contract_has_them() -> None:
    expected = loaded(CONTRACT)
    expected["spec"] |= {"requirements": {}, "exemptions": []}
    written = DEFAULT_POLICY.model_dump(mode="json", by_alias=True, exclude_unset=False)
    assert written["spec"] == expected["spec"]


# Faults


def test_every_fault_is_told_at_once_with_its_path() -> None:
    document = policy(
        requirements={"uid-1000": "deny", "uid-100": "Deny"},
        acceptRewrite="yes",
        unknown=True,
        unscanned=3,
        stale={"after": "7d", "action": "Warn", "since": 1},
        registries={"allow": ["ghcr.io", 5], "action": None},
        pod={
            "runAsUser": 0,
            "fsGroup": -1,
            "home": {"path": "/home/", "claim": "{nb}", "fallback": "PVC", "sizeLimit": "10 Gi"},
            "gpu": {"count": 0, "resource": "gpu", "tolerations": [{"effect": "x"}]},
        },
        helpURL="ftp://x",
        exemptions=[{"name": "A", "namespaces": ["team-*"], "reason": "", "expires": "soon"}],
        bogus=1,
    )
    document["kind"] = "Policy"
    del document["metadata"]
    words = "must be one of Deny, Warn, Audit, Off"
    found = faults(document)
    assert found.pop("spec.registries.allow[0]").startswith("it names a registry only")
    assert found.pop("spec.requirements.uid-100").startswith("must be 'port-8888', 'nb-prefix'")
    assert found == {
        "kind": "must be 'NotebookPolicy'",
        "metadata": "is missing",
        "spec.requirements.uid-1000": words,
        "spec.acceptRewrite": "must be true or false",
        "spec.unknown": words,
        "spec.unscanned": words,
        "spec.stale.after": (
            'must be a duration in hours, minutes and seconds, like "168h" or "1h30m"'
        ),
        "spec.stale.since": "is not a field here; check its spelling and where it stands",
        "spec.registries.allow[1]": "must be text",
        "spec.registries.action": words,
        "spec.pod.runAsUser": "input should be greater than or equal to 1",
        "spec.pod.fsGroup": "input should be greater than or equal to 0",
        "spec.pod.home.path": "must be an absolute path without a trailing /",
        "spec.pod.home.claim": (
            "must be a claim's name, in which {notebook} stands for the notebook's: "
            '"{notebook}-workspace"'
        ),
        "spec.pod.home.fallback": "must be 'EmptyDir' or 'None'",
        "spec.pod.home.sizeLimit": 'must be a quantity like "10Gi"',
        "spec.pod.gpu.count": "input should be greater than or equal to 1",
        "spec.pod.gpu.resource": 'must be an extended resource like "nvidia.com/gpu"',
        "spec.pod.gpu.tolerations[0].effect": (
            "must be 'NoSchedule', 'PreferNoSchedule' or 'NoExecute'"
        ),
        "spec.helpURL": "must be empty or an http(s) address of at most 188 characters",
        "spec.exemptions[0].name": "must be lower-case letters, digits and -: it labels a metric",
        "spec.exemptions[0].namespaces[0]": "must be the exact name of a namespace",
        "spec.exemptions[0].reason": "must not be empty",
        "spec.exemptions[0].expires": 'must be a day like "2027-03-31"',
        "spec.bogus": "is not a field here; check its spelling and where it stands",
    }


def test_the_error_shows_every_fault_in_one_sentence() -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_policy(policy(unknown="x", requestScans=1))
    assert str(caught.value) == (
        "spec.unknown: must be one of Deny, Warn, Audit, Off; "
        "spec.requestScans: must be true or false"
    )


@pytest.mark.parametrize("place", ["requirements", "unknown", "unscanned", "stale", "registries"])
def test_a_bare_off_is_read_as_false_by_yaml_and_gets_its_cure(place: str) -> None:
    field = {
        "requirements": "requirements: {allow-origin: Off}",
        "stale": "stale: {action: off}",
        "registries": "registries: {action: OFF}",
    }.get(place, f"{place}: off")
    found = faults(policy() | {"spec": loaded(field)})
    assert list(found.values()) == [
        'must be one of Deny, Warn, Audit, Off; quote "Off", YAML reads it as false'
    ]
    assert read_policy(policy(unscanned="Off")).spec.unscanned is Action.OFF


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("stale", "stale"),
        ("a-b_C9", "a-b_C9"),
        ("a b", "'a b'"),
        ("a.b", "'a.b'"),
        ("a\x1b[2J", "'a\\x1b[2J'"),
        ("x" * 60, "x" * 60),
        ("x" * 61, repr("x" * 60)),
        ("\n" * 99, repr("\n" * 60)),
    ],
)
def test_a_path_shows_any_key_on_one_line_and_bounded(key: str, shown: str) -> None:
    assert faults(policy(pod={key: 1})).keys() == {f"spec.pod.{shown}"}


@pytest.mark.parametrize(
    ("spec", "path", "problem"),
    [
        ({"pod": 5}, "pod", "must be an object; leave it out for its defaults"),
        ({"requirements": []}, "requirements", "must be an object; leave it out for its defaults"),
        ({"exemptions": {}}, "exemptions", "must be a list; leave it out for none"),
        ({"helpURL": 5}, "helpURL", "must be text"),
        ({"acceptRewrite": "yes"}, "acceptRewrite", "must be true or false"),
        ({"pod": {"runAsUser": "1000"}}, "pod.runAsUser", "must be a whole number"),
        ({"pod": {"runAsUser": 1000.5}}, "pod.runAsUser", "must be a whole number"),
    ],
)
def test_a_wrong_type_is_told_in_words_that_a_person_can_act_on(
    spec: Json, path: str, problem: str
) -> None:
    assert faults(policy(**spec)) == {f"spec.{path}": problem}


def test_a_fault_of_the_whole_document_has_no_path() -> None:
    assert str(Fault("", "must be an object")) == "must be an object"
    assert str(Fault("spec.a", "is missing")) == "spec.a: is missing"


def test_the_faults_of_rules_and_durations_carry_their_cure() -> None:
    wrong = policy(
        stale={"after": "0h"},
        exemptions=[exemption(requirements=["uid"]), exemption(name="b", requirements=[])],
    )
    assert faults(wrong) == {
        "spec.stale.after": 'must be longer than nothing, like "168h"',
        "spec.exemptions[0].requirements[0]": f"must be a rule id: {', '.join(RULES)}",
        "spec.exemptions[1].requirements": (
            "must not be empty; leave it out for all rules but reference and registry"
        ),
    }


def test_a_field_in_the_wrong_spelling_is_refused() -> None:
    assert faults(policy(accept_rewrite=True)).keys() == {"spec.accept_rewrite"}
    assert faults(policy(help_url="")).keys() == {"spec.help_url"}
    assert faults(policy(helpUrl="")).keys() == {"spec.helpUrl"}
    assert faults(policy(pod={"run_as_user": 1})).keys() == {"spec.pod.run_as_user"}


@pytest.mark.parametrize("document", [None, [], "x", 1, True])
def test_what_is_no_object_is_refused(document: object) -> None:
    assert faults(document).keys() == {""}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("apiVersion", "nbgate.dev/v1"),
        ("kind", "ImageScan"),
        ("metadata", {}),
        ("metadata", {"name": 1}),
        ("spec", None),
        ("spec", []),
    ],
)
def test_an_envelope_of_another_kind_is_refused(path: str, value: object) -> None:
    (found,) = faults(policy() | {path: value})
    assert found.split(".")[0] == path


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        (
            "path",
            ["/home/jovyan", "/a", "/home/nb.d", "/Home"],
            ["", "home", "/", "/home/", "/a//b", "/a b"],
        ),
        (
            "claim",
            ["{notebook}-workspace", "shared", "workspace-{notebook}"],
            ["", "{notebook}_x", "{name}-workspace", "-x", "A"],
        ),
        ("sizeLimit", ["10Gi", "1", "1.5G", "500M", None], ["", "-1", "10GB", "1e3", "ten", 10]),
        ("fallback", ["EmptyDir", "None"], ["emptyDir", "", None]),
    ],
)
def test_the_home_is_checked(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        read_policy(policy(pod={"home": {field: value}}))
    for value in bad:
        assert faults(policy(pod={"home": {field: value}})).keys() == {f"spec.pod.home.{field}"}


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("action", ["Add", "Hide", "Off"], ["add", "", "Deny", False, None]),
        ("count", [1, 64], [0, 65, "1", 1.5, True, None]),
        (
            "resource",
            ["nvidia.com/gpu", "nvidia.com/mig-1g.5gb", "a/B_c"],
            ["cpu", "", "nvidia.com/", "/gpu", "NVIDIA.com/gpu", "a/b/c"],
        ),
        ("runtimeClassName", [None, "nvidia"], ["", "Nvidia", "a.b"]),
        ("patterns", [[], ["ghcr.io/**"]], ["ghcr.io/**", ["x"], [1], None]),
        (
            "tolerations",
            [[], [{}], [{"key": "a", "operator": "Equal", "value": "b", "tolerationSeconds": 3}]],
            [{}, [1], [{"operator": "In"}], [{"seconds": 3}]],
        ),
    ],
)
def test_the_gpu_is_checked(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        read_policy(policy(pod={"gpu": {field: value}}))
    for value in bad:
        for path in faults(policy(pod={"gpu": {field: value}})):
            assert path.startswith(f"spec.pod.gpu.{field}")


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("runAsUser", [1, 1000, 2**31 - 1, None], [0, -1, 2**31, "1000", 1000.0, True]),
        ("fsGroup", [0, 100, 2**31 - 1, None], [-1, 2**31, "100", True]),
        ("pinDigest", [True, False], [None, 1, "true"]),
        ("nbPrefix", [True, False], [None, 0, "no"]),
        ("home", [None, {}], [False, "x"]),
        ("gpu", [{}], [None, False]),
    ],
)
def test_the_patches_are_checked(field: str, good: list[object], bad: list[object]) -> None:
    for value in good:
        read_policy(policy(pod={field: value}))
    for value in bad:
        assert faults(policy(pod={field: value})).keys() == {f"spec.pod.{field}"}


@pytest.mark.parametrize(
    "address", ["", "http://h", "https://h.example.com/a?b#c", "https://" + "x" * 180]
)
def test_a_help_address_is_one_that_a_message_can_end_with(address: str) -> None:
    spec = read_policy(policy(helpURL=address)).spec
    assert spec.help == (address or DEFAULT_HELP_URL)


@pytest.mark.parametrize(
    "address", ["https://", "h", "https://a b", "https://a\n", "https://" + "x" * 181]
)
def test_another_help_address_is_refused(address: str) -> None:
    assert faults(policy(helpURL=address)).keys() == {"spec.helpURL"}


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        ("168h", 604800),
        ("1h30m", 5400),
        ("90m", 5400),
        ("1s", 1),
        ("0h1s", 1),
        ("999999999h", 3599999996400),
    ],
)
def test_a_duration_is_hours_minutes_and_seconds(after: str, seconds: int) -> None:
    assert read_policy(policy(stale={"after": after})).spec.stale.seconds == seconds


@pytest.mark.parametrize(
    "after", ["", "0h", "0s", "7d", "1.5h", "-1h", "1h ", "h", "1m1h", "1", 168, None]
)
def test_another_duration_is_refused(after: object) -> None:
    assert faults(policy(stale={"after": after})).keys() == {"spec.stale.after"}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"pod": {"home": {"sizeLimit": "\u0661\u0660Gi"}}}, "spec.pod.home.sizeLimit"),
        ({"stale": {"after": "\u0663h"}}, "spec.stale.after"),
        ({"exemptions": [exemption(expires="\uff12027-03-31")]}, "spec.exemptions[0].expires"),
    ],
)
def test_only_ascii_digits_are_digits(spec: Json, path: str) -> None:
    """The API server reads no others: a size written so would refuse every pod that gets the empty volume."""
    assert faults(policy(**spec)).keys() == {path}


# Exemptions


@pytest.mark.parametrize("day", ["2027-03-31", "2028-02-29", "9998-12-31", "0001-01-01"])
def test_an_exemption_ends_on_a_day(day: str) -> None:
    assert read_policy(policy(exemptions=[exemption(expires=day)])).spec.exemptions[0].ends


@pytest.mark.parametrize(
    "day",
    [
        "",
        "never",
        "2027-02-29",
        "2027-3-31",
        "2027-03-31T00:00:00Z",
        "9999-12-31",
        "20270331",
        2027,
        None,
        False,
    ],
)
def test_an_exemption_that_ends_on_no_day_is_refused(day: object) -> None:
    found = faults(policy(exemptions=[exemption(expires=day)]))
    assert found == {"spec.exemptions[0].expires": 'must be a day like "2027-03-31"'}


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"requirements": []}, ".requirements"),
        ({"requirements": ["uid-100"]}, ".requirements[0]"),
        ({"requirements": ["nb-prefix", "uid-100"]}, ".requirements[1]"),
        ({"requirements": "uid-1000"}, ".requirements"),
        ({"reason": ""}, ".reason"),
        ({"reason": "x" * 501}, ".reason"),
        ({"name": "a" * 64}, ".name"),
        ({"name": ""}, ".name"),
        ({"namespaces": ["Team"]}, ".namespaces[0]"),
        ({"namespaces": ["*"]}, ".namespaces[0]"),
        ({"images": ["x"]}, ".images[0]"),
        ({"owner": "me"}, ".owner"),
        ({"namespaces": []}, ""),
    ],
)
def test_an_exemption_is_checked(fields: Json, path: str) -> None:
    found = faults(policy(exemptions=[exemption(), exemption(**{"name": "b", **fields})]))
    assert found.keys() == {f"spec.exemptions[1]{path}"}


@pytest.mark.parametrize("field", ["name", "reason", "expires"])
def test_an_exemption_needs_a_name_a_reason_and_an_end(field: str) -> None:
    part = exemption()
    del part[field]
    assert faults(policy(exemptions=[part])) == {f"spec.exemptions[0].{field}": "is missing"}


def test_an_exemption_for_everything_is_refused() -> None:
    found = faults(policy(exemptions=[exemption(namespaces=[], images=[])]))
    assert found == {
        "spec.exemptions[0]": (
            "names neither namespaces nor images: it would waive its rules everywhere"
        )
    }


def test_two_exemptions_of_one_name_are_refused() -> None:
    found = faults(policy(exemptions=[exemption(), exemption(), exemption(name="b")]))
    assert found == {
        "spec": "exemptions: the name legacy stands twice; a record must tell them apart"
    }


def seconds_to_read(exemptions: int) -> float:
    """Give the processor's time of the quickest of three: others may be busy."""
    document = policy(exemptions=[exemption(name=f"e{number}") for number in range(exemptions)])
    took = []
    for _ in range(3):
        started = time.process_time()
        read_policy(document)
        took.append(time.process_time() - started)
    return min(took)


def test_four_times_the_exemptions_take_about_four_times_as_long() -> None:
    # It was sixteen times as long.
    assert seconds_to_read(12_000) < 9 * seconds_to_read(3_000)


@pytest.mark.parametrize("rule", RULES)
def test_an_exemption_takes_any_rule_id(rule: str) -> None:
    spec = read_policy(policy(exemptions=[exemption(requirements=[rule])])).spec
    (held,) = spec.exemptions
    assert [each for each in RULES if held.waives(each, "team-a", 0.0)] == [rule]


def test_an_exemption_without_a_list_covers_all_but_where_an_image_comes_from() -> None:
    (held,) = read_policy(policy(exemptions=[exemption()])).spec.exemptions
    waived = {rule for rule in RULES if held.waives(rule, "team-a", 0.0)}
    assert waived == set(RULES) - {"reference", "registry"}


# Whatever the document

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text()
    | st.dates()
    | st.sampled_from(["Deny", "Off", "9999-12-31", "168h", "\ud800", "{notebook}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(data=st.data())
def test_a_changed_document_is_valid_or_invalid_and_nothing_else(data: st.DataObject) -> None:
    document: Any = loaded(CONTRACT)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(document))[1:]))
        document = replaced(document, path, data.draw(ANYTHING))
    for fault in faults_if_any(document):
        assert fault.problem
        assert str(fault).isprintable()


def faults_if_any(document: Any) -> tuple[Fault, ...]:
    """Read the document; what is wrong with it, and no other exception, comes out."""
    try:
        read_policy(document)
    except InvalidDocument as error:
        return error.faults
    return ()
