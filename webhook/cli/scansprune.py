"""`nbgate scans prune`: old or unwanted results out of the folder."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.cli.scansfolder import open_folder
from webhook.cli.scanslist import age, read_pattern, wanted
from webhook.cli.state import scans_option
from webhook.core.document import parse_duration
from webhook.core.scan import Scan, Verdict
from webhook.stores.files import sync_folder
from webhook.stores.problem import printable
from webhook.stores.scandir import ScanFolder


@dataclass(frozen=True, slots=True)
class Removal:
    """A file to remove, and why; `scans` is empty where nothing in it can be read."""

    path: Path
    scans: tuple[Scan, ...]
    reason: str


@click.command("prune")
@scans_option
@click.option(
    "--older-than",
    metavar="DURATION",
    help="Results of a scan longer ago than this: 720h, 1h30m. What was never scanned has no age.",
)
@click.option(
    "--verdict",
    type=click.Choice(get_args(Verdict), case_sensitive=False),
    multiple=True,
    help="Results with this verdict; may be given again.",
)
@click.option(
    "--image", metavar="PATTERN", help="Results for images like this, as in `scans list`."
)
@click.option("--unreadable", is_flag=True, help="Besides, files in which no document can be read.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@output_option
def command(
    scans: Path | None,
    older_than: str | None,
    verdict: tuple[Verdict, ...],
    image: str | None,
    output: Format,
    *,
    unreadable: bool,
    dry_run: bool,
) -> None:
    """Remove cached results, without asking: those that have all of the properties given.

    A file with several results is removed only if all of them are to go; else it is named on standard error, stays, and
    the exit code is 3.
    """
    now = time.time()
    pattern, seconds = read_pattern(image), _seconds(older_than)
    if seconds is None and not verdict and pattern is None and not unreadable:
        raise BadInput(
            "nothing says what to remove: give --older-than, --verdict, --image or --unreadable"
        )

    def chosen(scan: Scan) -> bool:
        if seconds is not None and not 0 < scan.scanned_at < now - seconds:
            return False
        some = seconds is not None or bool(verdict) or pattern is not None
        return some and wanted(scan, verdict, pattern)

    folder = open_folder(scans)
    removals, mixed = _sorted_out(folder, chosen, now, unreadable=unreadable)
    if not dry_run:
        _remove(folder.folder, removals)
    data = [_data(one, dry_run=dry_run) for one in removals]
    emit(data, output, lambda out: _print(out, removals, dry_run=dry_run))
    if mixed:
        raise CouldNot("\n".join(mixed))


def _seconds(duration: str | None) -> int | None:
    try:
        return None if duration is None else parse_duration(duration)
    except ValueError as error:
        raise BadInput(f"--older-than: {error}") from None


def _sorted_out(
    folder: ScanFolder, chosen: Callable[[Scan], bool], now: float, *, unreadable: bool
) -> tuple[list[Removal], list[str]]:
    """Find the files to remove, and tell of those that hold something else besides what is to go."""
    removals: list[Removal] = []
    mixed: list[str] = []
    for path, found in folder.files():
        going = [scan for scan in found.scans if chosen(scan)]
        alone = len(going) == len(found.scans) and not found.unreadable and not found.foreign
        if going and alone:
            removals.append(Removal(path, found.scans, _reason(going, now)))
        elif going:
            mixed.append(
                f"{printable(path)} stays: {len(going)} of its results would go, but it holds other "
                "documents too; import it, which gives each a file of its own, and remove it"
            )
        elif unreadable and found.unreadable and not found.scans and not found.foreign:
            removals.append(Removal(path, (), "cannot be read"))
    return removals, mixed


def _reason(scans: Sequence[Scan], now: float) -> str:
    newest = max(scans, key=lambda scan: scan.scanned_at)
    if not newest.scanned_at:
        return f"{newest.verdict}, never scanned"
    return f"{newest.verdict}, scanned {age(now - newest.scanned_at)} ago"


def _remove(folder: Path, removals: Sequence[Removal]) -> None:
    for one in removals:
        try:
            one.path.unlink(missing_ok=True)
        except OSError as error:
            place = printable(one.path)
            cure = "make the folder writable, then prune again: what is gone already stays gone"
            raise CouldNot(f"{place} cannot be removed: {error.strerror}; {cure}") from error
    if removals:
        sync_folder(folder)


def _data(one: Removal, *, dry_run: bool) -> dict[str, Any]:
    return {
        "file": printable(one.path),
        "names": [scan.name for scan in one.scans],
        "reason": one.reason,
        "removed": not dry_run,
    }


def _print(out: Console, removals: Sequence[Removal], *, dry_run: bool) -> None:
    if not removals:
        out.print("nothing to remove")
        return
    table = new_table("WOULD REMOVE" if dry_run else "REMOVED", "REASON")
    for one in removals:
        table.add_row(Text(printable(one.path)), one.reason)
    out.print(table)
