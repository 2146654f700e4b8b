"""Mutants of what is there once a file is loaded: constants, defaults, fields, and functions that loading calls.

Each gets a child that has loaded nothing of ours yet: it loads the changed file, and runs the tests named for it, then
all. That takes seconds, so these are tried only where they are asked for.
"""

import importlib
import sys
from collections.abc import Sequence
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, FrameType

import pytest

from tests.mutation.child import Children
from tests.mutation.mutants import Mutant
from tests.mutation.trials import BROKEN, SURVIVED, TIMEOUT, Report, places_of

_SECONDS = 120  # of processor time: ten times what all the tests take


class _First:
    """Remembers the first test that failed."""

    failed = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed = self.failed or (report.nodeid if report.failed else "")


def try_fresh(
    mutants: Sequence[Mutant], tests: Path, options: Sequence[str], jobs: int, report: Report
) -> None:
    """Try each mutant in a child of its own; `report` is told of each."""
    children, running = Children(jobs), dict[int, Mutant]()

    def end() -> None:
        ended = children.end()
        word = ended.told if not ended.early else BROKEN if ended.early == "failed" else TIMEOUT
        report(running.pop(ended.pid), word)

    for mutant in mutants:
        if children.full:
            end()
        work = partial(_trial, mutant, tests, options)
        running[children.begin(work, _SECONDS)] = mutant
    while children:
        end()


def _trial(mutant: Mutant, tests: Path, options: Sequence[str]) -> str:
    _load_instead(mutant.path, mutant.source())
    own = sorted(map(str, tests.glob(f"test_{mutant.path.stem}*.py")))
    for chosen in (own, [str(tests)]):
        first = _First()
        if chosen and pytest.main([*chosen, "-x", *options], plugins=[first]):
            return first.failed or "it does not load"
    return SURVIVED


def _load_instead(path: Path, source: str) -> None:
    """Have the import system give this source for the file."""
    given = SourceFileLoader.get_code

    def get_code(loader: SourceFileLoader, name: str) -> CodeType | None:
        if Path(loader.path) == path:
            return compile(source, str(path), "exec", dont_inherit=True)
        return given(loader, name)

    setattr(SourceFileLoader, "get_code", get_code)  # noqa: B010 - mypy lets no method be assigned


def called_by_loading(room: Path) -> set[str]:
    """Name the functions that run while the files below `room` are loaded, as `Mutant.place` does."""
    children = Children(1)
    children.begin(lambda: "\n".join(_calls(room)), _SECONDS)
    return set(children.end().told.splitlines())


def _calls(room: Path) -> set[str]:
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    sys.setprofile(note)
    for path in sorted(room.rglob("*.py")):
        parts = path.relative_to(Path.cwd()).with_suffix("").parts
        importlib.import_module(".".join(part for part in parts if part != "__init__"))
    sys.setprofile(None)
    return places_of(seen, room)
