"""`python -m bench`: measures, prints a table, writes a JSON document. Exit code 0 unless it could not measure."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench import loading, machine
from bench.child import CouldNotMeasure
from bench.corpus import write_folder
from bench.load import generator
from bench.row import Row
from bench.scanner import scanner_rows, unready
from bench.server import Bench
from bench.table import render

_PARTS = ("decision", "loading", "server", "scanner")


@click.command()
@click.option(
    "--json",
    "document",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/bench.json"),
    show_default=True,
    help="Where the JSON document goes.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(_PARTS),
    multiple=True,
    help="Measure only this; may be given again.  [default: all]",
)
@click.option(
    "--scans", type=click.IntRange(100), default=100_000, show_default=True, help="How many scans."
)
@click.option(
    "--seconds", type=click.IntRange(1), default=2, show_default=True, help="Of load in each run."
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Of load on each server, and of scans.",
)
def main(document: Path, parts: tuple[str, ...], scans: int, seconds: int, rounds: int) -> None:
    """Measure nbgate, each figure beside a floor of the same run. About six minutes on two processors."""
    _prepare(document)
    chosen = parts or _possible()
    started = time.monotonic()
    facts = machine.describe() | {"load": generator(), "scans": scans}
    click.echo("  ".join(f"{name}: {value}" for name, value in facts.items()) + "\n")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="nbgate-bench-") as folder:
        for part in chosen:
            click.echo(f"measuring {part} ...", err=True)
            rows += _rows(part, Path(folder) / part, scans, seconds, rounds)
    facts |= {
        "loadAverageAfter": os.getloadavg()[0],
        "seconds": round(time.monotonic() - started, 1),
    }
    click.echo(render(rows))
    _write(document, facts, rows)
    missed = sum(row.met is False for row in rows)
    click.echo(f"\n{missed} aims missed; took {facts['seconds']} s; written to {document}")


def _possible() -> tuple[str, ...]:
    """Give the parts that can be measured here, and say what is left out."""
    reason = unready()
    if not reason:
        return _PARTS
    click.echo(f"leaving out the scanner: {reason}", err=True)
    return tuple(part for part in _PARTS if part != "scanner")


def _rows(part: str, folder: Path, scans: int, seconds: int, rounds: int) -> Iterator[Row]:
    match part:
        case "decision":
            yield from loading.decision_rows(folder, scans)
        case "loading":
            yield from loading.loading_rows(folder, scans)
        case "scanner":
            yield from scanner_rows(folder, rounds)
        case _:
            held = write_folder(folder / "scans", scans, in_a_file=loading.IN_A_FILE)
            yield from Bench(folder, held, seconds=seconds, rounds=rounds).rows()


def _prepare(document: Path) -> None:
    """Find out now, and not after three minutes, whether the document can be written."""
    try:
        document.parent.mkdir(parents=True, exist_ok=True)
        document.open("a").close()
    except OSError as error:
        raise click.BadParameter(f"{document}: {error.strerror}", param_hint="--json") from error


def _write(document: Path, facts: dict[str, Any], rows: list[Row]) -> None:
    content = {
        "measuredAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **facts,
        "rows": [row.document() for row in rows],
    }
    document.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (CouldNotMeasure, OSError) as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(3)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
