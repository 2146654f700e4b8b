"""`nbgate review`: the newcomer's window shows what the server would decide, and says what it cannot read."""

import copy
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonpatch
import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cli.running import Ended, nbgate
from webhook.core.decision import Snapshot, mutate, validate
from webhook.core.document import parse_duration, parse_time
from webhook.core.manifest import request_for
from webhook.core.policy import DEFAULT_POLICY
from webhook.core.review import ReviewError

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NOTEBOOK = EXAMPLES / "notebook.yaml"
REVIEWS = sorted((ROOT / "tests" / "data" / "reviews").glob("*.json"))
NBGATE = Path(sys.executable).with_name("nbgate")
IMAGE = "ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-pytorch-cuda-full:v1.10.0"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the examples' scans, and a policy that minds no age: theirs grows."""
    made = tmp_path_factory.mktemp("scanned")
    assert nbgate(made, "scans", "import", EXAMPLES / "scans.yaml").code == 0
    spec = {"stale": {"action": "Off"}}
    (made / "policy.yaml").write_text(yaml.safe_dump(policy(spec)))
    return made


def policy(spec: Json) -> Json:
    names = {"apiVersion": "nbgate.dev/v1alpha1", "kind": "NotebookPolicy"}
    return {**names, "metadata": {"name": "test"}, "spec": spec}


def pod(name: str = "my-nb", image: str = IMAGE, **fields: Any) -> Json:
    metadata = {"name": name, "namespace": "team-a", "labels": {"notebook-name": name}}
    spec = {"containers": [{"name": name, "image": image}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, **fields}


def notebook(name: str = "my-nb", image: str = IMAGE) -> Json:
    spec = {"template": {"spec": pod(name, image)["spec"]}}
    metadata = {"name": name, "namespace": "team-a"}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "metadata": metadata,
        "spec": spec,
    }


def namespace(name: str, mode: str) -> Json:
    labels = {"nbgate.dev/mode": mode}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def review(home: Path, *documents: Json, flags: tuple[str | Path, ...] = ()) -> Ended:
    return nbgate(home, "review", "-", *flags, given=json.dumps(documents).encode())


def reviewed(home: Path, *documents: Json, flags: tuple[str | Path, ...] = ()) -> list[Json]:
    rows: list[Json] = review(home, *documents, flags=("-o", "json", *flags)).json
    return rows


# -- what is decided -------------------------------------------------------------------------------


def test_what_is_denied_exits_1_and_says_why_and_what_its_owner_reads(home: Path) -> None:
    ended = review(home, pod())
    assert (ended.code, ended.err) == (1, "")
    assert "Pod team-a/my-nb: DENIED - the API server would refuse it" in ended.out
    assert "[unscanned]" in ended.out
    assert "what its owner reads: image" in ended.out


def test_what_is_allowed_exits_0(scanned: Path) -> None:
    volume = {"name": "w", "persistentVolumeClaim": {"claimName": "my-nb-workspace"}}
    homely = pod()
    homely["spec"]["volumes"] = [volume]
    ended = review(scanned, homely)
    assert (ended.code, ended.err) == (0, "")
    assert "Pod team-a/my-nb: ALLOWED - it would be admitted" in ended.out


def test_a_home_that_does_not_survive_is_warned_of(scanned: Path) -> None:
    ended = review(scanned, pod())
    assert (ended.code, ended.err) == (0, "")
    assert "Pod team-a/my-nb: WARNED" in ended.out
    assert "warning: no workspace volume" in ended.out


def test_one_denial_among_many_exits_1(scanned: Path) -> None:
    ended = review(scanned, pod(), pod("other", "nginx:1.25"), pod("third"))
    assert ended.code == 1
    assert re.findall(r"^Pod team-a/\S+: ([A-Z]+)", ended.out, re.MULTILINE) == [
        "WARNED",
        "DENIED",
        "WARNED",
    ]


