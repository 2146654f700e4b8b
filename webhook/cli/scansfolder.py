"""The folder of cached results that `nbgate scans` works on, read once."""

from pathlib import Path

import click

from webhook.cli.exits import CouldNot
from webhook.cli.state import scan_folder
from webhook.stores.scandir import ScanFolder


def open_folder(named: Path | None) -> ScanFolder:
    """Read the named folder, or the default one. Raises BadInput where it is missing, CouldNot where it is refused."""
    # What is being written now is shown as it is: nothing is decided from it here.
    folder = ScanFolder(scan_folder(named), required=True, settle=0)
    folder.refresh()
    if not folder.complete:
        raise CouldNot("; ".join(str(problem) for problem in folder.current.problems[:1]))
    return folder


def tell_problems(folder: ScanFolder) -> None:
    """Name on standard error every document that cannot be read."""
    for problem in folder.current.problems:
        click.echo(f"nbgate: {problem}", err=True)
