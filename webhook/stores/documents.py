"""The bytes of a file -> its documents, each with its place.

YAML holds one document or many (`---`); JSON, which is what begins with { or [, holds an object or a list of objects.
A Kubernetes List of either kind, such as `kubectl get imagescans -o json` prints, stands for its items. Reading raises
nothing: a document that cannot be read is a value beside the others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from webhook.core.document import Fault
from webhook.core.reading import kind_of
from webhook.stores.jsontext import read_json
from webhook.stores.tree import Flaw, Tree
from webhook.stores.yamltext import read_yaml

_BLANKS = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"  # the byte order mark that some editors put in front


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document.

    Attributes:
        number: its place in the file, from 1, the items of lists counted one by one; 0 where it is the only one.
        line: where it begins, from 1; None where that is not known, as in JSON and inside a List.
        content: keys are text; values are dicts, lists, text, numbers, booleans and None.
    """

    number: int
    line: int | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """A document that cannot be read, or the whole file (number 0), and everything that is wrong with it."""

    number: int
    line: int | None
    faults: tuple[Fault, ...]


def parse_documents(data: bytes) -> tuple[Parsed | Broken, ...]:
    """Read the documents of a file; only a list without items has none, any other text without one is Broken."""
    data = data.removeprefix(_MARK)
    fault = _encoding_fault(data)
    if fault is not None:
        return (Broken(0, None, (Fault("", fault),)),)
    trees = [read_json(data)] if is_json(data) else list(read_yaml(data.decode()))
    pieces = [piece for tree in trees for piece in _pieces(tree)]
    if not trees:
        return (Broken(0, None, (Fault("", "holds no document; write one, or remove it"),)),)
    alone = len(pieces) == 1
    return tuple(_numbered(piece, 0 if alone else n) for n, piece in enumerate(pieces, 1))


def is_json(data: bytes) -> bool:
    """Tell whether bytes are read as JSON: whether { or [ comes first, blanks aside."""
    return data.removeprefix(_MARK).lstrip(_BLANKS)[:1] in (b"{", b"[")


def _encoding_fault(data: bytes) -> str | None:
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        return f"holds a NUL byte at line {line}; write the file anew, as UTF-8 text"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return f"is not UTF-8 at line {line}; save the file as UTF-8"
    return None


def _pieces(tree: Tree) -> Iterator[Tree]:
    """Take a list apart: a plain one of JSON or YAML, or a Kubernetes List, or a plain one of those."""
    if any(not flaw.steps for flaw in tree.flaws):
        yield tree
    elif isinstance(tree.value, list):
        for item in _items(tree, tree.value, ()):
            yield from _unlisted(item)
    else:
        yield from _unlisted(tree)


def _unlisted(tree: Tree) -> Iterator[Tree]:
    value = tree.value
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not str(value.get("kind")).endswith("List"):
        yield tree
        return
    own = tuple(flaw for flaw in tree.flaws if flaw.steps[:1] != ("items",) or len(flaw.steps) < 2)
    if own:
        yield Tree(None, tree.line, own)
        return
    yield from _items(tree, items, ("items",))


def _items(tree: Tree, items: list[Any], above: tuple[str, ...]) -> Iterator[Tree]:
    by_index: dict[str | int, list[Flaw]] = {}
    depth = len(above)
    for flaw in tree.flaws:
        rest = Flaw(flaw.steps[depth + 1 :], flaw.problem)
        by_index.setdefault(flaw.steps[depth], []).append(rest)
    for index, item in enumerate(items):
        yield Tree(item, None, tuple(by_index.get(index, ())))


def _numbered(tree: Tree, number: int) -> Parsed | Broken:
    if tree.flaws:
        return Broken(number, tree.line, tuple(flaw.fault() for flaw in tree.flaws))
    if not isinstance(tree.value, dict):
        problem = f"must be an object, not {kind_of(tree.value)}"
        return Broken(number, tree.line, (Fault("", problem),))
    return Parsed(number, tree.line, tree.value)
