"""Mutation testing of the room where decisions are made: `python -m tests.mutation`, from the tree's top.

Changes webhook/core one little thing at a time and runs tests/core, until a test fails. What survives is either not
tested or not needed, and docs/mutation-testing.md says of each class of survivors which.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.mutation.fresh import called_by_loading, try_fresh
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.trials import BROKEN, SURVIVED, TIMEOUT, UNREACHED, Trials

_ROOM, _TESTS = Path("webhook/core"), Path("tests/core")
_OPTIONS = ("-q", "-s", "-p", "no:cacheprovider", "--hypothesis-profile=mutation")
_COLUMNS = ("mutants", "killed", TIMEOUT, BROKEN, SURVIVED, UNREACHED)


Change = tuple[str, str, str]


def _place(mutant: Mutant) -> str:
    return str(mutant.path.relative_to(Path.cwd()))


def _change(mutant: Mutant) -> Change:
    return _place(mutant), mutant.function, mutant.change(mutant.source())


def _say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")
    sys.stdout.flush()


class Results:
    """What became of the mutants: a line of JSON for each, and what is printed."""

    def __init__(self, out: Path, total: int) -> None:
        out.parent.mkdir(parents=True, exist_ok=True)
        self._out, self._total, self._count = out.open("w"), total, 0
        self._words: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, mutant: Mutant, outcome: str) -> None:
        """Note an outcome; print a mutant that no test noticed."""
        word = outcome if outcome in _COLUMNS else "killed"
        path = _place(mutant)
        change = mutant.change(mutant.source()) if word != "killed" else ""
        where = {"file": path, "line": mutant.line, "function": mutant.function}
        self._out.write(json.dumps({**where, "change": change, "outcome": outcome}) + "\n")
        self._out.flush()
        self._words[path].update(["mutants", word])
        self._count += 1
        if word in (SURVIVED, UNREACHED):
            _say(f"{path}:{mutant.line} {mutant.function} [{word}]\n{change}")
        elif self._count % 100 == 0:
            _say(f"{self._count} of {self._total}")

    def table(self) -> str:
        """Write the counts by file."""
        rows = [*sorted(self._words.items()), ("all", sum(self._words.values(), Counter()))]
        head = f"{'file':<42}" + "".join(f"{name:>12}" for name in _COLUMNS)
        return "\n".join(
            [
                head,
                *(
                    f"{path:<42}" + "".join(f"{words[n]:>12}" for n in _COLUMNS)
                    for path, words in rows
                ),
            ]
        )


def main(arguments: Sequence[str]) -> int:
    """Try the mutants; give pytest's exit code, and 1 where something was not noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("path", nargs="*", type=Path, default=[_ROOM], help="files or folders")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--constants", choices=("too", "only"), help="changes outside of functions")
    parser.add_argument("--again", type=Path, help="only what survived, by an earlier --out")
    parser.add_argument("--out", type=Path, default=Path("build/mutants.jsonl"))
    chosen = parser.parse_args(arguments)
    quick, slow = _mutants(chosen.path, _survivors(chosen.again) if chosen.again else None)
    quick = [] if chosen.constants == "only" else quick
    slow = slow if chosen.constants else []
    results = Results(chosen.out, len(quick) + len(slow))
    try_fresh(slow, _TESTS, _OPTIONS, chosen.jobs, results.add)
    trials = Trials(quick, _ROOM.resolve(), chosen.jobs, results.add)
    code = pytest.main([str(_TESTS), *_OPTIONS], plugins=[trials]) if quick else 0
    _say(results.table())
    return int(code)


def _survivors(told: Path) -> set[Change]:
    lines = [json.loads(line) for line in told.read_text().splitlines()]
    words = (SURVIVED, UNREACHED)
    return {
        (line["file"], line["function"], line["change"])
        for line in lines
        if line["outcome"] in words
    }


def _mutants(
    paths: Sequence[Path], wanted: set[Change] | None
) -> tuple[list[Mutant], list[Mutant]]:
    """Make the mutants: those of functions, and those of what is there once a file is loaded."""
    files = [
        f for path in paths for f in ([path] if path.is_file() else sorted(path.rglob("*.py")))
    ]
    mutants = [mutant for file in files for mutant in mutants_of(file.resolve())]
    if wanted is not None:
        places = {place for place, _, _ in wanted}
        mutants = [m for m in mutants if _place(m) in places and _change(m) in wanted]
    loading = called_by_loading(_ROOM.resolve())
    quick = [m for m in mutants if m.function and m.place not in loading]
    chosen = set(quick)
    return quick, [m for m in mutants if m not in chosen]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
