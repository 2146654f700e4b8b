"""ImageScan documents: the contract's example, contradictions, what admission keeps, and how they are named."""

import hashlib
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    DIGEST,
    IMAGE,
    OTHER_DIGEST,
    PLATFORM_DIGEST,
    SCANNED,
    Json,
    pending_document,
    scan,
    scan_document,
)
from tests.core.places import paths, replaced
from webhook.core.document import Fault, InvalidDocument, format_time, parse_time
from webhook.core.reference import InvalidReference, parse
from webhook.core.requirements import REQUIREMENTS
from webhook.core.scan import Outcome, read_scan_document, scan_name

# The document as the contract shows it, its two shortened values written out; times stay text, as in JSON
CONTRACT = f"""
apiVersion: nbgate.dev/v1alpha1
kind: ImageScan
metadata: {{name: jupyter-scipy-v1-10-0-4f1c2d3e5a}}
spec:
  image: ghcr.io/kubeflow/kubeflow/notebook-servers/jupyter-scipy:v1.10.0
  interval: 24h
status:
  phase: Complete
  digest: {DIGEST}
  manifests: [{{platform: linux/amd64, digest: {PLATFORM_DIGEST}}}]
  verdict: Conforms
  serving: Prefix
  checks:
  - {{requirement: uid-1000, result: Pass, evidence: Layers, message: "user 1000 is jovyan in /etc/passwd"}}
  facts: {{user: "1000", exposedPorts: [8888], cuda: true, cudaEvidence: "env NVIDIA_REQUIRE_CUDA",
    compressedSize: 123456}}
  resolvedAt: "2026-01-01T00:00:00Z"
  scannedAt: "2026-01-01T00:00:00Z"
  scanner: nbgate/0.1.0
  conditions: []
"""
JANUARY = 1767225600.0
CHECK = {"requirement": "uid-1000", "result": "Pass"}
CONDITION = {"type": "x", "status": "True"}


def faults(document: Any) -> dict[str, str]:
    with pytest.raises(InvalidDocument) as caught:
        read_scan_document(document)
    return {fault.path: fault.problem for fault in caught.value.faults}


def test_the_contracts_document_is_read() -> None:
    document = read_scan_document(yaml.safe_load(CONTRACT))
    facts = document.status.facts
    assert (facts.user, facts.exposed_ports, facts.cuda) == ("1000", (8888,), True)
    assert (facts.cuda_evidence, facts.compressed_size) == ("env NVIDIA_REQUIRE_CUDA", 123456)
    assert document.spec.interval == "24h"
    kept = scan(yaml.safe_load(CONTRACT))
    assert kept.name == "jupyter-scipy-v1-10-0-4f1c2d3e5a"
    assert kept.reference == IMAGE
    assert kept.is_tag
    assert (kept.digest, kept.manifests) == (DIGEST, (PLATFORM_DIGEST,))
    assert (kept.verdict, kept.serving, kept.phase) == ("Conforms", "Prefix", "Complete")
    assert (kept.cuda, kept.note) == (True, "")
    assert (kept.resolved_at, kept.scanned_at) == (JANUARY, JANUARY)
    assert [kept.outcome(name).result for name in REQUIREMENTS] == ["Pass"] * 7


def test_a_document_without_a_status_is_pending() -> None:
    document = pending_document()
    del document["status"]
    kept = scan(document)
    assert (kept.phase, kept.digest, kept.verdict, kept.scanned_at) == (
        "Pending",
        None,
        "Unknown",
        0.0,
    )
    assert kept.outcome("uid-1000") == Outcome("Unknown", "was not checked")