def test_a_notebook_is_told_of_what_is_not_known_and_refused_for_what_is(scanned: Path) -> None:
    unscanned, conforming, bad = (
        reviewed(scanned, notebook(image=image))[0] for image in ("x/y:1", IMAGE, "nginx:1.25")
    )
    assert (unscanned["decision"], unscanned["violations"][0]["action"]) == ("warned", "Warn")
    assert (conforming["decision"], conforming["kind"]) == ("allowed", "Notebook")
    assert bad["decision"] == "denied"
    assert all(row["patch"] == [] for row in (unscanned, conforming, bad))


def test_a_statefulset_is_judged_as_the_pod_that_its_controller_creates(scanned: Path) -> None:
    document = yaml.safe_load(NOTEBOOK.read_text())
    row = reviewed(scanned, document)[0]
    assert (row["kind"], row["namespace"]) == ("Pod", "team-a")
    assert (row["name"], row["notebook"]) == ("my-notebook-0", "my-notebook")
    values = [op["value"] for op in row["patch"] if op["path"].endswith("/env/0")]
    assert values == [{"name": "NB_PREFIX", "value": "/notebook/team-a/my-notebook"}]


def test_a_label_cannot_give_a_statefulset_s_pod_another_name(scanned: Path) -> None:
    document = yaml.safe_load(NOTEBOOK.read_text())
    document["spec"]["template"]["metadata"]["labels"]["notebook-name"] = "somebody-elses"
    assert reviewed(scanned, document)[0]["notebook"] == "my-notebook"


@pytest.mark.parametrize("path", REVIEWS, ids=lambda path: path.stem)
@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_every_recorded_review_is_reviewed(scanned: Path, path: Path, output: str) -> None:
    ended = nbgate(scanned, "review", path, "-o", output)
    assert (ended.code in (0, 1), ended.err) == (True, "")
    assert path.name in ended.out if output != "table" else ended.out.strip()


@pytest.mark.parametrize("path", REVIEWS, ids=lambda path: path.stem)
def test_it_decides_as_the_core_does(home: Path, path: Path) -> None:
    document = json.loads(path.read_bytes())
    request = request_for(document, "default")
    mutated = mutate(request, Snapshot())
    row = nbgate(home, "review", path, "-o", "json").json[0]
    assert row["patch"] == list(mutated.patch)
    if not mutated.patch:
        assert row["decision"] == validate(request, Snapshot(), 0.0).word


def test_all_recorded_reviews_at_once_are_reviewed_in_order(scanned: Path) -> None:
    ended = nbgate(scanned, "review", *REVIEWS, "-o", "json")
    assert [row["source"] for row in ended.json] == [str(path) for path in REVIEWS]


# -- namespaces ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "decision", "code"),
    [("warn", "warned", 0), ("audit", "warned", 0), ("deny", "denied", 1), ("Warn", "denied", 1)],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_namespace_among_the_documents_caps_its_own_pods(
    home: Path, mode: str, decision: str, code: int, *, first: bool
) -> None:
    documents = [namespace("team-a", mode), pod()] if first else [pod(), namespace("team-a", mode)]
    ended = review(home, *documents, flags=("-o", "json"))
    assert ended.code == code
    assert [row["decision"] for row in ended.json] == [decision]


def test_a_namespace_caps_no_other(home: Path) -> None:
    assert reviewed(home, namespace("team-b", "warn"), pod())[0]["decision"] == "denied"


def test_a_namespace_in_another_file_counts_too(home: Path) -> None:
    (home / "namespace.yaml").write_text(yaml.safe_dump(namespace("team-a", "warn")))
    (home / "pod.json").write_text(json.dumps(pod()))
    ended = nbgate(home, "review", home / "pod.json", home / "namespace.yaml")
    assert ended.code == 0
    assert "WARNED" in ended.out


