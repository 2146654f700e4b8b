"""Tests that pages name are there; every threat of the threat model has one, or a sentence that it is not held."""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from tests.pages import DOCS, ROOT, prose, read

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
MODEL = "threat-model.md"

OURS = (
    "Reference ambiguity",
    "A tag moved after the scan",
    "Init containers, native sidecars, ephemeral containers, UPDATE",
    "Forged `notebook-name` or ownerReference",
    "A container named `istio-proxy`",
    "Self-service exemptions",
    "Swallowed errors",
    "Forged scan results",
    "Anyone posting reviews",
    "Floods, huge bodies, deep JSON, slow clients",
    "Log and event injection",
    "The scanner as a weapon",
    "Probe pods as a weapon",
)
# Kubernetes SIG Security, admission control threat model: its numbers, in our words.
SIGS = (
    "1. Flooding the webhook",
    "2. Workloads so complex that they exhaust it",
    "3. Misconfiguration that lets things by",
    "4. Deleting or changing the webhook object",
    "5. Stolen webhook credentials",
    "6. Cluster-admin",
    "7. Sniffing",
    "8. Man in the middle",
    "9. Spoofing",
    "10. Mutation abused to make privileged workloads",
    "11. Exempt namespaces",
    "12. A missing match",
    "13. Bad string matching",
    "14. New or old API features",
    "15. A privileged container on the webhook's node",
    "16. hostPath",
    "17. SSH to the node",
    "18. Exfiltration through webhook data",
)
SAID = re.compile(r"^\*\*(?:Not held|Outside):\*\* \S", re.MULTILINE)


# -- what a page says -------------------------------------------------------------------------------


def references(text: str) -> list[str]:
    """Give all code in a page that names a test, or looks as if it should."""
    return re.findall(r"`(tests/[^`\s]*::[^`]*)`", text)


def sections(text: str) -> dict[str, str]:
    """Give a page's sections of the third level by their headings, each to the next heading of any level up to that."""
    found = {}
    for part in re.split(r"^(?=#{1,3} )", prose(text), flags=re.MULTILINE):
        heading, _, body = part.partition("\n")
        if heading.startswith("### "):
            found[heading.removeprefix("### ")] = body
    return found


def unanswered(section: str) -> bool:
    """Tell whether a section names no test and does not say either that something is not held, or not ours to hold."""
    return not references(section) and not SAID.search(section)


# -- what the tests' files hold ---------------------------------------------------------------------


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def found_in(scope: ast.Module | ast.ClassDef, names: list[str]) -> ast.FunctionDef | None:
    """Find a function by its name, and those of the classes around it."""
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and node.name == names[0] and names[1:]:
            return found_in(node, names[1:])
        if isinstance(node, ast.FunctionDef) and names == [node.name]:
            return node
    return None


@cache
def words(path: Path) -> set[str]:
    """Give all text in a test's file, and in what it imports of the tests: ids of parameters are among it."""
    said = set()
    for each in [path, *imported(path)]:
        constants = (node for node in ast.walk(tree(each)) if isinstance(node, ast.Constant))
        said |= {node.value for node in constants if isinstance(node.value, str)}
    return said


def imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests."):
            module = ROOT.joinpath(*str(node.module).split(".")).with_suffix(".py")
            if module.is_file():
                yield module


def problem(reference: str, root: Path = ROOT) -> str:
    """Say what is wrong with a name of a test, as pytest would take it; empty where it is one."""
    shape = re.fullmatch(r"(tests/(?:\w+/)*test_\w+\.py)::([\w:]+)(?:\[([^\[\]]+)\])?", reference)
    if shape is None:
        return "is no name of a test"
    file, names, case = shape.groups()
    path = root / file
    if not path.is_file():
        return "names a file that is not there"
    function = found_in(tree(path), names.split("::"))
    if function is None or not function.name.startswith("test_"):
        return "names a test that is not there"
    if case is None:
        return ""
    if "parametrize" not in {node.attr for mark in function.decorator_list for node in ast.walk(mark)
                             if isinstance(node, ast.Attribute)}:  # fmt: skip
        return "names a case of a test that has none"
    return "" if case in words(path) else "names a case that is not there"


# -- the pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_test_that_a_page_names_is_there(path: Path) -> None:
    named = references(path.read_text())
    assert {name: said for name in named if (said := problem(name))} == {}


def test_the_threat_model_has_every_threat_once_and_in_order() -> None:
    headings = re.findall(r"^### (.+)$", read(MODEL), re.MULTILINE)
    assert [one for one in headings if one in (*OURS, *SIGS)] == [*OURS, *SIGS]
    assert len(headings) == len(set(headings))


def test_every_threat_is_answered() -> None:
    model = sections(read(MODEL))
    assert [name for name, body in model.items() if unanswered(body)] == []
    assert len(references(read(MODEL))) > 150


def test_every_mitigation_of_the_sigs_has_its_row_and_a_test() -> None:
    _, _, rest = read(MODEL).partition("\n## The SIG's mitigations\n")
    rows = re.findall(r"^\| (\d+) \|(.+)$", rest, re.MULTILINE)
    assert [number for number, _ in rows] == [str(number) for number in range(1, 11)]
    assert [number for number, row in rows if number != "5" and not references(row)] == []


# -- that all this can fail -------------------------------------------------------------------------

HELD = "### A\nHeld by b.\n\n- `tests/test_x.py::test_a`\n\n"
BARE = "### B\nHeld, believe us. Not held: nothing.\n\n"
LEFT = "### C\nNothing.\n\n**Not held:** all of it.\n\n## Next\n`tests/y.py::test_z`\n"
FILE = """
import pytest

class TestThing:
    def test_inside(self): ...

def helper(): ...
def test_plain(): ...

@pytest.mark.parametrize("x", [1], ids=["a case"])
def test_cases(x): ...
"""


def test_a_section_without_test_and_without_a_word_is_found() -> None:
    found = sections(HELD + BARE + LEFT)
    assert [*found] == ["A", "B", "C"]
    assert [name for name, body in found.items() if unanswered(body)] == ["B"]
    assert sections("```\n### D\n```\n") == {}


def test_names_are_found_in_code_alone_and_however_they_are_written() -> None:
    text = "tests/test_a.py::test_b `tests/test_c.py::test_d[e f]` ``x`` `tests/readme` `tests/g::`"
    assert references(text) == ["tests/test_c.py::test_d[e f]", "tests/g::"]


PROBLEMS: Mapping[str, str] = {
    "tests/test_x.py::test_plain": "",
    "tests/test_x.py::TestThing::test_inside": "",
    "tests/test_x.py::test_cases": "",
    "tests/test_x.py::test_cases[a case]": "",
    "tests/test_x.py::test_cases[another]": "names a case that is not there",
    "tests/test_x.py::test_plain[a case]": "names a case of a test that has none",
    "tests/test_x.py::test_gone": "names a test that is not there",
    "tests/test_x.py::helper": "names a test that is not there",
    "tests/test_x.py::test_inside": "names a test that is not there",
    "tests/test_x.py::TestThing": "names a test that is not there",
    "tests/test_x.py::TestThing::test_plain": "names a test that is not there",
    "tests/test_y.py::test_plain": "names a file that is not there",
    "tests/x.py::test_plain": "is no name of a test",
    "tests/test_x.py::": "is no name of a test",
    "tests/../test_x.py::test_plain": "is no name of a test",
}


@pytest.mark.parametrize(("reference", "said"), PROBLEMS.items())
def test_a_wrong_name_is_told_with_what_is_wrong(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(FILE)
    assert problem(reference, tmp_path) == said