def test_what_a_document_leaves_out_is_not_made_up() -> None:
    document = read_scan_document({**pending_document(), "status": {"checks": [CHECK]}})
    assert document.model_dump()["spec"]["interval"] == "24h"
    assert document.status.model_dump() == {
        **dict.fromkeys(("image", "digest", "verdict", "resolved_at", "scanned_at")),
        **dict.fromkeys(("scanner", "claim", "retry_at", "last_used_at")),
        "phase": "Pending",
        "serving": "Unknown",
        "attempts": 0,
        "manifests": (),
        "conditions": (),
        "checks": ({**CHECK, "evidence": None, "message": ""},),
        "facts": {
            **dict.fromkeys(("user", "cuda", "cuda_evidence", "compressed_size")),
            **dict.fromkeys(("rewritable", "frame_guard")),
            "exposed_ports": (),
            "accelerators": (),
        },
    }


@pytest.mark.parametrize("evidence", ["Config", "Layers", "Probe"])
def test_a_check_says_what_shows_it(evidence: str) -> None:
    document = scan_document(checks=[{**CHECK, "evidence": evidence}])
    assert read_scan_document(document).status.checks[0].evidence == evidence


def test_what_a_newer_scanner_adds_hides_no_result() -> None:
    document = scan_document(newField=1)
    document["spec"]["platforms"] = ["linux/amd64"]
    document["status"]["checks"][0]["took"] = "3s"
    document["status"]["facts"]["rocm"] = True
    document["metadata"]["uid"] = "x"
    assert scan(document).digest == DIGEST


def test_outcomes_keep_the_words_of_what_does_not_hold() -> None:
    kept = scan(scan_document(fails={"uid-1000": "root"}, unknown={"nb-prefix": "no probe"}))
    assert kept.outcome("uid-1000") == Outcome("Fail", "root")
    assert kept.outcome("nb-prefix") == Outcome("Unknown", "no probe")
    assert kept.outcome("port-8888") == Outcome("Pass")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("Conforms", Outcome("Pass")), ("Unknown", Outcome("Unknown", "was not checked"))],
)
def test_a_requirement_without_a_check_is_as_the_verdict_says(
    verdict: str, expected: Outcome
) -> None:
    kept = scan(scan_document(verdict=verdict, checks=[]))
    assert {kept.outcome(name) for name in REQUIREMENTS} == {expected}


# An older result, kept while the next scan runs or after it failed


@pytest.mark.parametrize("phase", ["Pending", "Scanning", "Failed"])
def test_an_older_result_counts_while_there_is_no_newer(phase: str) -> None:
    why = [{"type": "Scanned", "status": "False", "message": "registry is down"}]
    kept = scan(scan_document(phase=phase, fails={"uid-1000": "root"}, conditions=why))
    assert kept.digest == DIGEST
    assert kept.outcome("uid-1000").result == "Fail"
    assert (kept.phase, kept.note) == (phase, "")


@pytest.mark.parametrize("missing", ["digest", "verdict", "scannedAt", "checks"])
@pytest.mark.parametrize("phase", ["Pending", "Scanning", "Failed"])
def test_half_a_result_is_none(phase: str, missing: str) -> None:
    document = scan_document(phase=phase)
    del document["status"][missing]
    kept = scan(document)
    assert (kept.digest, kept.manifests, kept.scanned_at) == (None, (), 0.0)


def test_a_failed_scan_says_why() -> None:
    conditions = [
        {"type": "Ready", "status": "False"},
        {"type": "Scanned", "status": "False", "message": "401 from ghcr.io"},
    ]
    document = pending_document(phase="Failed")
    document["status"]["conditions"] = conditions
    assert scan(document).note == "401 from ghcr.io"
    document["status"]["conditions"] = conditions[:1]
    assert scan(document).note == ""
    document["status"] |= {"phase": "Scanning", "conditions": conditions}
    assert scan(document).note == ""


def test_a_result_without_a_time_of_resolution_was_resolved_when_it_was_scanned() -> None:
    assert scan(scan_document(resolvedAt=None)).resolved_at == JANUARY
    later = scan(scan_document(resolvedAt="2026-01-02T00:00:00Z"))
    assert (later.resolved_at, later.scanned_at) == (JANUARY + 86400, JANUARY)


