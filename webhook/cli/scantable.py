"""What scans found, for people: a table of image and requirement, and below it what is to be done.

    IMAGE                          PORT   PREFIX    ORIGIN   USER   UID    HOME   EMPTY   SERVING   VERDICT
    registry.example.com/team/a:1  pass   pass      FAIL     pass   pass   pass   pass    Prefix    Violates

    registry.example.com/team/a:1
      FAIL     [allow-origin] the final answer has no Access-Control-Allow-Origin: send ...
               Fix: https://.../requirements.md#allow-origin

On a terminal too narrow for the table, each image takes two lines instead, with the requirements' whole ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Console
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from webhook.cli.output import new_table
from webhook.core.requirements import DEFAULT_HELP_URL, REQUIREMENTS, Requirement
from webhook.core.scan import Check, ScanStatus
from webhook.core.words import clean
from webhook.scanner.scanning import NO_PROBE, Scanned

# One word for each, so that seven stand beside an image's name.
_HEADERS: dict[Requirement, str] = {
    "port-8888": "PORT",
    "nb-prefix": "PREFIX",
    "allow-origin": "ORIGIN",
    "user-jovyan": "USER",
    "uid-1000": "UID",
    "home-jovyan": "HOME",
    "empty-home": "EMPTY",
}
# Told apart without colours too.
_CELLS = {"Pass": ("pass", "green"), "Fail": ("FAIL", "bold red"), "Unknown": ("unknown", "yellow")}
_VERDICTS = {"Conforms": "green", "Violates": "bold red", "Unknown": "yellow"}
_LABEL_WIDTH = 9  # "unknown" and two blanks
_INDENT = 2
_MARGIN = " " * (_INDENT + _LABEL_WIDTH)


@dataclass(frozen=True, slots=True)
class Row:
    """One image's result, and what people call the image."""

    image: str
    scan: Scanned

    @property
    def status(self) -> ScanStatus:
        """What was found."""
        return self.scan.document.status


def print_scans(out: Console, rows: Sequence[Row]) -> None:
    """Draw the table, then of each image that does not pass everything why, and what to do."""
    if not rows:
        return
    table = _table(rows)
    if _needed(out, table) > out.width:
        _print_narrow(out, rows)
    else:
        out.print(table)
    for row in rows:
        _print_details(out, row)


def _needed(out: Console, table: Table) -> int:
    unbounded = out.options.update(max_width=10_000)
    return Measurement.get(out, unbounded, table).maximum


def _table(rows: Sequence[Row]) -> Table:
    table = new_table("IMAGE", *_HEADERS.values(), "SERVING", "VERDICT")
    for column in table.columns:
        # it fits whole, or is not drawn: half an image's name helps nobody
        column.no_wrap = True
    for row in rows:
        cells = [_cell(row.status, requirement) for requirement in REQUIREMENTS]
        table.add_row(Text(clean(row.image)), *cells, row.status.serving, _verdict(row.status))
    return table


def _verdict(status: ScanStatus) -> Text:
    verdict = status.verdict or "Unknown"
    return Text(verdict, style=_VERDICTS[verdict])


def _cell(status: ScanStatus, requirement: Requirement) -> Text:
    found = next((c.result for c in status.checks if c.requirement == requirement), "Unknown")
    return Text(*_CELLS[found])


def _print_narrow(out: Console, rows: Sequence[Row]) -> None:
    for row in rows:
        verdict = Text.assemble(_verdict(row.status), f", serving {row.status.serving}")
        out.print(Text.assemble((clean(row.image), "bold"), ": ", verdict))
        cells = [Text.assemble(f"{name} ", _cell(row.status, name)) for name in REQUIREMENTS]
        out.print(Padding(Columns(cells, padding=(0, 2)), (0, 0, 0, _INDENT)))


def _print_details(out: Console, row: Row) -> None:
    """Print what is not all well, under the image's name; of an image without fault and note nothing."""
    scan, checks = row.scan, row.status.checks
    failed = [check for check in checks if check.result == "Fail"]
    unknown = [check for check in checks if check.result == "Unknown"]
    if not (failed or unknown or scan.notes):
        return
    out.print()
    out.print(Text(clean(row.image), style="bold"))
    for check in failed:
        _print_labelled(out, Text(*_CELLS["Fail"]), _told(check))
        # As a line of its own, which is not folded: an address in two pieces cannot be followed.
        out.print(f"{_MARGIN}Fix: {DEFAULT_HELP_URL}#{check.requirement}")
    _print_unknown(out, unknown)
    for note in scan.notes:
        _print_labelled(out, Text("note", style="yellow"), Text(clean(note)))
    if scan.log:
        _print_labelled(out, Text("log"), Text("its last output where it did not answer:"))
        for line in scan.log:
            _print_labelled(out, Text(), Text(f"| {clean(line)}", style="dim"))


def _print_unknown(out: Console, checks: Sequence[Check]) -> None:
    """Tell what is not decided; that only a start could decide it is said once, with the hints that there are."""
    label = Text(*_CELLS["Unknown"])
    unstarted = [check for check in checks if check.message.startswith(NO_PROBE)]
    if unstarted:
        ids = " ".join(f"[{check.requirement}]" for check in unstarted)
        _print_labelled(out, label, Text.assemble((ids, "bold"), f" {NO_PROBE}"))
    for check in unstarted:
        hint = check.message.removeprefix(NO_PROBE).strip(" ()")
        if hint:
            _print_labelled(out, Text("hint"), Text(f"[{check.requirement}] {clean(hint)}"))
    for check in checks:
        if check not in unstarted:
            _print_labelled(out, label, _told(check))


def _told(check: Check) -> Text:
    return Text.assemble((f"[{check.requirement}]", "bold"), f" {clean(check.message)}")


def _print_labelled(out: Console, label: Text, text: Text) -> None:
    """Print a label and, beside it, a text that is folded on a terminal and one line elsewhere."""
    row = Table.grid(padding=0)
    row.add_column(width=_INDENT + _LABEL_WIDTH)
    row.add_column(overflow="fold")
    row.add_row(Padding(label, (0, 0, 0, _INDENT)), text)
    out.print(row)
