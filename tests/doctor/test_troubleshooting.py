"""Every message of ours that docs/troubleshooting.md quotes is really said, and every rule and reason has its row."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.pages import DOCS, read, table
from webhook.controller import fault
from webhook.core.requirements import RULES

ROOT = DOCS.parent
PAGE = read("troubleshooting.md")
MARK = "\N{REPLACEMENT CHARACTER}"  # stands where a value is put into a text


@cache
def texts() -> tuple[str, ...]:
    """All texts in the code, those that are written in pieces as one."""
    files = [file for room in ("webhook", "certs") for file in sorted((ROOT / room).rglob("*.py"))]
    return tuple(text for file in files for text in written(file))


def written(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else MARK for part in node.values
            )


def said(message: str) -> bool:
    """Tell whether some text of the code holds the message, whatever stands for its dots."""
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip()]
    wanted = re.compile(".*".join(pieces), re.DOTALL)
    return any(wanted.search(text) for text in texts())


def quoted() -> list[str]:
    rows = re.findall(r"^\| nbgate says \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    cells = [row.split("|")[1] for rows_ in rows for row in rows_.splitlines()]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", quoted())
def test_what_nbgate_is_quoted_with_it_says(message: str) -> None:
    assert said(message)


def test_what_nobody_says_is_found() -> None:
    assert len(quoted()) > 40
    assert not said("the moon is … of cheese")


def test_every_rule_has_its_row() -> None:
    _, _, rows = PAGE.partition("| rule | what to do |\n")
    rows, _, _ = rows.partition("\n\n")
    assert set(re.findall(r"`\[([a-z0-9-]+)\]`", rows)) == set(RULES)


def test_every_reason_of_a_failed_scan_has_its_row() -> None:
    rows = table(PAGE, "reason", "means", "what to do")
    named = {name for row in rows for name in row[0]}
    assert {name for _, name in fault._REASONS} <= named
    assert all(said(name) for name in named)
