"""`python -m bench`: measures, prints a table, writes a JSON document. Exit code 0 unless it could not measure."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from bench import apiserver
from bench.child import CouldNotMeasure
from bench.facts import facts
from bench.markdown import render_markdown
from bench.parts import PARTS, Settings, left_out
from bench.row import Row
from bench.table import render


def _print_markdown(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        text = render_markdown(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise click.BadParameter(f"{path} is no document of a measurement: {error!r}") from error
    click.echo(text)
    context.exit()


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
    "--markdown",
    type=click.Path(dir_okay=False, path_type=Path),
    is_eager=True,
    expose_value=False,
    callback=_print_markdown,
    help="Measure nothing: print the results in docs/performance.md from such a document.",
)
@click.option(
    "--part",
    "parts",
    type=click.Choice(list(PARTS)),
    multiple=True,
    help="Measure only this; may be given again.  [default: all]",
)
@click.option(
    "--index",
    type=click.IntRange(100),
    default=1_000_000,
    show_default=True,
    help="Scans in the largest index that decisions are timed with; a million takes 1.2 GB.",
)
@click.option(
    "--scans",
    type=click.IntRange(100),
    default=100_000,
    show_default=True,
    help="How many scans are loaded from a folder.",
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
@click.option(
    "--requests",
    type=click.IntRange(100),
    default=100_000,
    show_default=True,
    help="While a worker's memory is looked at; 1000000 take five minutes more.",
)
def main(document: Path, parts: tuple[str, ...], **counts: int) -> int:
    """Measure nbgate, each figure beside a floor of the same run. About ten minutes on two processors."""
    _prepare(document)
    settings = Settings(**counts)
    reasons = {} if parts else dict(left_out())
    chosen = parts or tuple(name for name in PARTS if name not in reasons)
    known = _tell(chosen, settings, reasons)
    started = time.monotonic()
    rows, failures = _measured(chosen, settings)
    known |= {
        "loadAverageAfter": os.getloadavg()[0],
        "seconds": round(time.monotonic() - started, 1),
        "notMeasured": reasons | failures,
    }
    click.echo(render(rows))
    _write(document, known, rows)
    missed = sum(row.met is False for row in rows)
    click.echo(f"\n{missed} aims missed; took {known['seconds']} s; written to {document}")
    return 3 if failures else 0


def _tell(
    chosen: tuple[str, ...], settings: Settings, reasons: Mapping[str, str]
) -> dict[str, Any]:
    """Say what is measured, on what, and what is not."""
    kubernetes = apiserver.version() if "apiserver" in chosen else "not measured"
    known = facts() | {"kubernetes": kubernetes} | asdict(settings)
    click.echo("  ".join(f"{name}: {value}" for name, value in known.items()) + "\n")
    for name, reason in reasons.items():
        click.echo(f"leaving out {name}: {reason}", err=True)
    return known


def _measured(parts: tuple[str, ...], settings: Settings) -> tuple[list[Row], dict[str, str]]:
    """Measure the parts; what cannot be measured, with its reason, loses nothing of the others."""
    rows: list[Row] = []
    failures = {}
    with tempfile.TemporaryDirectory(prefix="nbgate-bench-") as folder:
        for part in parts:
            click.echo(f"measuring {part} ...", err=True)
            try:
                rows += list(PARTS[part](Path(folder) / part, settings))
            except (CouldNotMeasure, OSError) as error:
                failures[part] = str(error)
                click.echo(f"{part} could not be measured: {error}", err=True)
    return rows, failures


def _prepare(document: Path) -> None:
    """Find out now, and not after three minutes, whether the document can be written."""
    try:
        document.parent.mkdir(parents=True, exist_ok=True)
        document.open("a").close()
    except OSError as error:
        raise click.BadParameter(f"{document}: {error.strerror}", param_hint="--json") from error


def _write(document: Path, known: dict[str, Any], rows: list[Row]) -> None:
    content = {
        "measuredAt": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **known,
        "rows": [row.document() for row in rows],
    }
    document.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    try:
        sys.exit(main(standalone_mode=False))
    except (CouldNotMeasure, OSError) as error:
        click.echo(f"bench: {error}", err=True)
        sys.exit(3)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