def test_the_given_namespace_is_for_those_that_name_none(home: Path) -> None:
    nameless = pod("other")
    del nameless["metadata"]["namespace"]
    rows = reviewed(home, pod(), nameless, flags=("-n", "mine"))
    assert [row["namespace"] for row in rows] == ["team-a", "mine"]
    assert "/notebook/mine/other" in json.dumps(rows[1]["patch"])


# -- what is no notebook ---------------------------------------------------------------------------


def test_a_pod_that_is_no_notebook_is_said_to_be_none(home: Path) -> None:
    plain = pod()
    del plain["metadata"]["labels"]
    ended = review(home, plain)
    assert ended.code == 0
    assert "NOT A NOTEBOOK - nbgate leaves it alone" in ended.out
    row = reviewed(home, plain)[0]
    assert (row["notebook"], row["decision"], row["patch"]) == (None, "allowed", [])


def test_a_pod_that_is_being_deleted_is_left_alone(home: Path) -> None:
    leaving = pod()
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert "NOT A NOTEBOOK" in review(home, leaving).out


@pytest.mark.parametrize("documents", [[], [namespace("team-a", "warn")]])
def test_with_nothing_to_review_it_says_so_and_exits_2(home: Path, documents: list[Json]) -> None:
    ended = nbgate(home, "review", "-", given=json.dumps(documents).encode())
    assert (ended.code, ended.out) == (2, "")
    assert "there is nothing to review" in ended.err


# -- forms of input --------------------------------------------------------------------------------

