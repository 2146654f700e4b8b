"""Whatever bytes come, the readers give a value or BadContent, in one printable line."""

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.scanner.documents.samples import (
    child_json,
    config_json,
    descriptor_json,
    encoded,
    index_json,
    manifest_json,
    named,
)
from webhook.scanner.documents.configs import read_config, read_diff_ids
from webhook.scanner.documents.manifests import read_index, read_manifest
from webhook.scanner.errors import BadContent
from webhook.scanner.sources.savedimages import read_list

WHOLE: list[Any] = [
    manifest_json(layers=[descriptor_json(annotations={"a": "b"})]),
    index_json(child_json("linux/arm64/v8"), child_json(None)),
    config_json(
        User="1000",
        Env=["A=B"],
        ExposedPorts={"8888/tcp": {}},
        Entrypoint=["a"],
        Cmd=["b"],
        Labels={"a": "b"},
        Volumes={"/a": {}},
        WorkingDir="/",
    ),
    [{"Config": "a.json", "RepoTags": ["nginx:latest"], "Layers": ["a.tar"]}],
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)


def _replaced(value: Any, places: list[int], new: Any) -> Any:
    """Replace one part of a document, found by walking down by `places`."""
    if not places or not isinstance(value, dict | list) or not value:
        return new
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[places[0] % len(keys)]
    copy: Any = value.copy()
    copy[key] = _replaced(value[key], places[1:], new)
    return copy


def _tried(data: bytes) -> None:
    readers: list[Callable[[], object]] = [
        lambda: read_index(*named(data)),
        lambda: read_manifest(*named(data)),
        lambda: read_config(*named(data)),
        lambda: read_diff_ids(*named(data)),
        lambda: read_list(data, "docker-archive:x"),
    ]
    for message in (_fault(read) for read in readers):
        assert message.isprintable()
        assert len(message) < 1000


def _fault(read: Callable[[], object]) -> str:
    try:
        read()
    except BadContent as error:
        return str(error)
    return ""


@given(st.binary(max_size=200))
def test_any_bytes_give_nothing_but_bad_content(data: bytes) -> None:
    _tried(data)


@given(ANYTHING)
def test_any_json_gives_nothing_but_bad_content(value: object) -> None:
    _tried(encoded(value))


@given(st.sampled_from(WHOLE), st.lists(st.integers(0, 9), max_size=5), ANYTHING)
def test_a_document_with_any_part_replaced_gives_a_value_or_bad_content(
    document: Any, places: list[int], new: object
) -> None:
    _tried(encoded(_replaced(document, places, new)))
