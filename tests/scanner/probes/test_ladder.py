from __future__ import annotations

import pytest

from webhook.scanner.errors import ProbeError
from webhook.scanner.probes.ladder import climb
from webhook.scanner.probes.observation import Ending, Observation, Run

Start = tuple[bool, bool]
FIRST, SECOND, THIRD, AGAIN = (True, True), (True, False), (False, False), (True, False)


class Runtime:
    """A runtime in which starts end as told; every other one answers."""

    def __init__(self, endings: dict[Start, Ending]) -> None:
        self.endings = endings
        self.starts: list[Start] = []

    def run(self, *, home: bool, confined: bool) -> Run:
        self.starts.append((home, confined))
        ending = self.endings.get((home, confined), "answered")
        return Run(home=home, confined=confined, ending=ending)


@pytest.mark.parametrize(
    ("endings", "starts"),
    [
        ({}, [FIRST]),
        ({FIRST: "exited"}, [FIRST, SECOND]),
        ({FIRST: "silent"}, [FIRST, SECOND]),
        ({FIRST: "exited", SECOND: "exited"}, [FIRST, SECOND, THIRD]),
        ({FIRST: "silent", SECOND: "silent", THIRD: "silent"}, [FIRST, SECOND, THIRD]),
        # One that was only slow with the volume gets another chance with it.
        ({FIRST: "silent", SECOND: "silent"}, [FIRST, SECOND, THIRD, AGAIN]),
        ({FIRST: "silent", SECOND: "exited"}, [FIRST, SECOND, THIRD]),
        # Without privileges a program is still there, but in the home it may be hidden.
        ({FIRST: "refused"}, [FIRST, THIRD]),
        ({FIRST: "refused", THIRD: "refused"}, [FIRST, THIRD]),
    ],
)
def test_each_start_follows_only_where_those_before_left_something_open(
    endings: dict[Start, Ending], starts: list[Start]
) -> None:
    runtime = Runtime(endings)
    observation = climb(runtime)
    assert runtime.starts == starts
    assert [(run.home, run.confined) for run in observation.runs] == starts
    assert [run.ending for run in observation.runs] == [
        endings.get(start, "answered") for start in starts
    ]


def test_the_run_that_answered_is_found_in_whatever_place() -> None:
    observation = climb(Runtime({FIRST: "exited", SECOND: "exited"}))
    assert observation.answered is observation.runs[2]


def test_an_answer_with_the_volume_counts_before_one_without_it() -> None:
    runs = [Run(home=home, confined=False, ending="answered") for home in (False, True)]
    assert Observation(runs=tuple(runs)).answered is runs[1]


def test_a_runtime_that_is_broken_ends_the_climb() -> None:
    class Broken:
        def run(self, *, home: bool, confined: bool) -> Run:
            raise ProbeError(f"no {home} {confined}")

    with pytest.raises(ProbeError):
        climb(Broken())
