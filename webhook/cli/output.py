"""How results are printed: a table for people, JSON and YAML for programs."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import click
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


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `emit`: rich would end the command with exit code 1, which means denied here."""
        raise BrokenPipeError


def console(*, stderr: bool = False) -> Console:
    """Open a console: colour only on a terminal; off it, lines are as long as they are.

    What users wrote stands in what is printed: nothing of it is read as rich's markup or emoji codes.
    """
    opened = _Console(stderr=stderr, highlight=False, soft_wrap=True, markup=False, emoji=False)
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
    """Print a result on standard output: `data` as JSON or YAML, or whatever `table` draws for people.

    JSON and YAML are ASCII, so that no control character reaches a terminal. A reader that goes away, as `head` does,
    changes nothing of the exit code.
    """
    try:
        if output == "json":
            text = json.dumps(data, indent=2, ensure_ascii=True).replace("\x7f", "\\u007f")
            click.echo(text)
        elif output == "yaml":
            click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=False), nl=False)
        else:
            table(console())
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
