"""Where the core departs from its contract: each test fails until its finding is mended, then moves to its file."""

import json
import re
import time
from collections.abc import Iterator
from itertools import permutations
from typing import Any

import jsonpatch
import orjson
import pytest

from tests.core.builders import (
    DIGEST,
    IMAGE,
    NOTEBOOK,
    NOW,
    OTHER_DIGEST,
    USER,
    Json,
    container,
    exemption,
    finished_container,
    finished_pod,
    notebook,
    owner,
    pending_document,
    pod,
    policy,
    request,
    review,
    scan,
    scan_document,
    snapshot,
)
from webhook.core.audit import build_record
from webhook.core.decision import Snapshot, mutate, validate
from webhook.core.document import InvalidDocument
from webhook.core.manifest import request_for
from webhook.core.policy import DEFAULT_POLICY, read_policy
from webhook.core.reading import Malformed
from webhook.core.reference import parse
from webhook.core.review import ReviewError, parse_review
from webhook.core.scan import read_scan_document
from webhook.core.verdict import build_index

Path = tuple[str | int, ...]


def rules(source: Json, known: Snapshot, **fields: Any) -> set[str]:
    return {v.rule for v in validate(request(source, **fields), known, NOW).violations}


# 1. A policy cannot be written: actions come out as "3" (IntEnum's str), and the result does not read back


def test_a_policy_is_written_as_it_is_read() -> None:
    spec = read_policy(policy(requirements={"allow-origin": "Warn"}, exemptions=[exemption()]))
    written = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written["spec"]["unscanned"] == "Deny"
    assert read_policy(written) == spec
    defaults = DEFAULT_POLICY.model_dump(mode="json", by_alias=True)
    assert defaults["spec"]["stale"] == {"after": "168h", "action": "Warn"}


# 2. An UPDATE that drops the label escapes: the pod keeps running, with any image, under the notebook's Service


def test_an_update_that_drops_the_label_is_judged_as_what_the_pod_was() -> None:
    stored = finished_pod()
    evil = finished_pod(finished_container(image=f"evil.example.com/x@{OTHER_DIGEST}"))
    del evil["metadata"]["labels"]["notebook-name"]
    assert rules(evil, snapshot(scan_document()), old=stored, user=USER) == {"unscanned"}


# 3. The audit record of a mutation: users' control characters, policy's and scan's names, and no bound

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


@pytest.mark.parametrize("where", ["label", "policy", "scan"])
def test_control_characters_never_reach_a_line_by_patch_or_name(where: str) -> None:
    """Labels are validated by the API server only after the mutating webhooks."""
    bad = "x\x9b31m\x7f\u2028"
    source = pod(notebook=bad if where == "label" else NOTEBOOK)
    document = policy() | {"metadata": {"name": bad if where == "policy" else "default"}}
    known = Snapshot(
        scans=snapshot(scan_document(name=bad if where == "scan" else "scan")).scans,
        policy=read_policy(document),
    )
    seen = request(source, user=USER)
    decision = mutate(seen, known)
    record = build_record(seen, decision, known, endpoint="mutate", now=NOW, seconds=0.0)
    assert not [text for text in strings(record) if CONTROL.search(text)]


def test_the_record_of_a_patch_is_bounded() -> None:
    source = pod(container(env=[{"name": "NB_PREFIX"}] * 20_000))
    seen, known = request(source), snapshot()
    record = build_record(seen, mutate(seen, known), known, endpoint="mutate", now=NOW, seconds=0.0)
    assert len(orjson.dumps(record)) < 64 * 1024


# 4. A pod of one user holds a worker for more than a second (2.4 MiB of duplicate variables: 1.3 s on 2 cores)


def test_duplicate_variables_are_removed_in_linear_time_and_few_operations() -> None:
    source = pod(container(env=[{"name": "NB_PREFIX"}] * 50_000))
    seen, known = request(source), snapshot()
    start = time.perf_counter()
    decision = mutate(seen, known)
    assert time.perf_counter() - start < 0.5
    assert len(decision.patch) < 100
    result = jsonpatch.apply_patch(source, list(decision.patch))
    assert len(result["spec"]["containers"][0]["env"]) == 1


# 5. Nesting past 254 levels is a PatchError, HTTP 500, where the request is what is wrong


