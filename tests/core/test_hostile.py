"""Anything at all: a review leads to a decision, or to a ReviewError, and to nothing else."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import (
    NOW,
    RECORDED,
    Json,
    pod,
    recorded,
    request,
    review,
)
from tests.core.deciding import FAILING, STAGES
from tests.core.places import paths, replaced
from webhook.core.audit import build_record
from webhook.core.decision import answer, mutate
from webhook.core.review import (
    ReviewError,
    parse_review,
    render_answer,
)

NAMES = sorted(path.stem for path in RECORDED.glob("*.json"))


def survives(document: object) -> None:
    """Take a document the whole way: no exception but ReviewError, and whatever comes out can be sent."""
    for stage in STAGES:
        try:
            seen = parse_review(orjson.dumps(document))
            decision = stage(seen)
        except ReviewError:
            continue
        sent = orjson.loads(render_answer(seen.uid, answer(decision, FAILING)))
        assert sent["response"]["uid"] == seen.uid
        record = build_record(seen, decision, FAILING, endpoint="validate", now=NOW, seconds=0.0)
        assert b"\n" not in orjson.dumps(record)


VALUES: tuple[object, ...] = (
    None,
    True,
    0,
    -1,
    2**64 - 1,
    1.5,
    "",
    "x",
    [],
    ["x"],
    [{}],
    {},
    {"x": 1},
)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NB_PREFIX", "my-nb", "istio-proxy", "/home/jovyan", "EphemeralContainers"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "image", "env", "limits", "value"]) | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize("name", NAMES)
def test_any_wrong_type_anywhere_leads_to_a_decision_or_a_review_error(name: str) -> None:
    document = recorded(name)
    for path in paths(document):
        if "managedFields" in path:
            continue
        for value in VALUES:
            survives(replaced(document, path, value))


@given(data=st.data(), name=st.sampled_from(NAMES))
def test_any_few_wrong_values_lead_to_a_decision_or_a_review_error(
    data: st.DataObject, name: str
) -> None:
    document: object = recorded(name)
    for _ in range(data.draw(st.integers(1, 4))):
        places = [path for path in paths(document) if "managedFields" not in path]
        document = replaced(document, data.draw(st.sampled_from(places)), data.draw(ANYTHING))
    survives(document)


@given(st.binary(max_size=200) | ANYTHING.map(orjson.dumps))
def test_any_other_bytes_are_no_review(body: bytes) -> None:
    with pytest.raises(ReviewError):
        parse_review(body)


@pytest.mark.parametrize("depth", [10, 100, 240])
def test_an_object_that_nests_deeply_is_decided_on(depth: int) -> None:
    nested: Json = {}
    for _ in range(depth):
        nested = {"a": nested}
    for stage in STAGES:
        assert stage(request(pod(unknown=nested))).subject is not None


def test_numbers_past_64_bits_are_no_whole_numbers() -> None:
    text = json.dumps(review(pod(securityContext={"fsGroup": 2**64})))
    with pytest.raises(ReviewError, match="fsGroup must be a whole number"):
        mutate(parse_review(text.encode()), FAILING)


@pytest.mark.parametrize("notebook", ["", None])
def test_an_update_of_a_pod_without_any_name_is_decided_on(notebook: str | None) -> None:
    nameless = pod(notebook=notebook, metadata={"name": ""})
    survives(review(nameless, old=nameless))
    survives(review(nameless, old=pod()))
