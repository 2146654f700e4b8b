"""How results are printed: a table for people, JSON and YAML for programs."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click
import orjson
import yaml
from rich.console import Console
from rich.table import Table

Format = Literal["table", "json", "yaml"]
F = TypeVar("F", bound=Callable[..., Any])


def output_option(command: F) -> F:
    """Add `-o table|json|yaml`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["table", "json", "yaml"]),
        default="table",
        show_default=True,
        help="How to print the result.",
    )(command)


def console(*, stderr: bool = False) -> Console:
    """Open a console: colour only on a terminal; off it, lines are as long as they are."""
    opened = Console(stderr=stderr, highlight=False, soft_wrap=True)
    if not opened.is_terminal:
        opened.width = 10_000
    return opened


def new_table(*columns: str) -> Table:
    """Make a table without lines, as kubectl prints them."""
    table = Table(
        box=None, pad_edge=False, show_edge=False, header_style="bold", padding=(0, 3, 0, 0)
    )
    for name in columns:
        table.add_column(name, overflow="fold")
    return table


def emit(data: object, output: Format, table: Callable[[Console], None]) -> None:
    """Print a result on standard output: `data` as JSON or YAML, or whatever `table` draws for people."""
    if output == "json":
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
        click.echo(orjson.dumps(data, option=options), nl=False)
    elif output == "yaml":
        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)
    else:
        table(console())