def test_an_object_that_nests_too_deeply_is_a_review_error() -> None:
    nested: Json = {}
    for _ in range(300):
        nested = {"a": nested}
    with pytest.raises(ReviewError):
        mutate(parse_review(json.dumps(review(pod(unknown=nested))).encode()), snapshot())


# 6. A scan that reads can make every record of its image a traceback


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59"])
def test_a_time_that_is_read_can_be_written(written: str) -> None:
    try:
        known = snapshot(scan_document(scannedAt=written, resolvedAt=written))
    except InvalidDocument:
        return
    seen = request(finished_pod())
    decision = validate(seen, known, NOW)
    assert build_record(seen, decision, known, endpoint="validate", now=NOW, seconds=0.0)


# 7. The order of documents matters: for documents that wait, and for equal names


def test_the_order_of_waiting_documents_never_matters() -> None:
    documents = [
        pending_document(name="a", phase="Failed", why="401"),
        pending_document(name="b", phase="Scanning"),
    ]
    found = {
        build_index([scan(each) for each in order]).find(parse(IMAGE))
        for order in permutations(documents)
    }
    assert len(found) == 1


def test_the_order_of_documents_of_one_name_and_time_never_matters() -> None:
    """Nothing keeps two files of a folder from the same metadata.name."""
    documents = [
        scan_document(digest=DIGEST, fails={"uid-1000": "root"}),
        scan_document(digest=OTHER_DIGEST),
    ]
    found = {
        build_index([scan(each) for each in order]).find(parse(IMAGE)).digest
        for order in permutations(documents)
    }
    assert len(found) == 1


# 8. counts: "one without a result counts as Unknown"


def test_a_document_without_a_result_counts_as_unknown() -> None:
    half = scan_document(phase="Scanning", digest=None)
    assert build_index([scan(half)]).counts == {"Conforms": 0, "Violates": 0, "Unknown": 1}


# 9. The record of an image that is refused as unscanned does not say which digest it was


def test_a_digest_that_nobody_scanned_is_still_recorded() -> None:
    seen, known = request(finished_pod(finished_container(image=f"x@{OTHER_DIGEST}"))), snapshot()
    decision = validate(seen, known, NOW)
    record = build_record(seen, decision, known, endpoint="validate", now=NOW, seconds=0.0)
    assert record["digest"] == OTHER_DIGEST


# 10. An empty notebook-name with generateName: /mutate sees no name yet, /validate does, and refuses what was patched


def test_a_generated_name_gives_the_same_prefix_before_and_after_it_is_generated() -> None:
    known = snapshot(scan_document())
    source = pod(notebook="", metadata={"name": "", "generateName": "gen-"})
    patch = mutate(request(source, user=USER, name=""), known).patch
    final = jsonpatch.apply_patch(source, list(patch))
    final["metadata"]["name"] = "gen-x7k2p"
    assert rules(final, known, user=USER) == set()


# 11. A pod's own runAsNonRoot: false is overridden in silence


def test_a_pods_own_word_on_non_root_is_kept() -> None:
    source = pod(securityContext={"runAsNonRoot": False})
    patched = jsonpatch.apply_patch(source, list(mutate(request(source), snapshot()).patch))
    assert patched["spec"]["containers"][0]["securityContext"] == {"runAsUser": 1000}


# 12. Kubeflow ignores an empty rewrite annotation (notebook_controller.go, generateVirtualService)


def test_an_empty_rewrite_annotation_is_none() -> None:
    known = snapshot(scan_document(serving="Root", fails={"nb-prefix": "404"}))
    source = notebook(annotations={"notebooks.kubeflow.org/http-rewrite-uri": ""})
    assert rules(source, known) == {"nb-prefix"}


# 13. An image of which the scan says that it serves nothing, and that it conforms, is admitted


def test_an_image_that_serves_nothing_cannot_conform() -> None:
    with pytest.raises(InvalidDocument):
        read_scan_document(scan_document(serving="None"))


# 14. Faults that mislead


def test_a_lone_wrong_rule_id_is_one_fault() -> None:
    with pytest.raises(InvalidDocument) as caught:
        read_policy(policy(exemptions=[exemption(requirements=["uid-100"])]))
    assert [fault.path for fault in caught.value.faults] == ["spec.exemptions[0].requirements[0]"]


