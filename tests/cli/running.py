"""Runs `nbgate` in this process, from its real entry point."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from click.testing import CliRunner

from webhook.cli.main import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)

    @property
    def yaml(self) -> Any:
        return yaml.safe_load(self.out)


def nbgate(home: Path, *arguments: str | Path, given: bytes = b"", **env: str) -> Ended:
    """Run `nbgate ARGUMENTS` with $NBGATE_HOME at `home` and `given` on standard input."""
    before = sys.argv
    sys.argv = ["nbgate", *map(str, arguments)]
    runner = CliRunner(env={"NBGATE_HOME": str(home), **env})
    try:
        with runner.isolation(input=given) as (out, err, _):
            code: object = None
            try:
                main()
            except SystemExit as stop:
                code = stop.code
            return Ended(int(str(code)), out.getvalue().decode(), err.getvalue().decode())
    finally:
        sys.argv = before