@pytest.mark.parametrize(
    ("image", "reference", "is_tag"),
    [
        ("nginx", "docker.io/library/nginx:latest", True),
        ("index.docker.io/a/b:1", "docker.io/a/b:1", True),
        (f"a/b@{DIGEST}", f"docker.io/a/b@{DIGEST}", False),
        (f"a/b:1@{DIGEST}", f"docker.io/a/b:1@{DIGEST}", False),
    ],
)
def test_a_scan_knows_what_was_scanned(image: str, reference: str, *, is_tag: bool) -> None:
    kept = scan(scan_document(image))
    assert (kept.reference, kept.is_tag) == (reference, is_tag)


# What is refused


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (
            {"digest": None},
            ("status.digest", "is missing, though the phase is Complete"),
        ),
        (
            {"verdict": None},
            ("status.verdict", "is missing, though the phase is Complete"),
        ),
        (
            {"scannedAt": None},
            ("status.scannedAt", "is missing, though the phase is Complete"),
        ),
        (
            {"fails": {"uid-1000": "no"}, "verdict": "Conforms"},
            ("status.verdict", "is Conforms, though the check uid-1000 fails"),
        ),
        (
            {"fails": {"uid-1000": "no"}, "verdict": "Conforms", "serving": "Root"},
            ("status.verdict", "is Conforms, though the check uid-1000 fails"),
        ),
        (
            {"fails": {"nb-prefix": "no"}, "verdict": "Conforms"},
            ("status.verdict", "is Conforms, though the check nb-prefix fails"),
        ),
        (
            {"verdict": "Violates"},
            ("status.verdict", "is Violates, though no check fails: list the failing one"),
        ),
        (
            {"verdict": "Conforms", "serving": "None"},
            ("status.verdict", "is Conforms, though status.serving is None"),
        ),
        (
            {
                "fails": {"nb-prefix": "404", "uid-1000": "root"},
                "verdict": "Conforms",
                "serving": "Root",
            },
            ("status.verdict", "is Conforms, though the check uid-1000 fails"),
        ),
        (
            {"checks": [{"requirement": "uid-1000", "result": "Pass"}] * 2},
            ("status.checks", "names uid-1000 twice"),
        ),
    ],
)
def test_a_document_that_contradicts_itself_is_refused(
    status: Json, fault: tuple[str, str]
) -> None:
    assert faults(scan_document(**status)) == dict([fault])


def test_an_image_that_answers_at_root_may_conform_without_prefix_and_header() -> None:
    failing = {"nb-prefix": "404", "allow-origin": "no header"}
    for verdict in ("Conforms", "Violates"):
        assert scan(scan_document(serving="Root", fails=failing, verdict=verdict)).digest == DIGEST


def test_an_image_that_breaks_behind_a_rewrite_cannot_conform_by_it() -> None:
    failing = {"nb-prefix": "404", "allow-origin": "no header"}
    for rewritable, kept in ((False, False), (True, True), (None, True)):
        facts = {"rewritable": rewritable}
        found = scan(scan_document(serving="Root", fails=failing, facts=facts))
        assert (found.serving, found.rewritable) == ("Root", kept)
    contradicting = scan_document(
        serving="Root", fails=failing, facts={"rewritable": False}, verdict="Conforms"
    )
    assert faults(contradicting) == {
        "status.verdict": "is Conforms, though the check nb-prefix fails"
    }


def test_a_digest_that_differs_from_the_images_own_is_refused() -> None:
    assert faults(scan_document(f"x@{OTHER_DIGEST}")) == {
        "status.digest": "differs from the digest that spec.image names"
    }
    assert scan(scan_document(f"x@{DIGEST}")).digest == DIGEST
    assert scan(pending_document(f"x@{OTHER_DIGEST}")).digest is None


def test_every_contradiction_is_told_at_once() -> None:
    twice = [{"requirement": "uid-1000", "result": "Pass"}] * 2
    found = faults(
        scan_document(f"x@{OTHER_DIGEST}", verdict="Violates", checks=twice, scannedAt=None)
    )
    assert found.keys() == {"status.checks", "status.verdict", "status.digest", "status.scannedAt"}


