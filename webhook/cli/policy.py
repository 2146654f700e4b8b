"""`nbgate policy`: check a policy, or print the effective one."""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import OK, USAGE
from webhook.cli.output import Format, emit, output_option
from webhook.core.document import Fault
from webhook.core.message import clean
from webhook.core.policy import Exemption, PolicyDocument
from webhook.stores.files import too_large
from webhook.stores.policyfile import POLICY_LIMIT, UnreadablePolicy, load_policy, parse_policy
from webhook.stores.problem import Problem, printable, problem_of

_STANDARD_INPUT = Path("-")
_SOON_DAYS = 30
_DAY = 86400


@dataclass(frozen=True, slots=True)
class Checked:
    """What is to be said of one file: faults that make it no policy, warnings that do not."""

    file: str
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


@click.group()
def command() -> None:
    """Check a policy, or print the effective one."""


@command.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@output_option
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], output: Format) -> None:
    """Check policy files and print everything that is wrong with them, as FILE: FIELD: PROBLEM.

    FILE is YAML or JSON with one NotebookPolicy; - is standard input. An exemption that has expired, or does so within
    30 days, is warned of. Exits 0 when all are fine, warnings or not, and 2 when one has a fault.
    """
    now = time.time()
    checked = [_check(file, now) for file in files]
    emit([_data(one) for one in checked], output, lambda out: _print_checked(out, checked))
    ctx.exit(USAGE if any(one.problems for one in checked) else OK)


def _check(file: Path, now: float) -> Checked:
    name = "standard input" if file == _STANDARD_INPUT else printable(file)
    try:
        policy = _read(file, name)
    except UnreadablePolicy as error:
        return Checked(name, error.problems, ())
    return Checked(name, (), tuple(_warnings(policy.spec.exemptions, now)))


def _read(file: Path, name: str) -> PolicyDocument:
    if file != _STANDARD_INPUT:
        return load_policy(file, required=True)
    data = sys.stdin.buffer.read(POLICY_LIMIT + 1)
    if len(data) > POLICY_LIMIT:
        raise UnreadablePolicy(problem_of(name, 0, Fault("", too_large(len(data), POLICY_LIMIT))))
    return parse_policy(data, name)


def _warnings(exemptions: Sequence[Exemption], now: float) -> Iterator[str]:
    for exemption in exemptions:
        left = exemption.ends - now
        if left <= 0:
            yield f"exemption {exemption.name} expired on {exemption.expires} and does nothing; remove or renew it"
        elif left <= _SOON_DAYS * _DAY:
            days = int(left // _DAY)
            span = f"in {days} days" if days > 1 else "tomorrow" if days else "today"
            yield f"exemption {exemption.name} expires {span}, at the end of {exemption.expires} UTC"


def _data(one: Checked) -> dict[str, Any]:
    faults = [{"document": p.document, "field": p.field, "problem": p.reason} for p in one.problems]
    return {
        "file": one.file,
        "valid": not one.problems,
        "faults": faults,
        "warnings": list(one.warnings),
    }


def _print_checked(out: Console, checked: Sequence[Checked]) -> None:
    for one in checked:
        for problem in one.problems:
            out.print(Text(clean(str(problem)), style="red"))
        for warning in one.warnings:
            out.print(Text(f"{one.file}: warning: {warning}", style="yellow"))
        if not one.problems:
            out.print(Text(f"{one.file}: fine", style="green"))
