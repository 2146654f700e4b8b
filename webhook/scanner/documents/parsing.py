"""JSON text -> an object that every runtime reads as we do, or BadContent; bounded in length, depth and values.

A document that two readers understand differently would let an image pass the scan and run as another. So what is
ambiguous is refused: keys that stand twice, whose objects Go's decoder merges, and keys that differ from a known one
only in case, which it takes for that one.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from webhook.core.reading import Malformed, kind_of
from webhook.core.reference import quoted
from webhook.core.words import cut
from webhook.scanner.errors import BadContent
from webhook.stores.jsontext import read_json
from webhook.stores.tree import path_of

T = TypeVar("T")

# What podman and CRI-O read at most, of manifests and of configs (containers/image, internal/iolimits), and what
# registries should take (OCI distribution-spec, pushing manifests).
DOCUMENT_LIMIT = 4 * 1024 * 1024
# An index of 1000 descriptors with platform and annotations has some 10,000. Millions of empty objects in 4 MiB would
# take hundreds of megabytes to hold.
_VALUES_LIMIT = 250_000

_SHOWN = 500  # characters of a fault: a path can have hundreds of steps


def read_object(where: str, data: bytes, read: Callable[[Mapping[str, Any]], T]) -> T:
    """Parse a document and read it with `read`.

    `where` names it: `index sha256:…`. Raises BadContent: the document, the field, what is wrong with it.
    """
    try:
        return read(parse_object(data))
    except Malformed as error:
        raise BadContent(
            f"{where}: {cut(str(error), _SHOWN)}; build the image anew and push it again"
        ) from None


def parse_object(data: bytes) -> Mapping[str, Any]:
    """Parse a JSON object. Raises Malformed."""
    value = parse_value(data)
    if not isinstance(value, dict):
        raise Malformed("", f"must be a JSON object, not {kind_of(value)}")
    return value


def parse_value(data: bytes) -> object:
    """Parse a JSON text of at most DOCUMENT_LIMIT bytes, in which nothing is ambiguous. Raises Malformed."""
    if len(data) > DOCUMENT_LIMIT:
        raise Malformed(
            "", f"has {len(data)} bytes, more than the {DOCUMENT_LIMIT} that runtimes read"
        )
    if data.count(b"{") + data.count(b"[") + data.count(b",") > _VALUES_LIMIT:
        raise Malformed("", f"holds more than {_VALUES_LIMIT} values")
    tree = read_json(data)
    if tree.flaws:
        flaw = tree.flaws[0]
        # Without its cure, which is for a file that a person wrote.
        raise Malformed(path_of(flaw.steps), flaw.problem.partition(";")[0])
    return tree.value


def keys(*names: str) -> Mapping[str, str]:
    """Prepare the keys that a reader knows, for `check_keys`."""
    return {name.casefold(): name for name in names}


def check_keys(source: Mapping[str, Any], known: Mapping[str, str]) -> None:
    """Refuse keys that differ from a known one in case only (Go, encoding/json, Unmarshal). Raises Malformed."""
    for key in source:
        name = known.get(key.casefold())
        if name is not None and key != name:
            raise Malformed("", f"has the key {quoted(key)}, which runtimes take for {name}")


def bounded_text(source: Mapping[str, Any], key: str, limit: int) -> str:
    """Read a text of at most `limit` characters; absent reads as empty. Raises Malformed."""
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(key, f"must be text, not {kind_of(value)}")
    return check_length(key, value, limit)


def check_length(step: str, value: str, limit: int) -> str:
    """Give a text back that has at most `limit` characters. Raises Malformed."""
    if len(value) > limit:
        raise Malformed(
            step, f"has {len(value)} characters, more than the {limit} that it may have"
        )
    return value