@pytest.mark.parametrize(
    ("status", "path"),
    [
        ({"phase": "Done"}, "phase"),
        ({"digest": "sha256:abc"}, "digest"),
        ({"digest": "sha256:" + "A" * 64}, "digest"),
        ({"digest": DIGEST + "\n"}, "digest"),
        ({"digest": "md5:" + "a" * 32}, "digest"),
        ({"verdict": "OK"}, "verdict"),
        ({"serving": "Both"}, "serving"),
        ({"serving": None, "verdict": ""}, "verdict"),
        ({"manifests": [{"platform": "", "digest": DIGEST}]}, "manifests[0].platform"),
        ({"manifests": [{"platform": "linux/amd64"}]}, "manifests[0].digest"),
        ({"manifests": [{"platform": "x", "digest": DIGEST}] * 65}, "manifests"),
        ({"checks": [{**CHECK, "requirement": "uid-100"}]}, "checks[0].requirement"),
        ({"checks": [{**CHECK, "requirement": "stale"}]}, "checks[0].requirement"),
        ({"checks": [{**CHECK, "result": "pass"}]}, "checks[0].result"),
        ({"checks": [{**CHECK, "evidence": "Guess"}]}, "checks[0].evidence"),
        ({"checks": [{**CHECK, "message": "x" * 1025}]}, "checks[0].message"),
        ({"checks": [{"result": "Pass"}]}, "checks[0].requirement"),
        ({"checks": "none"}, "checks"),
        ({"conditions": [CONDITION] * 65}, "conditions"),
        ({"facts": {"exposedPorts": [8888] * 65}}, "facts.exposedPorts"),
        (
            {"facts": {"accelerators": [{"resource": "x", "evidence": "y"}] * 65}},
            "facts.accelerators",
        ),
        ({"facts": {"user": 1000}}, "facts.user"),
        ({"facts": {"exposedPorts": ["8888"]}}, "facts.exposedPorts[0]"),
        ({"facts": {"cuda": "yes"}}, "facts.cuda"),
        ({"resolvedAt": "yesterday"}, "resolvedAt"),
        ({"resolvedAt": 1}, "resolvedAt"),
        ({"scannedAt": "2026-01-01"}, "scannedAt"),
        ({"conditions": [{"type": "x", "status": "Yes"}]}, "conditions[0].status"),
    ],
)
def test_a_wrong_field_is_named(status: Json, path: str) -> None:
    assert faults(scan_document(**status)).keys() == {f"status.{path}"}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"apiVersion": "v1"}, "apiVersion"),
        ({"kind": "Scan"}, "kind"),
        ({"metadata": None}, "metadata"),
        ({"metadata": {}}, "metadata.name"),
        ({"spec": {}}, "spec.image"),
        ({"spec": {"image": "B"}}, "spec.image"),
        ({"spec": {"image": ""}}, "spec.image"),
        ({"spec": {"image": "x", "interval": "daily"}}, "spec.interval"),
        ({"status": []}, "status"),
    ],
)
def test_a_wrong_envelope_is_named(change: Json, path: str) -> None:
    assert faults({**scan_document(), **change}).keys() == {path}


@pytest.mark.parametrize("document", [None, [], "x", 1])
def test_what_is_no_object_is_refused(document: object) -> None:
    assert faults(document).keys() == {""}


def test_the_fault_of_a_digest_carries_its_cure() -> None:
    assert faults(scan_document(digest="sha256:abc")) == {
        "status.digest": 'must be a digest: "sha256:" and 64 lower-case hex digits'
    }


def test_the_fault_of_an_image_carries_its_cure() -> None:
    found = faults({**scan_document(), "spec": {"image": "Nginx"}})
    assert found == {
        "spec.image": "is not an image reference: repository names are lower-case: write 'nginx'"
    }


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
def test_a_changed_document_is_valid_or_invalid_and_nothing_else(data: st.DataObject) -> None:
    document: Any = scan_document()
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(document))[1:]))
        document = replaced(document, path, data.draw(ANYTHING))
    for fault in faults_if_any(document):
        assert fault.problem
        assert str(fault).isprintable()


