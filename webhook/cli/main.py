"""`nbgate`: the group of commands, and what every one of them does with an error."""

import importlib
import io
import sys
from typing import NoReturn

import click

from webhook import __version__
from webhook.cli.exits import COULD_NOT, USAGE, CommandError
from webhook.cli.saying import say
from webhook.core.words import clean

_COMMANDS = {
    "audit": "Query the audit log.",
    "certs": "Issue, show, rotate and inject certificates.",
    "controller": "In the cluster: scan images, rotate certificates, post Events.",
    "doctor": "Check an installation in a cluster, and say what to type.",
    "policy": "Check a policy, or print the effective one.",
    "review": "Print the decision on manifests or AdmissionReviews, and why.",
    "scan": "Scan images: find out whether they work as notebooks.",
    "scans": "List, show, import and prune the cached scan results.",
    "serve": "Run the admission webhook.",
}


class _Lazy(click.Group):
    """A group that imports a command when it is called: `nbgate audit` need not load the server."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"webhook.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))


@click.group(
    cls=_Lazy,
    context_settings={"auto_envvar_prefix": "NBGATE", "help_option_names": ["-h", "--help"]},
    epilog="Every flag has an environment variable, NBGATE_<COMMAND>_<FLAG>: NBGATE_SERVE_LISTEN. "
    "State lives in $NBGATE_HOME, by default ~/.local/share/nbgate. "
    "Exit codes: 0 fine or allowed, 1 denied or does not conform, 2 usage or bad input, 3 could not do it.",
)
@click.version_option(__version__, prog_name="nbgate")
def nbgate() -> None:
    """Decide which container images may run as Kubeflow notebooks."""


def main() -> NoReturn:
    """Run the command line and exit with its code; an error is one line on standard error, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a locale without a letter, or a file name that is no text, ends no command
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(nbgate(standalone_mode=False) or 0)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except CommandError as error:
        say(str(error))
        sys.exit(error.exit_code)
    except OSError as error:
        say(clean(f"{error.filename or 'standard output'}: {error.strerror or error}"))
        sys.exit(COULD_NOT)
    except Exception as error:  # noqa: BLE001 - the last resort: a person sees a sentence, not a traceback
        say(clean(f"internal error, please report it: {type(error).__name__}: {error}"))
        sys.exit(COULD_NOT)
