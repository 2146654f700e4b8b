"""The documents name all that the code has, nothing that it has not, and their examples are true."""

import json
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from tests.core import builders
from tests.pages import DOCS, ROOT, blocks, prose, read, table
from webhook.core import audit, decision
from webhook.core.cuda import named_cuda
from webhook.core.imagepattern import InvalidPattern, compile_pattern
from webhook.core.policy import DEFAULT_POLICY, PolicyDocument, PolicySpec, read_policy
from webhook.core.reference import parse
from webhook.core.requirements import REQUIREMENTS, RULES
from webhook.core.review import Answer
from webhook.server.auditline import LINE_LIMIT, encode
from webhook.stores.auditlog import Entry, read_line
from webhook.stores.documents import Parsed, parse_documents

PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
DECISIONS = sorted((DOCS / "adr").glob("*.md"))

# -- docs/requirements.md ---------------------------------------------------------------------------


def test_every_rule_has_its_anchor_and_every_anchor_is_a_rule() -> None:
    assert re.findall(r'^<a id="(.+)"></a>$', read("requirements.md"), re.MULTILINE) == [*RULES]


@pytest.mark.parametrize("rule", RULES)
def test_a_section_about_a_rule_says_why_and_how_it_is_checked_and_what_to_do(rule: str) -> None:
    _, _, section = read("requirements.md").partition(f'<a id="{rule}"></a>\n## {rule}: ')
    section, _, _ = section.partition("<a id=")
    cure = "**How to fix it.**" if rule in REQUIREMENTS else "**What you do.**"
    for part in ("**Why.**", "**How it is checked.**", cure):
        assert part in section


@pytest.mark.parametrize("rule", REQUIREMENTS)
def test_a_section_about_a_requirement_shows_a_dockerfile(rule: str) -> None:
    _, _, section = read("requirements.md").partition(f'<a id="{rule}"></a>\n')
    assert blocks(section.partition("<a id=")[0], "dockerfile")


# -- docs/policy.md ---------------------------------------------------------------------------------


