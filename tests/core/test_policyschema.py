"""A policy's JSON schema, which the API server checks first, refuses nothing that a policy may hold."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import Json, exemption, policy
from webhook.core.document import InvalidDocument
from webhook.core.policy import PolicyDocument, read_policy
from webhook.core.requirements import RULES

Make = Callable[[str], Json]

# Fields whose schema says all that the model says: what they are in, their name, and a policy with such a value.
TOLD_IN_FULL: list[tuple[str, str, Make]] = [
    ("Exemption", "name", lambda text: policy(exemptions=[exemption(name=text)])),
    ("Exemption", "namespaces", lambda text: policy(exemptions=[exemption(namespaces=[text])])),
    ("GPU", "resource", lambda text: policy(pod={"gpu": {"resource": text}})),
    ("GPU", "runtimeClassName", lambda text: policy(pod={"gpu": {"runtimeClassName": text}})),
    ("Home", "path", lambda text: policy(pod={"home": {"path": text}})),
    ("Home", "sizeLimit", lambda text: policy(pod={"home": {"sizeLimit": text}})),
    ("PolicySpec", "helpURL", lambda text: policy(helpURL=text)),
]
# What their schema only begins to say, the model says in words.
TOLD_IN_PART: list[tuple[str, str, Make]] = [
    ("Home", "claim", lambda text: policy(pod={"home": {"claim": text}})),
    ("Registries", "allow", lambda text: policy(registries={"allow": [text]})),
    ("Stale", "after", lambda text: policy(stale={"after": text})),
]
TEXTS = [
    *("", "a", "A", "a-b", "-a", "a-", "a" * 63, "a" * 64, "team_a", "a\n", "é", "a.b"),
    *("nvidia.com/gpu", "nvidia.com/", "/gpu", "nvidia.com/gpu/x", "x/GPU_1", "a..b/c"),
    *("/home/jovyan", "/home/", "home", "/", "/a" * 8, "/a" * 9, "/" + "a" * 61, "//a"),
    *("10Gi", "10", "1.5Gi", "1.Gi", "10GB", "-1Gi", "1e3", "1" * 16, "0.1234"),
    *("https://x", "http://x/é", "ftp://x", "https://", "https://" + "x" * 181, "xhttps://x"),
    *("{notebook}-workspace", "{nb}", "ghcr.io/**", "ghcr.io/a b", "168h", "1h30m", "7d", "0h"),
]


@cache
def definitions() -> Json:
    found: Json = PolicyDocument.model_json_schema(by_alias=True)["$defs"]
    return found


def patterns(schema: Any) -> list[str]:
    """Every pattern in a schema."""
    if isinstance(schema, dict):
        own = [schema["pattern"]] if isinstance(schema.get("pattern"), str) else []
        return own + [found for part in schema.values() for found in patterns(part)]
    return (
        [found for part in schema for found in patterns(part)] if isinstance(schema, list) else []
    )


def admits(model: str, field: str, text: str) -> bool:
    """Tell whether the schema's pattern finds itself in the text, as the API server looks: `$` is the end alone."""
    (pattern,) = patterns(definitions()[model]["properties"][field])
    assert pattern[0] + pattern[-1] == "^$"
    return re.search(pattern[:-1] + r"\Z", text) is not None


def takes(document: Json) -> bool:
    try:
        read_policy(document)
    except InvalidDocument:
        return False
    return True


@pytest.mark.parametrize(("model", "field", "make"), TOLD_IN_FULL)
@pytest.mark.parametrize("text", TEXTS)
def test_the_schema_and_the_model_take_the_same(
    model: str, field: str, make: Make, text: str
) -> None:
    assert admits(model, field, text) == takes(make(text))


@given(st.sampled_from(TOLD_IN_FULL), st.text("aZ0-._/:{}KMGi\n", max_size=70))
def test_the_schema_and_the_model_take_the_same_of_any_text(
    case: tuple[str, str, Make], text: str
) -> None:
    model, field, make = case
    assert admits(model, field, text) == takes(make(text))


@pytest.mark.parametrize(("model", "field", "make"), TOLD_IN_PART)
def test_the_schema_refuses_nothing_that_the_model_takes(
    model: str, field: str, make: Make
) -> None:
    taken = [text for text in TEXTS if takes(make(text))]
    assert taken
    assert all(admits(model, field, text) for text in taken)


def test_the_schema_names_the_words_that_the_model_takes() -> None:
    spec = definitions()["PolicySpec"]["properties"]
    assert spec["unknown"]["enum"] == ["Deny", "Warn", "Audit", "Off"]
    assert all(takes(policy(unknown=word)) for word in spec["unknown"]["enum"])
    listed = definitions()["Exemption"]["properties"]["requirements"]["anyOf"][0]
    assert listed["items"]["enum"] == list(RULES)
    assert listed["minItems"] == 1
