"""The short way of reading a scan gives what the models give, whatever the document; of usual ones it knows all."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from tests.core.builders import DIGEST, IMAGE, OTHER_DIGEST, Json, pending_document, scan_document
from tests.core.places import Path, replaced
from webhook.core.document import InvalidDocument
from webhook.core.scan import Scan, ScanDocument, compact, read_scan_document
from webhook.core.scanreading import _read, read_scan

TIME = "2026-01-02T03:04:05Z"


def whole(**status: Any) -> Json:
    """A document in which every field has a value."""
    document = scan_document(
        fails={"uid-1000": "user root has UID 0"},
        unknown={"empty-home": "was not started"},
        image=IMAGE,
    )
    document["metadata"] |= {"generation": 2, "labels": {"nbgate.dev/requested-by": "admission"}}
    document["status"] |= {
        "facts": {
            "user": "1000",
            "exposedPorts": [8888],
            "cuda": True,
            "cudaEvidence": "env NVIDIA_REQUIRE_CUDA",
            "accelerators": [{"resource": "nvidia.com/gpu", "evidence": "env"}],
            "compressedSize": 1234,
            "rewritable": True,
            "frameGuard": "X-Frame-Options: DENY",
        },
        "image": IMAGE,
        "claim": {"holder": "worker-1", "until": TIME},
        "attempts": 2,
        "retryAt": TIME,
        "lastUsedAt": TIME,
        "conditions": [
            {
                "type": "Scanned",
                "status": "False",
                "reason": "Refused",
                "message": "401",
                "lastTransitionTime": TIME,
            }
        ],
        **status,
    }
    return document


USUAL: dict[str, Json] = {
    "conforms": scan_document(),
    "violates": scan_document(fails={"uid-1000": "root"}),
    "unknown": scan_document(unknown={"uid-1000": "not read"}),
    "every field": whole(),
    "root": scan_document(serving="Root", fails={"nb-prefix": "404"}, verdict="Conforms"),
    "by digest": scan_document(f"x@{DIGEST}"),
    "pending": pending_document(),
    "failed": pending_document(phase="Failed", why="401"),
    "failed, with an older result": scan_document(phase="Failed"),
    "half a result": scan_document(phase="Scanning", digest=None),
    "of another image by now": whole(phase="Scanning", image="docker.io/library/x:1"),
    "just asked for": {**pending_document(), "status": {}},
    "without a status": {k: v for k, v in pending_document().items() if k != "status"},
}


def outcome(read: Callable[[Json], Scan], document: Json) -> Scan | str:
    try:
        return read(document)
    except InvalidDocument as error:
        return str(error)


def by_the_models(document: Json) -> Scan:
    return compact(read_scan_document(document))


def same(document: Json) -> bool:
    return outcome(read_scan, document) == outcome(by_the_models, document)


@pytest.mark.parametrize("case", USUAL)
def test_what_is_usual_is_read_by_the_short_way_as_by_the_models(case: str) -> None:
    if case != "of another image by now":
        assert _read(USUAL[case]) == by_the_models(USUAL[case])
    assert same(USUAL[case])


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    steps: list[str | int] = []
    if isinstance(value, dict):
        steps = list(value)
    elif isinstance(value, list):
        steps = list(range(len(value)))
    return [path, *(deep for step in steps for deep in places(value[step], (*path, step)))]


ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.0, "", "x", [], {}, [None], {"a": 1}, "\ud800", "é"),
    *("True", "Pass", "Fail", "Conforms", "Violates", "Unknown", "Complete", "Failed"),
    *("Root", "None", "Prefix", "Config", "uid-1000", "24h", "0h", TIME, TIME[:-1]),
    *(DIGEST, OTHER_DIGEST, DIGEST.upper(), "sha512:" + "0" * 128),
    *("x:1", f"x@{DIGEST}", "X", "a b"),
    *("x" * 101, "x" * 254, "x" * 1025, [8888] * 65, [True], 1 << 70, float("nan")),
    [{"requirement": "uid-1000", "result": "Fail"}] * 2,
    [{"requirement": "uid-1000", "result": "Fail", "evidence": "Probe"}],
    [{"requirement": "nb-prefix", "result": "Fail"}],
    [{"requirement": "uid-1000", "result": None}],
]
ANY_ODD = st.one_of(st.sampled_from(ODD), st.text(max_size=3), st.integers())


def failed() -> Json:
    return pending_document(phase="Failed", why="401 from ghcr.io")


@pytest.mark.parametrize(
    ("make", "path"),
    [(make, place) for make in (whole, failed) for place in places(make()) if place],
    ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else part.__name__,
)
def test_whatever_one_place_holds_both_ways_say_the_same(
    make: Callable[[], Json], path: Path
) -> None:
    for value in ODD:
        assert same(replaced(make(), path, value)), value
    without = make()
    parent: Any = without
    for step in path[:-1]:
        parent = parent[step]
    del parent[path[-1]]
    assert same(without)


@settings(max_examples=400)
@given(case=st.sampled_from(sorted(USUAL)), data=st.data())
def test_whatever_a_document_holds_both_ways_say_the_same(case: str, data: st.DataObject) -> None:
    document: Any = copy.deepcopy(USUAL[case])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([place for place in places(document) if place]))
        parent = document
        for step in path[:-1]:
            parent = parent[step]
        if isinstance(parent, dict) and data.draw(st.booleans()):
            del parent[path[-1]]
        else:
            parent[path[-1]] = copy.deepcopy(data.draw(ANY_ODD))
    # nan is no equal of itself, and no JSON
    assert same(document) or "nan" in str(document)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
@pytest.mark.parametrize(
    "path",
    [
        ("metadata",),
        ("spec",),
        ("status",),
        ("status", "facts"),
        ("status", "checks", 0),
        ("status", "manifests", 0),
        ("status", "claim"),
        ("status", "conditions", 0),
        ("status", "facts", "accelerators", 0),
        ("metadata", "labels"),
    ],
    ids=lambda path: ".".join(map(str, path)) if isinstance(path, tuple) else None,
)
def test_what_must_be_an_object_is_one_for_both_ways(path: Path, value: object) -> None:
    assert same(replaced(whole(), path, value))


FAILS = {"requirement": "uid-1000", "result": "Fail"}
WAIVED = {"requirement": "nb-prefix", "result": "Fail"}
PARTS: dict[str, list[Any]] = {
    "phase": ["Pending", "Scanning", "Complete", "Failed"],
    "verdict": ["Conforms", "Violates", "Unknown", None],
    "serving": ["Prefix", "Root", "None", "Unknown"],
    "digest": [DIGEST, None],
    "scannedAt": [TIME, "2026-01-02T03:04:05.5+02:00", None],
    "resolvedAt": [TIME, None],
    "checks": [
        [],
        [WAIVED],
        [FAILS, {**WAIVED, "result": "Pass"}],
        [{**FAILS, "result": "Unknown"}],
    ],
    "facts": [{}, {"rewritable": False}, {"rewritable": None, "cuda": False}],
    "image": [None, IMAGE, "docker.io/library/x:1"],
}


@settings(max_examples=600)
@given(
    image=st.sampled_from([IMAGE, f"x@{DIGEST}", f"x@{OTHER_DIGEST}"]),
    words=st.fixed_dictionaries({name: st.sampled_from(PARTS[name]) for name in PARTS}),
)
def test_whatever_the_parts_of_a_result_say_together_both_ways_say_the_same(
    image: str, words: Json
) -> None:
    document = scan_document(image)
    document["status"] |= words
    assert same(document)


def test_the_document_that_is_made_odd_has_every_field_of_the_models() -> None:
    """A new field stands in `whole`; then the test above tells whether the short way looks at it."""
    found = ScanDocument.model_validate(whole(), by_alias=True, by_name=False)
    left_out = {
        f"{type(value).__name__}.{name}"
        for value in models_in(found)
        for name in set(type(value).model_fields) - value.model_fields_set
    }
    assert left_out == set()


def models_in(value: object) -> list[BaseModel]:
    if isinstance(value, tuple):
        return [model for item in value for model in models_in(item)]
    if not isinstance(value, BaseModel):
        return []
    deeper = (getattr(value, name) for name in type(value).model_fields)
    return [value, *(model for item in deeper for model in models_in(item))]
