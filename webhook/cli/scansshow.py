"""`nbgate scans show`: one cached result, whole."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.cli.scansfolder import open_folder, tell_problems
from webhook.cli.state import scans_option
from webhook.core.reference import InvalidReference, parse
from webhook.core.scan import Scan, ScanDocument, ScanStatus, compact
from webhook.core.words import clean
from webhook.stores.files import UnreadableFile, read_file
from webhook.stores.problem import printable
from webhook.stores.scandir import ScanFolder
from webhook.stores.scanfile import Entry, read_entries

_STYLES = {
    "Pass": "green",
    "Fail": "red",
    "Unknown": "yellow",
    "Conforms": "green",
    "Violates": "red",
}

# The beginning of a digest, as `scans list` shows it; eight digits tell a hundred thousand digests apart well enough.
_DIGEST = re.compile(r"(?:(sha256|sha512):)?([0-9a-f]{8,128})")


@click.command("show")
@click.argument("what", metavar="NAME|IMAGE|DIGEST")
@scans_option
@output_option
def command(what: str, scans: Path | None, output: Format) -> None:
    """Print one cached result: the whole document, or for people its checks as a table.

    WHAT is the document's name, its image in any spelling, or a digest of it, of which the first 8 digits will do.
    Where several documents fit, the newest is printed and the others are named on standard error.
    """
    folder = open_folder(scans)
    found = _find(folder, what)
    if not found:
        tell_problems(folder)
        raise BadInput(
            f"no result for {clean(what)[:200]} in {folder.folder}: `nbgate scans list` shows what there is"
        )
    (path, scan), *others = found
    entry = _entry(path, scan)
    emit(entry.content, output, lambda out: _print(out, entry.document, path))
    for other, _ in others:
        click.echo(f"nbgate: {other} holds an older result for the same", err=True)


def _find(folder: ScanFolder, what: str) -> list[tuple[Path, Scan]]:
    """Find what a word means, the newest first: a name, else a digest, else an image."""
    every = [(path, scan) for path, held in folder.files() for scan in held.scans]
    for fits in (_name_fits, _digest_fits, _image_fits):
        found = [(path, scan) for path, scan in every if fits(scan, what)]
        if found:
            return sorted(found, key=lambda one: newness(one[1]), reverse=True)
    return []


def newness(scan: Scan) -> tuple[float, float]:
    """Order the results of one image: what its tag was last seen to mean comes first, as admission has it."""
    return scan.resolved_at, scan.scanned_at


def _name_fits(scan: Scan, what: str) -> bool:
    return scan.name == what


def _digest_fits(scan: Scan, what: str) -> bool:
    found = _DIGEST.fullmatch(what)
    if found is None or scan.digest is None:
        return False
    algorithm, digits = found.groups()
    for digest in (scan.digest, *scan.manifests):
        its_algorithm, _, its_digits = digest.partition(":")
        if its_digits.startswith(digits) and algorithm in (None, its_algorithm):
            return True
    return False


def _image_fits(scan: Scan, what: str) -> bool:
    try:
        return parse(what).canonical == scan.reference
    except InvalidReference:
        return False


def _entry(path: Path, scan: Scan) -> Entry:
    """Read the whole document of a scan again."""
    try:
        pieces = list(read_entries(read_file(path).data, path))
    except UnreadableFile as error:
        raise CouldNot(f"{path}: {error}") from error
    for piece in pieces:
        if isinstance(piece, Entry) and compact(piece.document) == scan:
            return piece
    raise CouldNot(f"{path}: changed while it was read; try again")


def _print(out: Console, document: ScanDocument, path: Path) -> None:
    for label, value in _lines(document, path):
        out.print(
            Text.assemble((f"{label:<10}", "bold"), Text(value, style=_STYLES.get(value, "")))
        )
    out.print()
    table = new_table("REQUIREMENT", "RESULT", "EVIDENCE", "FOUND")
    for check in document.status.checks:
        result = Text(check.result, style=_STYLES[check.result])
        table.add_row(check.requirement, result, check.evidence or "-", Text(clean(check.message)))
    out.print(table if document.status.checks else "no checks")


def _lines(document: ScanDocument, path: Path) -> Iterator[tuple[str, str]]:
    status = document.status
    yield "Name", clean(document.metadata.name)
    yield "Image", document.spec.image
    yield "Phase", status.phase
    yield "Verdict", status.verdict or "Unknown"
    yield "Serving", status.serving
    yield "Digest", status.digest or "-"
    for manifest in status.manifests:
        yield "", f"{manifest.digest} {clean(manifest.platform)}"
    yield from _facts(status)
    yield "Resolved", status.resolved_at or "-"
    yield "Scanned", status.scanned_at or "-"
    yield "File", printable(path)
    for condition in status.conditions:
        if condition.message:
            yield clean(condition.type), clean(condition.message)


def _facts(status: ScanStatus) -> Iterator[tuple[str, str]]:
    facts = status.facts
    yield "User", clean(facts.user or "-")
    if facts.cuda is not None:
        evidence = f" ({clean(facts.cuda_evidence)})" if facts.cuda_evidence else ""
        yield "CUDA", ("yes" if facts.cuda else "no") + evidence
    for one in facts.accelerators:
        yield "Hardware", clean(f"{one.resource} ({one.evidence})")
    if facts.rewritable is not None:
        yield "Rewrite", "works behind one" if facts.rewritable else "breaks behind one"
    if facts.frame_guard is not None:
        yield "Frames", clean(facts.frame_guard)
