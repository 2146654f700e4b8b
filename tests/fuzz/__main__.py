"""A long run of one reader of bytes from outside; docs/fuzzing.md says how, and what to do with what it finds."""

import argparse
import importlib
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fuzz.distil import distil
from tests.fuzz.engine import instrumented, load_atheris, run
from tests.fuzz.target import Target


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="?", help="without one, all are listed")
    parser.add_argument("inputs", nargs="*", type=Path, help="check these files, and run nothing")
    parser.add_argument("--seconds", type=int, default=60, help="how long to run (default: 60)")
    parser.add_argument("--work", type=Path, help="folder (default: nbgate-fuzz/TARGET in /tmp)")
    parser.add_argument(
        "--distil", action="store_true", help="keep what was found, and run nothing"
    )
    return parser.parse_args()


def main() -> int:
    """Run what the command line says."""
    options = _options()
    runs = options.target and not options.distil and not options.inputs
    try:
        atheris = load_atheris() if runs else None
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    targets = _targets(atheris)
    if options.target not in targets:
        sys.stdout.write("".join(f"{name}\n" for name in targets))
        return 2 if options.target else 0
    target = targets[options.target]
    work = options.work or Path(tempfile.gettempdir(), "nbgate-fuzz", target.name)
    for path in options.inputs:
        target.check_in_time(path.read_bytes())
    if options.distil:
        sys.stdout.write("".join(f"{path}\n" for path in distil(target, work / "found")))
    elif runs:
        run(atheris, target, work, options.seconds)
    return 0


def _targets(atheris: Any) -> Mapping[str, Target]:
    if atheris is not None:
        return instrumented(atheris)
    targets: Mapping[str, Target] = importlib.import_module("tests.fuzz.targets").TARGETS
    return targets


if __name__ == "__main__":
    sys.exit(main())