def faults_if_any(document: Any) -> tuple[Fault, ...]:
    """Read the document as a store does; what is wrong with it, and no other exception, comes out."""
    try:
        scan(document)
    except InvalidDocument as error:
        return error.faults
    return ()


# Times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (SCANNED, JANUARY),
        ("2026-01-01T01:00:00+01:00", JANUARY),
        ("2025-12-31T19:00:00-05:00", JANUARY),
        ("2026-01-01t00:00:00z", JANUARY),
        ("2026-01-01T00:00:00.5Z", JANUARY + 0.5),
        ("2026-01-01T00:00:00.123456789Z", JANUARY + 0.123456),
        ("1970-01-01T00:00:00Z", 0.0),
        ("9999-12-31T23:59:59Z", 253402300799.0),
        ("9999-12-31T23:59:59+00:01", 253402300739.0),
        ("0001-01-01T00:00:00Z", -62135596800.0),
    ],
)
def test_a_time_is_rfc_3339(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-01-01",
        "2026-01-01T00:00:00",
        "2026-01-01 00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:60Z",
        "\uff12026-01-01T00:00:00Z",
        # outside of the years 1 to 9999 in UTC: it could not be written again
        "9999-12-31T23:59:59-00:01",
        "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00:00+00:01",
        "2026-01-01T00:00:00Z\n",
        "1767225600",
    ],
)
def test_another_time_is_refused_with_the_cure(text: str) -> None:
    with pytest.raises(ValueError, match=r'^must be a time like "2026-01-31T12:00:00Z"$'):
        parse_time(text)


@given(st.integers(0, 253402300799))
def test_a_time_is_written_as_it_is_read(seconds: int) -> None:
    assert parse_time(format_time(seconds)) == seconds


# Names


@pytest.mark.parametrize(
    ("image", "readable"),
    [
        (IMAGE, "jupyter-scipy-v1-10-0"),
        ("nginx", "nginx-latest"),
        ("a/b_c.d:V1_x", "b-c-d-v1-x"),
        (f"a/b@{DIGEST}", "b"),
        (f"a/b:1@{DIGEST}", "b-1"),
        ("a/b:___", "b"),
        ("a/" + "x" * 200, "x" * 50),
        ("a/" + "x" * 49 + "-y", "x" * 49),
    ],
)
def test_a_name_is_readable_and_ends_with_ten_hex_of_the_canonical_reference(
    image: str, readable: str
) -> None:
    digest = hashlib.sha256(parse(image).canonical.encode()).hexdigest()
    assert scan_name(image) == f"{readable}-{digest[:10]}"


def test_the_contracts_name_has_this_form() -> None:
    assert re.fullmatch(r"jupyter-scipy-v1-10-0-[0-9a-f]{10}", scan_name(IMAGE))


@pytest.mark.parametrize(
    "image", ["nginx:latest", "docker.io/nginx", "index.docker.io/library/nginx"]
)
def test_one_image_has_one_name_however_it_is_spelled(image: str) -> None:
    assert scan_name(image) == scan_name("nginx")


def test_what_is_no_reference_has_no_name() -> None:
    with pytest.raises(InvalidReference):
        scan_name("B")


COMPONENT = st.from_regex(r"[a-z0-9]+((\.|_|__|-{1,3})[a-z0-9]+){0,3}", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
# DNS-1123 subdomain, as Kubernetes wants an object's name (k8s.io/apimachinery, validation.go)
SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@given(
    path=st.lists(COMPONENT, min_size=1, max_size=3).map("/".join), tag=TAG, digest=st.booleans()
)
def test_every_name_is_one_that_kubernetes_takes(path: str, tag: str, *, digest: bool) -> None:
    image = f"ghcr.io/{path}:{tag}" + (f"@{DIGEST}" if digest else "")
    name = scan_name(image)
    assert SUBDOMAIN.fullmatch(name)
    assert len(name) <= 63
