"""`nbgate policy`: check a policy, or print the effective one."""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import orjson
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import OK, USAGE
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.cli.state import policy_option, read_policy_of
from webhook.core.actions import Action
from webhook.core.document import Fault
from webhook.core.policy import PolicyDocument
from webhook.core.policyreview import advise
from webhook.core.requirements import EXEMPT_BY_DEFAULT, REQUIREMENTS, RULES
from webhook.core.words import clean
from webhook.stores.files import too_large
from webhook.stores.policyfile import POLICY_LIMIT, UnreadablePolicy, load_policy, parse_policy
from webhook.stores.problem import Problem, printable, problem_of

_STANDARD_INPUT = Path("-")


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

    FILE is YAML or JSON with one NotebookPolicy; - is standard input. Warned of is what has no effect or may surprise,
    as an exemption that has expired, or does so within 30 days.

    Exits 0 when all are fine, warnings or not, and 2 when one has a fault.
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
    return Checked(name, (), tuple(advise(policy.spec, now)))


def _read(file: Path, name: str) -> PolicyDocument:
    if file != _STANDARD_INPUT:
        return load_policy(file, required=True)
    data = sys.stdin.buffer.read(POLICY_LIMIT + 1)
    if len(data) > POLICY_LIMIT:
        raise UnreadablePolicy(problem_of(name, 0, Fault("", too_large(len(data), POLICY_LIMIT))))
    return parse_policy(data, name)


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


@command.command()
@policy_option
@output_option
def show(policy: Path | None, output: Format) -> None:
    """Print the policy that holds, with every default filled in.

    With -o yaml or json it is a NotebookPolicy again, which `nbgate policy check` accepts and which means the same.
    """
    effective = effective_document(read_policy_of(policy))
    emit(effective, output, lambda out: _print_effective(out, effective))


def effective_document(policy: PolicyDocument) -> dict[str, Any]:
    """Write a policy as a document that leaves nothing to a default."""
    spec = _plain(policy.spec)
    spec["requirements"] = {name: policy.spec.action_for(name).label for name in REQUIREMENTS}
    spec["helpURL"] = policy.spec.help
    for exemption in spec["exemptions"]:
        if exemption["requirements"] is None:
            exemption["requirements"] = [rule for rule in RULES if rule in EXEMPT_BY_DEFAULT]
    metadata = {key: value for key, value in _plain(policy.metadata).items() if value is not None}
    return {
        "apiVersion": policy.api_version,
        "kind": policy.kind,
        "metadata": metadata,
        "spec": spec,
    }


def _plain(value: object) -> Any:
    """Turn a model's values into what JSON and YAML hold, under the names that documents use."""
    match value:
        case BaseModel():
            fields = type(value).model_fields.items()
            return {field.alias or name: _plain(getattr(value, name)) for name, field in fields}
        case Action():
            return value.label
        case tuple() | list():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def _print_effective(out: Console, document: Mapping[str, Any]) -> None:
    table = new_table("FIELD", "VALUE")
    table.add_row("metadata.name", Text(clean(document["metadata"]["name"])))
    for path, value in _leaves("", document["spec"]):
        table.add_row(path, Text(clean(value)))
    out.print(table)


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}" if path else key, item)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from _leaves(f"{path}[{index}]", item)
    elif isinstance(value, list) and value:
        yield path, ", ".join(str(item) for item in value)
    elif isinstance(value, str):
        yield path, value
    else:
        yield path, orjson.dumps(value).decode()