def fields(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Give the paths of a model's fields as documents write them; `[]` stands for any item of a list."""
    for name, field in model.model_fields.items():
        path = f"{above}{field.alias or name}"
        yield path
        for nested, many in models(field.annotation):
            yield from fields(nested, f"{path}[]." if many else f"{path}.")


def models(annotation: Any, *, many: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, many
    for inner in get_args(annotation):
        yield from models(inner, many=many or get_origin(annotation) is tuple)


def policies() -> list[str]:
    return [text for text in blocks(read("policy.md"), "yaml") if text.startswith("apiVersion")]


def policy_of(text: str) -> PolicyDocument:
    (document,) = parse_documents(text.encode())
    assert isinstance(document, Parsed), document
    return read_policy(document.content)


def test_every_field_of_the_policy_has_its_row_and_every_row_a_field() -> None:
    rows = table(read("policy.md"), "Field", "Value", "Default", "Effect")
    assert sorted(name for row in rows for name in row[0]) == sorted(fields(PolicySpec))


@pytest.mark.parametrize(
    "text", policies(), ids=lambda text: text.partition("name: ")[2].split()[0]
)
def test_a_policy_that_is_shown_is_valid(text: str) -> None:
    assert policy_of(text).kind == "NotebookPolicy"


def test_the_default_policy_is_shown_in_full() -> None:
    shown = policy_of(policies()[0]).spec
    default = DEFAULT_POLICY.spec
    assert dict(shown.requirements) == {name: default.action_for(name) for name in REQUIREMENTS}
    assert shown.model_copy(update={"requirements": default.requirements}) == default
    written = set(re.findall(r"^ *([A-Za-z]+):", policies()[0], re.MULTILINE))
    assert {path.rpartition(".")[2] for path in fields(PolicySpec) if "[]" not in path} <= written


def test_the_patterns_match_what_the_table_says() -> None:
    rows = table(read("policy.md"), "Pattern", "Matches", "Does not match")
    assert rows
    for (text,), matching, others in rows:
        pattern = compile_pattern(text)
        assert [image for image in matching if not pattern.matches(parse(image))] == []
        assert [image for image in others if pattern.matches(parse(image))] == []


def test_the_patterns_that_the_table_calls_refused_are() -> None:
    rows = table(read("policy.md"), "Refused", "Because")
    assert rows
    for (text,), _ in rows:
        with pytest.raises(InvalidPattern):
            compile_pattern(text)


def test_names_mean_cuda_as_the_table_says() -> None:
    _, _, rest = read("policy.md").partition("| Image | CUDA by name |\n")
    rows = re.findall(r"^\| `(.+)` \| (yes|no) \|$", rest, re.MULTILINE)
    assert rows
    assert rows == [(image, "yes" if named_cuda(parse(image)) else "no") for image, _ in rows]


# -- docs/audit.md ----------------------------------------------------------------------------------


def denied_record() -> tuple[audit.Record, Answer]:
    """Record the refusal of a pod whose image was scanned and fails."""
    request = builders.request(builders.finished_pod())
    snapshot = builders.snapshot(builders.scan_document(fails={"uid-1000": "UID 0"}))
    outcome = decision.validate(request, snapshot, builders.NOW)
    record = audit.build_record(
        request, outcome, snapshot, endpoint="validate", now=builders.NOW, seconds=0.0002
    )
    return record, decision.answer(outcome, snapshot)


def test_every_field_of_the_record_has_its_row_and_every_row_a_field() -> None:
    rows = table(read("audit.md"), "Field", "Holds")
    record, _ = denied_record()
    assert sorted(name for row in rows for name in row[0]) == sorted([*record, "omitted"])


def test_a_row_names_the_fields_inside_its_field() -> None:
    rows = {row[0][0]: row[1] for row in table(read("audit.md"), "Field", "Holds")}
    record, _ = denied_record()
    inner = {name: value for name, value in record.items() if isinstance(value, dict)}
    inner["violations"] = record["violations"][0]
    assert {"policy", "scan", "snapshot", "violations"} == set(inner)
    assert [name for name, value in inner.items() if not set(value) <= set(rows[name])] == []


def test_a_record_that_is_too_long_tells_what_it_omits() -> None:
    record, _ = denied_record()
    many = {**record, "violations": [record["violations"][0]] * LINE_LIMIT}
    assert set(json.loads(encode(many))) - set(record) == {"omitted"}


def test_the_record_that_is_shown_is_one() -> None:
    shown = blocks(read("audit.md"), "json")[0]
    entry = read_line(shown.replace("\n", "").encode(), "docs/audit.md")
    assert isinstance(entry, Entry), entry
    record, _ = denied_record()
    assert [*json.loads(shown)] == [*record]


def test_every_annotation_is_named() -> None:
    rows = table(read("audit.md"), "Key", "Value")
    _, answer = denied_record()
    assert sorted(name for row in rows for name in row[0]) == sorted(answer.annotations)


def test_every_level_is_named() -> None:
    _, _, rest = read("audit.md").partition("| `--audit-level` |")
    rows = takewhile(lambda row: row.startswith("|"), rest.splitlines()[1:])
    named = [re.findall(r"^\| `(\w+)`", row) for row in rows]
    assert [name for (name,) in named[1:]] == [*get_args(audit.Level)]


# -- docs/adr ---------------------------------------------------------------------------------------


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [path.name[:4] for path in DECISIONS] == [
        f"{number:04}" for number in range(1, len(DECISIONS) + 1)
    ]


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name[:4])
def test_a_decision_has_the_common_form_and_its_drawbacks(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.name[:4]}: ")
    assert re.findall(r"^## (.+)$|^(Status): ", text, re.MULTILINE) == [
        ("", "Status"),
        ("Context", ""),
        ("Decision", ""),
        ("Consequences", ""),
    ]
    assert "\n- Drawback: " in text


# -- links ------------------------------------------------------------------------------------------


def anchors(page: str) -> set[str]:
    """Give what links can point at: explicit anchors, and headings as GitHub writes them."""
    text = prose(page)
    headings = re.findall(r"^#{1,6} (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


def broken_links(path: Path) -> Iterator[str]:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text())):
        if link.startswith(("https://", "http://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            yield link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert [*broken_links(path)] == []


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n[1](gone.md) [2](#a-page) [3](page.md#b) [4](https://x.example/)\n")
    assert [*broken_links(page)] == ["gone.md", "page.md#b"]