FORMS: dict[str, Callable[[list[Json]], str]] = {
    "yaml": yaml.safe_dump_all,
    "json list": json.dumps,
    "yaml list": yaml.safe_dump,
    "v1 List": lambda docs: json.dumps({"apiVersion": "v1", "kind": "List", "items": docs}),
    "PodList": lambda docs: yaml.safe_dump({"kind": "PodList", "items": docs}),
    "byte order mark": lambda docs: "\ufeff" + yaml.safe_dump_all(docs),
    "windows": lambda docs: yaml.safe_dump_all(docs).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_however_documents_are_written_they_are_the_same(scanned: Path, form: str) -> None:
    documents = [pod(), pod("other", "nginx:1.25"), notebook()]
    written = FORMS[form](documents)
    ended = nbgate(scanned, "review", "-", "-o", "json", given=written.encode())
    expected = reviewed(scanned, *documents)
    assert [{**row, "source": ""} for row in ended.json] == [
        {**row, "source": ""} for row in expected
    ]
    assert [row["source"] for row in ended.json] == [
        f"standard input, document {n}" for n in (1, 2, 3)
    ]


def test_a_file_is_named_as_it_was_given(home: Path) -> None:
    path = home / "a b.yaml"
    path.write_text(yaml.safe_dump(pod()))
    assert nbgate(home, "review", path, "-o", "json").json[0]["source"] == str(path)


# -- what cannot be read ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no document"),
        ("# nothing\n", "holds no document"),
        ("{", "ends in the middle"),
        ('{"kind": "Pod",}', "is not JSON at line 1"),
        ("a: [", "is not YAML at line"),
        ("3", "must be an object, not a number"),
        ("kind: Pod\nkind: Pod\n", "kind: stands twice, first at line 1"),
        ("kind: Pod\nmetadata: &x {}\n", "metadata: has an anchor"),
        ("kind: !!python/name:os.system Pod\n", "kind: has a tag"),
        ("kind: Deployment\n", "kind must be one of Pod, Notebook, StatefulSet"),
        ("metadata: {}\n", "kind must be one of"),
        ("kind: Pod\nmetadata: {labels: {notebook-name: 1}}\n", "must be text, not a number"),
        ("kind: Pod\nmetadata: {labels: {notebook-name: a}}\nspec: []\n", "must be an object"),
        ("kind: StatefulSet\nmetadata: {name: a}\n", "spec.template is missing"),
        ("kind: AdmissionReview\n", "admission.k8s.io/v1"),
        ("[" * 5000, "standard input"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place_and_exits_2(
    home: Path, text: str, words: str
) -> None:
    ended = nbgate(home, "review", "-", given=text.encode())
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("nbgate: standard input: ")
    assert words in ended.err


def test_the_document_that_cannot_be_read_is_named_by_its_number(home: Path) -> None:
    text = f"{yaml.safe_dump(pod())}---\n{yaml.safe_dump(pod(spec={'containers': 3}))}"
    ended = nbgate(home, "review", "-", given=text.encode())
    assert (ended.code, ended.out) == (2, "")
    assert "standard input, document 2: " in ended.err
    assert "spec.containers must be a list, not a number" in ended.err


@pytest.mark.parametrize(
    ("kind", "path"),
    [("Pod", "spec"), ("StatefulSet", "spec.template.spec"), ("Notebook", "spec.template.spec")],
)
def test_a_fault_in_a_manifest_is_named_by_its_path_in_that_manifest(
    home: Path, kind: str, path: str
) -> None:
    spec = {"containers": [{"name": "a", "image": 3}]}
    labels = {"labels": {"notebook-name": "a"}}
    template = {"metadata": labels, "spec": spec}
    document = {"spec": spec if kind == "Pod" else {"template": template}}
    ended = review(home, {"kind": kind, "metadata": {"name": "a", **labels}, **document})
    assert ended.code == 2
    assert (
        ended.err
        == f"nbgate: standard input: {path}.containers[0].image must be text, not a number\n"
    )


def test_a_fault_in_an_admissionreview_is_named_by_its_path_there(home: Path) -> None:
    document = json.loads((EXAMPLES / "review.json").read_bytes())
    document["request"]["object"]["spec"]["containers"] = 3
    ended = review(home, document)
    assert ended.code == 2
    assert "standard input: request.object.spec.containers must be a list" in ended.err


def test_a_namespace_that_cannot_be_read_is_named_by_its_place(home: Path) -> None:
    ended = review(home, pod(), {"kind": "Namespace", "metadata": {"name": 3}})
    assert ended.code == 2
    assert (
        ended.err
        == "nbgate: standard input, document 2: metadata.name must be text, not a number\n"
    )


@pytest.mark.parametrize("name", ["containers", "initContainers"])
def test_a_pod_of_very_many_containers_is_refused_in_less_than_a_second(name: str) -> None:
    """2.4 MB, which an API server passes on: judging each of them would hold a thread for many seconds."""
    many = [{"name": f"n{i}", "image": "B"} for i in range(80_000)]
    request = request_for(
        pod(spec={"containers": [{"name": "a", "image": "x"}], name: many}), "team"
    )
    started = time.process_time()
    with pytest.raises(ReviewError, match="more than"):
        validate(request, Snapshot(), 0.0)
    assert time.process_time() - started < 1


def test_every_broken_document_of_a_file_is_told_of(home: Path) -> None:
    ended = nbgate(home, "review", "-", given=b"a: &x 1\n---\nkind: Pod\n---\nb: [\n")
    assert ended.code == 2
    assert "document 1: a: has an anchor" in ended.err
    assert "document 3: is not YAML" in ended.err


@pytest.mark.parametrize("data", [b"\xff\xfe", b"kind: Pod\n\0"])
def test_what_is_no_text_is_told_of(home: Path, data: bytes) -> None:
    ended = nbgate(home, "review", "-", given=data)
    assert ended.code == 2
    assert ended.err.startswith("nbgate: standard input: ")


def test_a_file_without_end_is_not_read_to_its_end(home: Path) -> None:
    ended = nbgate(home, "review", "/dev/zero")
    assert ended.code == 2
    assert "/dev/zero is larger than" in ended.err


def test_a_scan_that_cannot_be_read_is_told_of_and_left_out(home: Path) -> None:
    (home / "scans").mkdir()
    (home / "scans" / "bad.yaml").write_text("kind: ImageScan\n")
    ended = review(home, pod())
    assert ended.code == 1
    assert f"nbgate: left out: {home / 'scans' / 'bad.yaml'}" in ended.err
    assert "DENIED" in ended.out


@pytest.mark.parametrize("named", [True, False])
def test_a_policy_that_cannot_hold_is_told_of_with_every_fault(home: Path, *, named: bool) -> None:
    path = home / ("mine.yaml" if named else "policy.yaml")
    path.write_text(yaml.safe_dump(policy({"a": 1, "unknown": "Nope"})))
    ended = review(home, pod(), flags=("--policy", path) if named else ())
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}: spec.unknown: " in ended.err
    assert f"{path}: spec.a: " in ended.err


@pytest.mark.parametrize("flag", ["--policy", "--scans"])
def test_without_a_cluster_to_speak_to_the_cure_is_told(home: Path, flag: str) -> None:
    ended = review(home, pod(), flags=(flag, "cluster"))
    assert ended.code == 3
    assert ended.err.startswith(f"nbgate: {flag} cluster: the kubeconfig names no cluster to use")
    assert "set KUBECONFIG" in ended.err


# -- the diff --------------------------------------------------------------------------------------


def diff_of(out: str) -> list[str]:
    lines = out.partition("what nbgate patches:\n")[2].splitlines()
    return [line[4:] for line in lines if line.startswith("    ")]


def written(spec: Json) -> Counter[str]:
    """The lines of a spec as YAML."""
    return Counter(yaml.safe_dump({"spec": spec}, sort_keys=False, width=200).splitlines())


VARIABLES: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["NB_PREFIX", "A", "ü", "\x1b[31m"]),
        "value": st.sampled_from(["", "/", "- a: b", "x\ny", "\x9b2J"]),
    }
)
CONTAINERS: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["my-nb", "b", "istio-proxy"]),
        "image": st.sampled_from([IMAGE, "x:1"]),
    },
    optional={
        "env": st.lists(VARIABLES, max_size=3),
        "securityContext": st.sampled_from([{}, {"runAsUser": 1000}, {"runAsUser": 0}]),
        "resources": st.sampled_from([{}, {"limits": {"memory": "1Gi"}}]),
    },
)
WORKSPACE = {"name": "w", "persistentVolumeClaim": {"claimName": "my-nb-workspace"}}
SPECS: st.SearchStrategy[Json] = st.fixed_dictionaries(
    {
        "containers": st.lists(
            CONTAINERS, min_size=1, max_size=3, unique_by=lambda c: str(c["name"])
        )
    },
    optional={
        "securityContext": st.sampled_from([{}, {"fsGroup": 5}]),
        "volumes": st.sampled_from([[], [WORKSPACE]]),
        "note": st.text(st.characters(codec="utf-8", min_codepoint=1), max_size=300),
    },
)
FUZZ = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@given(spec=SPECS)
@FUZZ
def test_the_diff_shows_just_what_is_patched(scanned: Path, spec: Json) -> None:
    document = json.loads(json.dumps(pod(spec=spec)))  # so that no object stands in two places
    out = review(scanned, document).out
    row = reviewed(scanned, document)[0]
    patched = jsonpatch.apply_patch(document, row["patch"])
    shown = diff_of(out)
    gone = Counter(line[1:] for line in shown if line.startswith("-"))
    come = Counter(line[1:] for line in shown if line.startswith("+"))
    before, after = written(document["spec"]), written(patched["spec"])
    assert bool(shown) == bool(row["patch"])
    assert (gone - come, come - gone) == (before - after, after - before)
    assert not gone & come, "a line is taken away and put back"


