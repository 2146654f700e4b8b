"""A pytest plugin that tries mutants in place of running the tests once.

Each mutant gets a child of the process that has collected the tests and run none. There the changed code is put into
the functions that are loaded, and the tests that reach them run until one fails, the likeliest first: those that found
out the function's last mutants, then the quickest that reach little else.
"""

import functools
import gc
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import CodeType, FrameType, FunctionType
from typing import Any

import pytest

from tests.mutation.child import Children
from tests.mutation.mutants import Mutant

# What becomes of a mutant is told by one of these words, or by the id of the test that failed.
SURVIVED, UNREACHED, TIMEOUT, BROKEN = "survived", "not reached", "timeout", "broken"
Report = Callable[[Mutant, str], None]


class Trials:
    """The plugin; `report` is told of every mutant as soon as it is tried."""

    def __init__(self, mutants: Sequence[Mutant], room: Path, jobs: int, report: Report) -> None:
        self._mutants, self._room, self._jobs, self._report = mutants, room, jobs, report
        self._failed = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a test failed."""
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Try every mutant, instead of what pytest would do."""
        gc.collect()
        self._loaded = _Loaded(self._room)
        gc.freeze()
        order = _Order(*self._look(session.items))
        children, running = Children(self._jobs), dict[int, Mutant]()
        for mutant in self._mutants:
            if children.full:
                self._end(children, running, order)
            tests, work = order.of(mutant), self._trial(session.items, order.of(mutant), mutant)
            running[children.begin(work, order.seconds(tests))] = mutant
        while children:
            self._end(children, running, order)
        return True

    def _end(self, children: Children, running: dict[int, Mutant], order: "_Order") -> None:
        ended = children.end()
        mutant = running.pop(ended.pid)
        if ended.told.isdigit():
            order.noticed(mutant, int(ended.told))
        self._report(mutant, self._word(ended.told, ended.early))

    def _word(self, told: str, early: str) -> str:
        if early:
            return BROKEN if early == "failed" else TIMEOUT
        return self._ids[int(told)] if told.isdigit() else told

    def _trial(
        self, items: Sequence[pytest.Item], tests: Sequence[int], mutant: Mutant
    ) -> Callable[[], str]:
        def trial() -> str:
            self._loaded.put(mutant)
            for index in tests:
                self._run(items[index])
                if self._failed:
                    return str(index)
            return SURVIVED if tests else UNREACHED

        return trial

    def _run(self, item: pytest.Item) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def _look(self, items: Sequence[pytest.Item]) -> tuple[dict[str, list[int]], list[float]]:
        """Run each test once, in a child; tell which tests reach a function, and the seconds that each takes."""
        self._ids = [item.nodeid for item in items]
        children = Children(1)
        children.begin(lambda: json.dumps([self._reached(item) for item in items]), 3600)
        ended = children.end()
        if ended.early:
            raise pytest.UsageError("the tests fail without any mutant: run them first")
        reach: dict[str, list[int]] = defaultdict(list)
        seconds = []
        for index, (took, places) in enumerate(json.loads(ended.told)):
            seconds.append(took)
            for place in places:
                reach[place].append(index)
        return reach, seconds

    def _reached(self, item: pytest.Item) -> tuple[float, list[str]]:
        self._loaded.forget()
        seen: set[CodeType] = set()

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                seen.add(frame.f_code)

        begun = time.perf_counter()
        sys.setprofile(note)
        self._run(item)
        sys.setprofile(None)
        if self._failed:
            raise RuntimeError(item.nodeid)
        return time.perf_counter() - begun, sorted(places_of(seen, self._room))


def places_of(codes: Iterable[CodeType], room: Path) -> set[str]:
    """Name the functions that this code is of, in the files below `room`."""
    return {
        f"{code.co_filename}:{code.co_qualname.partition('.<locals>')[0]}"
        for code in codes
        if Path(code.co_filename).is_relative_to(room)
    }


class _Order:
    """Which tests to run on a mutant, in which order, and how long they may take."""

    def __init__(self, reach: dict[str, list[int]], seconds: Sequence[float]) -> None:
        self._reach, self._seconds = reach, seconds
        self._noticed: dict[str, dict[int, None]] = defaultdict(dict)
        breadth: dict[int, int] = defaultdict(int)
        for indexes in reach.values():
            for index in indexes:
                breadth[index] += 1
        self._cost = {index: (seconds[index] + 0.001) * count for index, count in breadth.items()}

    def of(self, mutant: Mutant) -> list[int]:
        reaching = sorted(self._reach.get(mutant.place, ()), key=self._cost.__getitem__)
        return list(dict.fromkeys([*reversed(self._noticed[mutant.place]), *reaching]))

    def noticed(self, mutant: Mutant, test: int) -> None:
        found = self._noticed[mutant.place]
        found.pop(test, None)
        found[test] = None

    def seconds(self, tests: Iterable[int]) -> int:
        return 6 + int(3 * sum(self._seconds[index] for index in tests))


class _Loaded:
    """The functions and caches of the files below `room`, as they are in memory."""

    def __init__(self, room: Path) -> None:
        self._functions: dict[tuple[str, str], list[FunctionType]] = defaultdict(list)
        self._caches = []
        for found in gc.get_objects():
            if isinstance(found, functools._lru_cache_wrapper):
                self._caches.append(found)
            elif type(found) is FunctionType and found.__code__.co_filename.startswith(str(room)):
                code = found.__code__
                self._functions[code.co_filename, code.co_qualname].append(found)

    def put(self, mutant: Mutant) -> None:
        for name, code in mutant.codes(mutant.source()).items():
            for function in self._functions[str(mutant.path), name]:
                function.__code__ = code

    def forget(self) -> None:
        for cache in self._caches:
            if _of_room(cache):
                cache.cache_clear()


def _of_room(cache: Any) -> bool:
    return str(getattr(cache, "__module__", "")).startswith("webhook.")
