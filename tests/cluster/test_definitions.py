"""A real API server serves the custom resources as deploy/crds defines them: what it takes, keeps, drops and shows."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.cluster.controlplane import Answer, ControlPlane
from tests.cluster.manifests import Document
from tests.cluster.webhookside import API, kinds_served
from tests.core import test_policy, test_scan
from tests.core.places import replaced
from tests.deploy.documents import POLICIES, SCANS

pytestmark = pytest.mark.cluster

SCAN_PATH, POLICY_PATH = f"{API}/imagescans", f"{API}/notebookpolicies"
# An answer takes some ten milliseconds, on a busy machine many more.
DRAWN = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module", autouse=True)
def kinds(control_plane: ControlPlane) -> Iterator[None]:
    with kinds_served(control_plane):
        yield


@pytest.fixture
def name() -> str:
    return f"n{secrets.token_hex(4)}"


def policy(spec: object, name: str = "any") -> Document:
    return {
        "apiVersion": "nbgate.dev/v1alpha1",
        "kind": "NotebookPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }


def tried(plane: ControlPlane, path: str, document: Document) -> Answer:
    """Ask the API server to create an object, and to keep nothing."""
    return plane.request("POST", f"{path}?dryRun=All", document)


@pytest.fixture(scope="module")
def held(control_plane: ControlPlane) -> Document:
    """A scan that is there, to which a status can be given."""
    found = control_plane.request(
        "POST",
        SCAN_PATH,
        {**test_policy.loaded(test_scan.CONTRACT), "metadata": {"name": "held"}},
    )
    assert found.status == HTTPStatus.CREATED
    return found.document


@DRAWN
@given(drawn=SCANS)
def test_a_scan_that_the_model_takes_is_taken(
    control_plane: ControlPlane, held: Document, drawn: Document
) -> None:
    made = tried(control_plane, SCAN_PATH, drawn)
    assert made.status == HTTPStatus.CREATED, made.text
    # the status is a part of its own, and kept from whoever may write the rest
    assert "status" not in made.document
    status = {**held, "status": drawn["status"]}
    put = control_plane.request("PUT", f"{SCAN_PATH}/held/status?dryRun=All", status)
    assert put.status == HTTPStatus.OK, put.text
    assert put.document["status"] == drawn["status"]


@DRAWN
@given(drawn=POLICIES)
def test_a_policy_that_the_model_takes_is_taken_and_kept_as_it_is(
    control_plane: ControlPlane, drawn: Document
) -> None:
    made = tried(control_plane, POLICY_PATH, drawn)
    assert made.status == HTTPStatus.CREATED, made.text
    # nulls too, and no default is filled in
    assert made.document["spec"] == drawn["spec"]


NULLS: Any = {
    "pod": {
        "runAsUser": None,
        "fsGroup": None,
        "home": None,
        "gpu": {"runtimeClassName": None, "tolerations": [{"operator": None}]},
    }
}


def spec_of(plane: ControlPlane, name: str) -> Any:
    return plane.get(f"{POLICY_PATH}/{name}")["spec"]


@pytest.mark.parametrize("way", ["create", "apply", "replace", "apply --server-side"])
def test_a_null_arrives(control_plane: ControlPlane, name: str, way: str) -> None:
    if way in {"replace", "apply --server-side"}:
        # an update
        control_plane.kubectl(
            "apply", "--server-side", "-f", "-", stdin=json.dumps(policy({}, name))
        )
    given_text = json.dumps(policy(NULLS, name))
    control_plane.kubectl(*way.split(), "--filename=-", stdin=given_text)
    assert spec_of(control_plane, name) == NULLS


def test_a_plain_apply_loses_a_null_that_is_new(control_plane: ControlPlane, name: str) -> None:
    # kubectl sends changes to custom resources as JSON merge patches, in which a null means "remove this" (RFC 7396).
    # The description of spec.pod says so; should this ever fail, it may go.
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(policy({"unknown": "Warn"}, name)))
    changed = policy({"unknown": "Warn", "pod": {"runAsUser": None}}, name)
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(changed))
    assert spec_of(control_plane, name) == {"unknown": "Warn", "pod": {}}


def test_a_null_where_it_means_nothing_is_as_if_left_out(
    control_plane: ControlPlane, name: str
) -> None:
    empty = {"unknown": None, "registries": {"allow": None}, "pod": {"nbPrefix": None}}
    made = tried(control_plane, POLICY_PATH, policy(empty, name))
    assert made.document["spec"] == {"registries": {}, "pod": {}}


def test_an_unknown_field_of_a_policy_is_kept_for_those_who_refuse_it(
    control_plane: ControlPlane, name: str
) -> None:
    wrong = {
        "requirments": {"uid-1000": "Deny"},
        "requirements": {"uid-1001": "Deny"},
        "registries": {"alow": ["ghcr.io/**"]},
        "pod": {"home": {"mount": True}, "gpu": {"tolerations": [{"keys": "a"}]}},
        "exemptions": [{"name": "a", "reason": "b", "expires": "2027-03-31", "image": "c"}],
    }
    made = tried(control_plane, POLICY_PATH, policy(wrong, name))
    assert made.status == HTTPStatus.CREATED, made.text
    assert made.document["spec"] == wrong


def test_an_unknown_field_of_a_scan_is_dropped(control_plane: ControlPlane, held: Document) -> None:
    status = {**held["status"], "novelty": 1} if "status" in held else {"novelty": 1}
    put = control_plane.request(
        "PUT", f"{SCAN_PATH}/held/status?dryRun=All", {**held, "status": status}
    )
    assert put.status == HTTPStatus.OK
    assert "novelty" not in put.document["status"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "unknown"), "deny"),
        (("spec", "unknown"), False),  # a bare Off
        (("spec", "requirements", "uid-1000"), "No"),
        (("spec", "pod", "runAsUser"), 0),
        (("spec", "pod", "home", "path"), "home"),
        (("spec", "exemptions", 0, "expires"), "31.3.2027"),
    ],
)
def test_what_no_field_takes_is_refused_with_its_path(
    control_plane: ControlPlane, path: tuple[str | int, ...], value: object
) -> None:
    wrong = replaced(test_policy.loaded(test_policy.CONTRACT), path, value)
    refused = tried(control_plane, POLICY_PATH, wrong)
    assert refused.status == HTTPStatus.UNPROCESSABLE_ENTITY
    # This API server leaves the numbers of items out.
    where = ".".join(step for step in path if isinstance(step, str))
    assert where in refused.document["message"]


def test_tables_show_what_people_look_for(control_plane: ControlPlane, held: Document) -> None:
    full = test_policy.loaded(test_scan.CONTRACT)
    control_plane.request("PUT", f"{SCAN_PATH}/held/status", {**held, "status": full["status"]})
    header, row = control_plane.kubectl("get", "imgscan", "held").stdout.splitlines()
    assert header.split() == ["NAME", "IMAGE", "PHASE", "VERDICT", "SERVING", "AGE"]
    assert row.split()[:-1] == ["held", full["spec"]["image"], "Complete", "Conforms", "Prefix"]

    control_plane.create(policy({}, "shown"))
    path = f"{POLICY_PATH}/shown"
    status = {"mode": "Deny", "valid": True, "inForce": False}
    control_plane.request("PUT", f"{path}/status", {**control_plane.get(path), "status": status})
    header, row = control_plane.kubectl("get", "nbpol", "shown").stdout.splitlines()
    assert header.split() == ["NAME", "MODE", "VALID", "IN-FORCE", "AGE"]
    assert row.split()[:-1] == ["shown", "Deny", "true", "false"]

    both = control_plane.kubectl("get", "nbgate", "--output=name").stdout.split()
    assert {"imagescan.nbgate.dev/held", "notebookpolicy.nbgate.dev/shown"} <= {*both}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("imagescan.status.claim", "Held while a worker scans"),
        ("imagescan.status.checks.message", "What was found, in one line."),
        ("notebookpolicy.spec", "The policy proper"),
    ],
)
def test_kubectl_explains_fields(control_plane: ControlPlane, field: str, text: str) -> None:
    # Below a policy's spec only kubectl 1.27 and newer explains: older API servers publish no fields of an object that
    # keeps unknown ones.
    assert text in control_plane.kubectl("explain", field).stdout


def test_the_api_server_finds_the_schemas_structural(control_plane: ControlPlane) -> None:
    for plural in ("imagescans", "notebookpolicies"):
        path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.nbgate.dev"
        conditions = control_plane.get(path)["status"]["conditions"]
        holding = {one["type"] for one in conditions if one["status"] == "True"}
        assert holding == {"NamesAccepted", "Established"}