def test_what_needs_no_patch_shows_none(home: Path) -> None:
    quiet = {
        "pinDigest": False,
        "nbPrefix": False,
        "runAsUser": None,
        "fsGroup": None,
        "home": None,
    }
    (home / "policy.yaml").write_text(
        yaml.safe_dump(policy({"pod": {**quiet, "gpu": {"action": "Off"}}}))
    )
    ended = review(home, pod())
    assert "what nbgate patches" not in ended.out
    assert reviewed(home, pod())[0]["patch"] == []


@pytest.mark.parametrize("path", [NOTEBOOK, EXAMPLES / "review.json"], ids=lambda path: path.name)
def test_a_manifest_with_the_patch_applied_needs_none(scanned: Path, path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    request = request_for(document, "default")
    assert request.object is not None
    patch = nbgate(scanned, "review", path, "-o", "json").json[0]["patch"]
    assert patch
    again = {**jsonpatch.apply_patch(dict(request.object), patch), "kind": "Pod"}
    assert reviewed(scanned, again)[0]["patch"] == []


# -- whatever it is given --------------------------------------------------------------------------


def seeds() -> list[Json]:
    examples = [
        yaml.safe_load(NOTEBOOK.read_text()),
        pod(),
        notebook(),
        namespace("team-a", "warn"),
    ]
    return [*examples, *(json.loads(path.read_bytes()) for path in REVIEWS)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a document."""
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        inner = []
    return [found for key, item in inner for found in ((*path, key), *places(item, (*path, key)))]


SEEDS = seeds()
SEED_PLACES = [places(seed) for seed in SEEDS]
HOSTILE = ["\x1b]0;t\x07", "\x9b31m", "\x7f", "\u2028", "\u202e", "[/x]", "[bold]", ":100:", "a/~b"]
VALUES: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1000, 2**53, 10**18, 1.5, 1e308]),
    st.sampled_from(
        ["", "x", "NB_PREFIX", "/home/jovyan", "List", "Pod", "nginx@sha256:0", *HOSTILE]
    ),
    st.sampled_from([[], {}, [None], [{}], [[]], {"": ""}, {"a": {}}, {"\x1b": 1}]),
)


@st.composite
def mutants(draw: st.DrawFn) -> Json:
    """A document of the examples with a few of its values replaced, removed, doubled or moved."""
    index = draw(st.integers(0, len(SEEDS) - 1))
    document = copy.deepcopy(SEEDS[index])
    for path in draw(st.lists(st.sampled_from(SEED_PLACES[index]), min_size=1, max_size=4)):
        holder: Any = document
        try:
            for step in path[:-1]:
                holder = holder[step]
            old = holder[path[-1]]
            change = draw(st.sampled_from(["replace", "replace", "remove", "double", "wrap"]))
            if change == "remove":
                del holder[path[-1]]
            elif change == "double" and isinstance(holder, list):
                holder.append(copy.deepcopy(old))
            else:
                holder[path[-1]] = [old] if change == "wrap" else draw(VALUES)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return document


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A mutant as YAML or JSON, sometimes with some of its bytes gone or replaced."""
    document = draw(mutants())
    if draw(st.booleans()):
        data = json.dumps(document, ensure_ascii=draw(st.booleans())).encode()
    else:
        data = yaml.safe_dump(document, allow_unicode=True).encode()
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.binary(max_size=3)) + data[at + draw(st.integers(0, 20)) :]
    return data


@given(data=spoiled(), output=st.sampled_from(["table", "json", "yaml"]))
@FUZZ
def test_whatever_it_reads_it_decides_or_says_what_is_wrong(
    scanned: Path, data: bytes, output: str
) -> None:
    ended = nbgate(scanned, "review", "-", "-o", output, given=data)
    assert ended.code in (0, 1, 2)
    assert "internal error" not in ended.err
    assert "Traceback" not in ended.out + ended.err
    assert bool(ended.out) == (ended.code < 2)
    if ended.code == 2:
        assert ended.err.startswith("nbgate: ")


@given(document=mutants(), output=st.sampled_from(["table", "json", "yaml"]))
@FUZZ
@example({"kind": "\x1b]0;title\x07"}, "table")
@example({"kind": "\x9b31m"}, "json")
@example({"kind": "AdmissionReview", "apiVersion": "\x1b]0;title\x07"}, "table")
@example(pod("a\x9b31m\x7f\u202e", "\x9b\u2028"), "json")
@example(pod("a\x9b31m\x7f\u202e", "\x9b\u2028"), "yaml")
def test_no_manifest_says_anything_to_a_terminal(
    scanned: Path, document: Json, output: str
) -> None:
    ended = nbgate(scanned, "review", "-", "-o", output, given=json.dumps(document).encode())
    # split at line feeds alone: splitlines would take U+2028 for an end
    assert all(line.isprintable() for line in (ended.out + ended.err).split("\n"))


def test_on_a_terminal_there_is_colour_and_nothing_of_the_manifest_s_own(home: Path) -> None:
    evil = pod(image="x\x1b]0;title\x07\x9b2J")
    evil["metadata"]["labels"]["\x1b[2J"] = "\x1b[2J"
    evil["spec"]["containers"][0]["env"] = [{"name": "A\x1b[2J", "value": "\x1b[2J\r\n\x08"}]
    path = home / "evil.json"
    path.write_text(json.dumps(evil))
    said = on_a_terminal(home, "review", str(path))
    assert "\x1b[1;31mDENIED" in said
    assert re.sub(r"\x1b\[[0-9;]*m|\r?\n", "", said).isprintable()
    assert "title" in said


def on_a_terminal(home: Path, *words: str) -> str:
    """Run nbgate with a terminal for its output, and give what it shows there."""
    master, terminal = pty.openpty()
    own = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_") and k != "NO_COLOR"}
    environment = {**own, "NBGATE_HOME": str(home), "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen([str(NBGATE), *words], env=environment, stdout=terminal, stderr=terminal):
        os.close(terminal)
        said = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:
                break  # its end is closed: the program has ended
            if not part:
                break
            said += part
    os.close(master)
    return said.decode()


def test_the_examples_are_admitted_next_year_too() -> None:
    """The README says that they are: their scans must not grow stale."""
    after = parse_duration(DEFAULT_POLICY.spec.stale.after)
    for document in yaml.safe_load_all((EXAMPLES / "scans.yaml").read_text()):
        until = parse_time(document["status"]["resolvedAt"]) + after
        assert time.time() + 365 * 86400 < until


# -- outputs agree ---------------------------------------------------------------------------------

WORDS = {"DENIED": "denied", "WARNED": "warned", "ALLOWED": "allowed", "NOT A NOTEBOOK": "allowed"}


@given(documents=st.lists(mutants(), min_size=1, max_size=3))
@FUZZ
def test_table_json_and_yaml_tell_the_same(scanned: Path, documents: list[Json]) -> None:
    data = json.dumps(documents).encode()
    table, as_json, as_yaml = (
        nbgate(scanned, "review", "-", "-o", output, given=data)
        for output in ("table", "json", "yaml")
    )
    assert table.code == as_json.code == as_yaml.code
    if table.code == 2:
        assert table.err == as_json.err == as_yaml.err
        return
    assert as_json.json == as_yaml.yaml
    heads = re.findall(
        r"^(?!  ).*: ([A-Z ]+) - (?:it would|the API|nbgate leaves)", table.out, re.MULTILINE
    )
    assert [WORDS[word] for word in heads] == [row["decision"] for row in as_json.json]
    for row in as_json.json:
        assert (row["decision"] == "denied") == bool(row["message"])
        assert {v["action"] for v in row["violations"]} <= {"Deny", "Warn", "Audit"}
    assert (table.code == 1) == any(row["decision"] == "denied" for row in as_json.json)
