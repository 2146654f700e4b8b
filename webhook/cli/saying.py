"""What commands say besides their results, on standard error."""

from contextlib import suppress

import click


def say(line: str) -> None:
    """Write a line for people; that nobody reads it, or a disk is full, changes nothing else."""
    with suppress(OSError):
        click.echo(f"nbgate: {line}", err=True)
