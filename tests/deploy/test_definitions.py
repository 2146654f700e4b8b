"""The definitions of the custom resources take what the models take, and say what each field is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from pydantic import BaseModel, Field

from deploy.generator.attributes import Undescribed
from deploy.generator.definitions import image_scans, notebook_policies
from deploy.generator.structural import NotStructural, structural
from tests.core import test_policy, test_scan
from tests.core.places import replaced
from tests.deploy.documents import POLICIES, SCANS
from tests.deploy.rendering import Document
from webhook.core.document import ObjectMeta, Strict, validate
from webhook.core.policy import DEFAULT_POLICY, PolicyStatus, read_policy
from webhook.core.scan import ScanDocument

DEFINITIONS = {"ImageScan": image_scans(), "NotebookPolicy": notebook_policies()}
SCHEMAS = {
    kind: found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for kind, found in DEFINITIONS.items()
}


def nodes(schema: Document, path: str = "") -> Iterator[tuple[str, Document]]:
    """Every node of a schema, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def as_json_schema(schema: Document) -> Any:
    """Write what OpenAPI v3 says otherwise: null is a type of its own."""
    made = {**schema}
    if made.pop("nullable", False):
        made["type"] = [schema["type"], "null"]
    if "properties" in made:
        found = made["properties"].items()
        made["properties"] = {name: as_json_schema(inner) for name, inner in found}
    if "items" in made:
        made["items"] = as_json_schema(made["items"])
    return made


VALIDATORS = {
    kind: jsonschema.Draft4Validator(as_json_schema(schema)) for kind, schema in SCHEMAS.items()
}


def complaints(document: Any) -> list[str]:
    """What the schema of its kind has against a document, as paths."""
    found = VALIDATORS[document["kind"]].iter_errors(document)
    return sorted(".".join(map(str, error.path)) for error in found)


@settings(max_examples=200, deadline=None)
@given(SCANS)
def test_a_scan_that_the_model_takes_is_taken(scan: Any) -> None:
    validate(ScanDocument, scan)
    assert complaints(scan) == []


@settings(max_examples=200, deadline=None)
@given(POLICIES)
def test_a_policy_that_the_model_takes_is_taken(policy: Any) -> None:
    read_policy(policy)
    validate(PolicyStatus, policy["status"])
    assert complaints(policy) == []


def test_the_contracts_documents_and_the_default_policy_are_taken() -> None:
    assert complaints(test_policy.loaded(test_policy.CONTRACT)) == []
    assert complaints(test_policy.loaded(test_scan.CONTRACT)) == []
    default = DEFAULT_POLICY.model_dump(mode="json", by_alias=True, exclude_none=False)
    assert complaints({**default, "metadata": {"name": "default"}, "status": None}) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "unknown"), "deny"),
        (("spec", "unknown"), False),
        (("spec", "requirements", "uid-1000"), "No"),
        (("spec", "stale", "after"), "1 week"),
        (("spec", "stale", "after"), ""),
        (("spec", "pod", "runAsUser"), 0),
        (("spec", "pod", "runAsUser"), "1000"),
        (("spec", "pod", "nbPrefix"), None),
        (("spec", "pod", "home", "path"), "home"),
        (("spec", "pod", "gpu", "count"), 65),
        (("spec", "pod", "gpu", "tolerations"), [{"operator": "Maybe"}]),
        (("spec", "exemptions", 0, "requirements"), []),
        (("spec", "exemptions", 0, "name"), "A"),
        (("spec", "helpURL"), "ftp://x"),
    ],
)
def test_what_can_be_seen_in_one_field_is_refused_there(
    path: tuple[str | int, ...], value: object
) -> None:
    wrong = replaced(test_policy.loaded(test_policy.CONTRACT), path, value)
    found = complaints(wrong)
    assert found
    assert all(one.startswith(".".join(map(str, path))) for one in found)


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_field_says_what_it_is(kind: str) -> None:
    for path, schema in nodes(SCHEMAS[kind]):
        if path == ".metadata" or path.endswith("[]"):
            continue
        text = schema.get("description", "")
        assert re.fullmatch(r'["A-Z0-9].*\.', text), f"{path}: {text!r}"
        assert "`" not in text
        assert "  " not in text


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_schemas_are_structural(kind: str) -> None:
    for path, schema in nodes(SCHEMAS[kind]):
        assert isinstance(schema.get("type"), str), path
        said = schema.keys() & {"$ref", "$defs", "anyOf", "allOf", "oneOf", "not", "const"}
        assert not said, path
        assert not (schema.keys() >= {"properties", "additionalProperties"}), path
        # filled in by the API server, a default of today would be kept for ever, and a null be dropped
        assert "default" not in schema, path
        # kubectl takes no definition with a null in it, and the API server no null that the enum lacks
        assert not (schema.get("nullable") and "enum" in schema), path
        assert schema.get("pattern", "^$").startswith("^"), path
        assert schema.get("pattern", "^$").endswith("$"), path


def test_unknown_fields_of_a_policy_reach_the_webhook_and_those_of_a_scan_do_not() -> None:
    keep = "x-kubernetes-preserve-unknown-fields"
    policy = {
        path for path, schema in nodes(SCHEMAS["NotebookPolicy"]) if schema["type"] == "object"
    }
    kept = {path for path, schema in nodes(SCHEMAS["NotebookPolicy"]) if schema.get(keep)}
    assert kept == {path for path in policy if path.startswith(".spec")}
    assert not any(schema.get(keep) for _, schema in nodes(SCHEMAS["ImageScan"]))


def test_a_field_without_a_description_is_told() -> None:
    class Undocumented(Strict):
        """It has one field.

        Attributes:
            api_version: of it.
            kind: of it.
            metadata: of it.
        """

        api_version: str
        kind: str
        metadata: ObjectMeta
        colour: str = ""

    with pytest.raises(Undescribed, match=r"Undocumented.*colour"):
        structural(Undocumented)


def test_what_a_structural_schema_cannot_say_is_told() -> None:
    class Either(BaseModel):
        """It has one field.

        Attributes:
            api_version: of it.
            kind: of it.
            metadata: of it.
            colour: a name or a number.
        """

        api_version: str = Field(alias="apiVersion")
        kind: str
        metadata: ObjectMeta
        colour: str | int

    with pytest.raises(NotStructural, match="only a type or null"):
        structural(Either)


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_columns_show_fields_that_there_are(kind: str) -> None:
    known = {path for path, _ in nodes(SCHEMAS[kind])}
    version = DEFINITIONS[kind]["spec"]["versions"][0]
    for column in version["additionalPrinterColumns"]:
        assert column["jsonPath"] in known | {".metadata.creationTimestamp"}
    assert version["subresources"] == {"status": {}}


def test_the_files_are_read_alike_by_yaml_1_1() -> None:
    # kubectl's YAML takes Off for false, and ours is written by one of the same age
    for kind, found in DEFINITIONS.items():
        assert yaml.safe_load(yaml.safe_dump(found)) == found, kind
