"""`nbgate audit`: what was refused, to whom, and why, from the audit log."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import click

from webhook.cli.auditoptions import images, moment, several
from webhook.cli.audittable import print_entries, print_summary
from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.home import home
from webhook.cli.output import Format, emit, output_option
from webhook.core.decision import Word
from webhook.core.requirements import RULES
from webhook.core.words import clean
from webhook.stores import auditfilter
from webhook.stores.auditfilter import Filter
from webhook.stores.auditlog import BrokenLog, Entry, NoLog, Unreadable, read_log, read_stream
from webhook.stores.auditsummary import summarise

_STANDARD_INPUT = Path("-")
_PLACES_SHOWN = 5


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(path_type=Path))
@click.option(
    "--since",
    metavar="TIME",
    callback=moment(auditfilter.since),
    help="From then on: 2026-01-31T12:00:00Z, or how long ago: 7d, 24h.",
)
@click.option(
    "--until",
    metavar="TIME",
    callback=moment(auditfilter.until),
    help="Before then; written like --since.",
)
@click.option(
    "--namespace",
    metavar="NAME",
    multiple=True,
    callback=several(auditfilter.namespace),
    help="In this namespace.",
)
@click.option(
    "--notebook",
    metavar="NAME",
    multiple=True,
    callback=several(auditfilter.notebook),
    help="Of this notebook.",
)
@click.option(
    "--user",
    metavar="NAME",
    multiple=True,
    callback=several(auditfilter.user),
    help="By this user.",
)
@click.option(
    "--image",
    metavar="IMAGE",
    multiple=True,
    callback=several(images),
    help="With this image, in any spelling: every version of it, that tag, or that digest. "
    "Or a pattern: ghcr.io/kubeflow/**",
)
@click.option(
    "--decision",
    type=click.Choice(get_args(Word)),
    multiple=True,
    callback=several(auditfilter.decision),
    help="Decided so.",
)
@click.option(
    "--requirement",
    "requirements",
    envvar="NBGATE_AUDIT_REQUIREMENT",
    metavar="ID",
    type=click.Choice(RULES),
    multiple=True,
    help="Because of this requirement or other rule: uid-1000, unscanned.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=1000,
    show_default=True,
    help="Print so many, the newest; a summary is of all.",
)
@click.option(
    "--summary",
    is_flag=True,
    help="Print each reason instead: how many requests, notebooks and images, first and last time.",
)
@output_option
def command(
    files: tuple[Path, ...],
    requirements: tuple[str, ...],
    limit: int,
    output: Format,
    *,
    summary: bool,
    **filters: Filter | None,
) -> None:
    """Query the audit log: who was refused what, and why.

    FILE is by default $NBGATE_HOME/audit.jsonl. Name rotated files too to read them, compressed by gzip or not; - is
    standard input. An option that stands several times means any of its values; different options must all hold.

    COUNT is how many requests a record stands for: identical refusals within 10 minutes are counted, not repeated.
    Lines that are no audit records are counted on standard error and passed over.
    """
    wanted = [made for made in filters.values() if made is not None]
    if requirements:
        wanted.append(auditfilter.requirement(requirements))
    reading = _Reading(files, auditfilter.all_of(wanted))
    if summary:
        rows = summarise(reading.matching(), requirements)
        if rows or output != "table":
            emit([asdict(row) for row in rows], output, lambda out: print_summary(out, rows))
        reading.say_if_without_reason(len(rows))
    else:
        found = auditfilter.newest(reading.matching(), limit)
        if found or output != "table":
            emit([entry.record for entry in found], output, lambda out: print_entries(out, found))
        reading.say_if_cut(len(found))
    reading.say_what_was_not()


class _Reading:
    """One pass over all logs, and what it saw of them."""

    def __init__(self, files: Sequence[Path], wanted: Filter) -> None:
        self._files = files or (home().audit_log,)
        self._named = bool(files)
        self._wanted = wanted
        self._read = self._matched = self._unreadable = 0
        self._shown: list[Unreadable] = []

    def matching(self) -> Iterator[Entry]:
        """Read what the filters want. Raises BadInput for a missing file, CouldNot for a broken disk."""
        for item in self._items():
            if isinstance(item, Unreadable):
                self._unreadable += 1
                if len(self._shown) < _PLACES_SHOWN:
                    self._shown.append(item)
                continue
            self._read += 1
            if self._wanted(item):
                self._matched += 1
                yield item

    def _items(self) -> Iterator[Entry | Unreadable]:
        try:
            for path in self._files:
                if path == _STANDARD_INPUT:
                    yield from read_stream(sys.stdin.buffer, "standard input")
                else:
                    yield from read_log(path)
        except NoLog as error:
            cure = "" if self._named else ", or let nbgate serve write this one: --audit-log"
            raise BadInput(f"{error}{cure}") from None
        except BrokenLog as error:
            raise CouldNot(str(error)) from None

    def say_if_cut(self, shown: int) -> None:
        """Say on standard error that the limit left records out."""
        if shown < self._matched:
            _say(f"these are the newest {shown} of {self._matched} records: --limit shows more")

    def say_if_without_reason(self, reasons: int) -> None:
        """Say on standard error that records match but none of them names a rule that did not hold."""
        if self._matched and not reasons:
            _say(f"no record names a reason; {self._matched} match")

    def say_what_was_not(self) -> None:
        """Say on standard error what could not be read, and that nothing matches."""
        for item in self._shown:
            _say(str(item))
        if self._unreadable:
            _say(f"lines that are no audit records, and were passed over: {self._unreadable}")
        if not self._matched:
            _say(f"no record matches; {self._read} were read")


def _say(what: str) -> None:
    click.echo(f"nbgate: {clean(what)}", err=True)
