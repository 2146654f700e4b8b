"""`nbgate scans`: the cached results of image scans."""

import click

from webhook.cli import scansimport, scanslist, scansprune, scansshow


@click.group()
def command() -> None:
    """List, show, import and prune the cached scan results."""


for _subcommand in (
    scansimport.command,
    scanslist.command,
    scansprune.command,
    scansshow.command,
):
    command.add_command(_subcommand)