def test_a_contradiction_names_the_check_that_contradicts() -> None:
    """At Root, a failed nb-prefix contradicts nothing."""
    fails = {"nb-prefix": "404", "uid-1000": "root"}
    with pytest.raises(InvalidDocument, match="the check uid-1000 fails"):
        read_scan_document(scan_document(serving="Root", verdict="Conforms", fails=fails))


# 15. Digits that are none: the policy is accepted, and every pod that gets its empty volume is refused


@pytest.mark.parametrize(
    "spec",
    [{"pod": {"home": {"sizeLimit": "\u0661\u0660Gi"}}}, {"stale": {"after": "\u0663h"}}],
)
def test_only_ascii_digits_are_digits(spec: Json) -> None:
    with pytest.raises(InvalidDocument):
        read_policy(policy(**spec))


# 16. Malformed requests: the field is not named where it stands

PATHS: list[tuple[Path, object, str]] = [
    (("kind", "kind"), 1, "request.kind.kind"),
    (("resource", "group"), 1, "request.resource.group"),
    (("resource", "resource"), 1, "request.resource.resource"),
    (("userInfo", "username"), 1, "request.userInfo.username"),
    (("object", "spec"), [], "request.object.spec"),
    (
        ("object", "metadata", "ownerReferences"),
        [{"controller": 1}],
        "request.object.metadata.ownerReferences[0].controller",
    ),
    (
        ("object", "metadata", "ownerReferences"),
        [{**owner("x"), "name": 1}],
        "request.object.metadata.ownerReferences[0].name",
    ),
    (
        ("object", "spec", "containers"),
        [{"resources": {"claims": {}}}],
        "request.object.spec.containers[0].resources.claims",
    ),
    (
        ("object", "spec", "volumes"),
        [{"persistentVolumeClaim": {"claimName": 1}}],
        "request.object.spec.volumes[0].persistentVolumeClaim.claimName",
    ),
]


def with_value(document: Json, path: Path, value: object) -> bytes:
    place: Any = document["request"]
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return orjson.dumps(document)


@pytest.mark.parametrize(("path", "value", "named"), PATHS)
def test_a_wrong_field_is_named_where_it_stands(path: Path, value: object, named: str) -> None:
    with pytest.raises(ReviewError) as caught:
        mutate(parse_review(with_value(review(pod()), path, value)), snapshot())
    assert str(caught.value).startswith(f"{named} must be ")


@pytest.mark.parametrize("path", [("spec",), ("spec", "template"), ("spec", "template", "spec")])
def test_a_wrong_field_of_a_notebook_is_named_where_it_stands(path: Path) -> None:
    body = with_value(review(notebook()), ("object", *path), [])
    with pytest.raises(ReviewError) as caught:
        validate(parse_review(body), snapshot(), NOW)
    place = ".".join(str(step) for step in path)
    assert str(caught.value) == f"request.object.{place} must be an object, not a list"


def test_an_error_breaks_no_line() -> None:
    """The error stands in a log and in the answer; what the sender wrote is cleaned first."""
    with pytest.raises(ReviewError) as caught:
        parse_review(b'{"kind": "a\\nb\\u001b[31m"}')
    assert str(caught.value).isprintable()


def test_a_pod_without_a_namespace_is_refused_by_name() -> None:
    """Else its NB_PREFIX is /notebook//my-nb: a silent default."""
    with pytest.raises(ReviewError, match=r"request\.namespace"):
        mutate(request(pod(), namespace=""), snapshot())


# 17. Manifests


def test_a_wrong_template_is_named_where_it_stands() -> None:
    document = {"kind": "StatefulSet", "metadata": {"name": "x"}}
    document |= {"spec": {"template": {"metadata": [], "spec": {}}}}
    with pytest.raises(Malformed) as caught:
        request_for(document, "default")
    assert str(caught.value) == "spec.template.metadata must be an object, not a list"


def test_a_namespace_that_is_no_text_is_refused() -> None:
    with pytest.raises(Malformed, match=r"metadata\.namespace must be text"):
        request_for(pod(metadata={"namespace": 5}), "default")


# 18. A warning on a Notebook ends before it says what to do


@pytest.mark.parametrize("known", [snapshot(), snapshot(pending_document())])
def test_a_warning_about_a_real_image_says_what_happens_next(known: Snapshot) -> None:
    (warning,) = validate(request(notebook()), known, NOW).warnings
    assert not warning.endswith("...")
