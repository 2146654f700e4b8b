"""What `nbgate scan` says besides its results, on standard error."""

from contextlib import suppress

import click


def say(line: str) -> None:
    """Write a line for people. That nobody reads it, or a disk is full, changes neither the scan nor its exit code."""
    with suppress(OSError):
        click.echo(f"nbgate: {line}", err=True)
