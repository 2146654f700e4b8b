"""`nbgate scans import`: results from elsewhere into the folder, all of them or none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import click
from rich.console import Console
from rich.text import Text

from webhook.cli.exits import BadInput, CouldNot
from webhook.cli.inputs import read_source
from webhook.cli.output import Format, emit, new_table, output_option
from webhook.cli.scansfolder import open_folder
from webhook.cli.scansshow import newness
from webhook.cli.state import scans_option
from webhook.core.document import Fault, InvalidDocument
from webhook.core.reference import InvalidReference
from webhook.core.scan import Scan, compact, read_scan_document, scan_name
from webhook.stores.files import sync_folder
from webhook.stores.problem import printable
from webhook.stores.scandir import ScanFolder
from webhook.stores.scanfile import put_scan, scan_path
from webhook.stores.tree import shown

Action = Literal["created", "replaced", "kept"]


@dataclass(frozen=True, slots=True)
class Incoming:
    """One result to import: its document, under the derived name, and what admission makes of it."""

    content: Mapping[str, Any]
    scan: Scan


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@scans_option
@click.option(
    "--force", is_flag=True, help="Replace a result that is there even if it is not older."
)
@output_option
def command(files: tuple[Path, ...], scans: Path | None, output: Format, *, force: bool) -> None:
    """Put ImageScan documents into the folder, one file each, under names derived from their images.

    FILE is YAML or JSON, one or many documents or a List; - is standard input. All are checked first: if one is bad,
    every fault is told and nothing is imported. Of several results for one image the newest stays: by resolvedAt, then
    by scannedAt.
    """
    incoming = _newest(_read(files))
    folder = open_folder(scans)
    held = _held(folder)
    done = [(one, _action(one.scan, held, force=force)) for one in incoming]
    written = [one for one, action in done if action != "kept"]
    _write(folder.folder, written)
    data = [{"name": o.scan.name, "image": o.scan.reference, "action": a} for o, a in done]
    emit(data, output, lambda out: _print(out, data))
    for one in written:
        _tell_hidden(folder.folder, one.scan, held)


def _read(files: Sequence[Path]) -> list[Incoming]:
    """Read and check every document of every file. Raises BadInput with all that is wrong with any of them."""
    incoming: list[Incoming] = []
    wrong: list[str] = []
    for file in files:
        try:
            sources = read_source(file)
        except BadInput as error:
            wrong.append(str(error))
            continue
        for source in sources:
            try:
                incoming.append(_check(source.document))
            except InvalidDocument as error:
                wrong += [f"{source}: {fault}" for fault in error.faults]
    if wrong:
        raise BadInput("nothing was imported:\n" + "\n".join(wrong))
    return incoming


def _check(document: Mapping[str, Any]) -> Incoming:
    """Check a document under the name that its image gives it. Raises InvalidDocument."""
    kind = document.get("kind")
    if isinstance(kind, str) and kind != "ImageScan":
        raise InvalidDocument(Fault("kind", f"is {shown(kind)}; only ImageScans are imported"))
    content = _renamed(document)
    return Incoming(content, compact(read_scan_document(content)))


def _renamed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    spec, metadata = document.get("spec"), document.get("metadata") or {}
    image = spec.get("image") if isinstance(spec, dict) else None
    if not isinstance(image, str) or not isinstance(metadata, dict):
        return document
    try:
        return {**document, "metadata": {**metadata, "name": scan_name(image)}}
    except InvalidReference:
        return document


def _newest(incoming: Sequence[Incoming]) -> list[Incoming]:
    """Keep one result per image."""
    by_image: dict[str, Incoming] = {}
    for one in sorted(incoming, key=lambda one: newness(one.scan)):
        by_image[one.scan.reference] = one
    return [by_image[image] for image in sorted(by_image)]


def _held(folder: ScanFolder) -> dict[str, list[tuple[Path, Scan]]]:
    """Give what the folder holds by image, the newest last."""
    held: dict[str, list[tuple[Path, Scan]]] = {}
    for path, found in folder.files():
        for scan in found.scans:
            held.setdefault(scan.reference, []).append((path, scan))
    for same in held.values():
        same.sort(key=lambda one: newness(one[1]))
    return held


def _action(scan: Scan, held: Mapping[str, list[tuple[Path, Scan]]], *, force: bool) -> Action:
    same = held.get(scan.reference)
    if not same:
        return "created"
    return "replaced" if force or newness(scan) > newness(same[-1][1]) else "kept"


def _write(folder: Path, incoming: Sequence[Incoming]) -> None:
    try:
        for one in incoming:
            put_scan(folder, one.content)
        sync_folder(folder)
    except OSError as error:
        cure = "free or unlock it and import again: what is written already is whole"
        raise CouldNot(f"{folder} cannot be written: {error.strerror}; {cure}") from error


def _tell_hidden(folder: Path, scan: Scan, held: Mapping[str, list[tuple[Path, Scan]]]) -> None:
    """Say where a newer result stands in another file, which still wins."""
    own = scan_path(folder, scan.name)
    for path, other in held.get(scan.reference, ()):
        if path != own and newness(other) > newness(scan):
            click.echo(
                f"nbgate: {printable(path)} holds a newer result for {scan.reference}, which "
                "counts; remove it there",
                err=True,
            )


def _print(out: Console, data: Sequence[Mapping[str, str]]) -> None:
    if not data:
        out.print("there was nothing to import")
        return
    table = new_table("NAME", "IMAGE", "ACTION")
    for row in data:
        table.add_row(*(Text(cell) for cell in row.values()))
    out.print(table)
