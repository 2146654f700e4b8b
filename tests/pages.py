"""The pages of docs/, taken apart: what is shown in blocks, tables and prose."""

import re
from itertools import takewhile
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

Row = list[list[str]]


def read(name: str) -> str:
    return (DOCS / name).read_text()


def blocks(page: str, language: str) -> list[str]:
    """Give the contents of a page's fenced blocks in one language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```$", page, re.MULTILINE | re.DOTALL)
    return [dedent(content) for _, content in found]


def table(page: str, *header: str) -> list[Row]:
    """Give the rows of the table with this header: for each cell, the pieces that are marked as code."""
    _, line, rest = page.partition(f"| {' | '.join(header)} |\n")
    assert line, f"no table with the header {header}"
    rows = list(takewhile(lambda row: row.startswith("|"), rest.splitlines()))[1:]
    return [[re.findall(r"`([^`]+)`", cell) for cell in row.split("|")[1:-1]] for row in rows]


def prose(page: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", page, flags=re.MULTILINE | re.DOTALL)
