"""`nbgate scans list`: the cached results, one a line."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import BadInput
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.cli.scansfolder import open_folder, tell_problems
from webhook.cli.state import scans_option
from webhook.core.document import format_time
from webhook.core.imagepattern import ImagePattern, InvalidPattern, compile_pattern
from webhook.core.reference import parse
from webhook.core.scan import Scan, Verdict
from webhook.core.words import clean
from webhook.stores.problem import printable
from webhook.stores.scandir import ScanFolder

_STYLES = {"Conforms": "green", "Violates": "red", "Unknown": "yellow"}
_SHORT_DIGEST = 12  # hex digits, as `podman images` shows; `nbgate scans show` takes them


@click.command("list")
@scans_option
@click.option(
    "--verdict",
    "verdict",
    type=click.Choice(get_args(Verdict), case_sensitive=False),
    multiple=True,
    help="Only results with this verdict; may be given again. One that is not done yet is Unknown.",
)
@click.option(
    "--image",
    metavar="PATTERN",
    help="Only images like this: a name, name:tag, or ghcr.io/kubeflow/** for all below.",
)
@output_option
def command(
    scans: Path | None, verdict: tuple[Verdict, ...], image: str | None, output: Format
) -> None:
    """List the cached results.

    A document that cannot be read is named on standard error; the exit code is 0 all the same, for the others are
    listed.
    """
    pattern = read_pattern(image)
    folder = open_folder(scans)
    found = sorted(folder.current.scans, key=lambda scan: (scan.reference, scan.name))
    none = _none(folder)
    chosen = [scan for scan in found if wanted(scan, verdict, pattern)]
    emit(
        [_data(scan) for scan in chosen], output, lambda out: _print(out, chosen, time.time(), none)
    )
    tell_problems(folder)


def read_pattern(text: str | None) -> ImagePattern | None:
    """Read `--image`. Raises BadInput."""
    if text is None:
        return None
    try:
        return compile_pattern(text)
    except InvalidPattern as error:
        raise BadInput(f"--image: {error}") from None


def wanted(scan: Scan, verdicts: Sequence[Verdict], pattern: ImagePattern | None) -> bool:
    """Tell whether a scan has one of the verdicts, or there are none to have, and matches the pattern."""
    if verdicts and scan.verdict not in verdicts:
        return False
    # The reference is the scan's own: whoever wrote it vouches for its tag.
    return pattern is None or pattern.matches(parse(scan.reference), trust_tag=True)


def _data(scan: Scan) -> dict[str, Any]:
    return {
        "name": scan.name,
        "image": scan.reference,
        "phase": scan.phase,
        "verdict": scan.verdict,
        "serving": scan.serving,
        "digest": scan.digest,
        "manifests": list(scan.manifests),
        "cuda": scan.cuda,
        "resolvedAt": format_time(scan.resolved_at) if scan.resolved_at else None,
        "scannedAt": format_time(scan.scanned_at) if scan.scanned_at else None,
    }


def _none(folder: ScanFolder) -> str:
    held, place = len(folder.current.scans), printable(folder.folder)
    if held:
        return f"none of the {held} results in {place} is like that"
    return (
        f"no results in {place}: make them with `nbgate scan IMAGE --save DIR`, that folder, "
        "or bring some in with `nbgate scans import FILE`"
    )


def _print(out: Console, scans: Sequence[Scan], now: float, none: str) -> None:
    if not scans:
        out.print(none)
        return
    table = new_table("NAME", "IMAGE", "VERDICT", "SERVING", "AGE", "DIGEST")
    for scan in scans:
        table.add_row(*_cells(scan, now))
    out.print(table)


def _cells(scan: Scan, now: float) -> Iterator[Text]:
    # As Text: rich would read brackets in a plain string as markup.
    phase = "" if scan.phase == "Complete" else f" ({scan.phase})"
    yield Text(clean(scan.name))
    yield Text(scan.reference)
    yield Text(f"{scan.verdict}{phase}", style=_STYLES[scan.verdict])
    yield Text(scan.serving)
    yield Text(age(now - scan.scanned_at) if scan.scanned_at else "-")
    yield Text(scan.digest.partition(":")[2][:_SHORT_DIGEST] if scan.digest else "-")


def age(seconds: float) -> str:
    """Write a time span in its two largest units, as kubectl does: 3d4h, 5m10s."""
    left = max(int(seconds), 0)
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        parts.append(f"{count}{unit}" if count else "")
    first = next((index for index, part in enumerate(parts) if part), len(parts) - 1)
    return "".join(parts[first : first + 2]) or "0s"
