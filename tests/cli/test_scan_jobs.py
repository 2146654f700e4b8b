"""Many images at once: bounded, none stops another, and a signal ends all in order."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from webhook.cli.scanjobs import Crew, Ended
from webhook.cli.scanwanted import Wanted
from webhook.scanner.errors import Unreachable
from webhook.scanner.progress import Progress, Silent

SECONDS = 10.0  # that a test waits before it fails


class Watching:
    """Notices that something was said, and shows nothing."""

    def __init__(self) -> None:
        self.spoke = threading.Event()

    @contextmanager
    def watch(self, name: str) -> Iterator[Progress]:
        assert name
        yield Silent()

    def say(self, line: str) -> None:
        assert line
        self.spoke.set()


def images(count: int) -> tuple[Wanted, ...]:
    return tuple(Wanted(name=f"team/nb:{number}") for number in range(count))


def run(
    scan: Callable[[Wanted, Progress], str], count: int, jobs: int = 2
) -> tuple[Crew[str], dict[str, Ended[str]]]:
    crew = Crew(scan, Watching())
    return crew, {ended.wanted.name: ended for ended in crew.run(images(count), jobs)}


def test_every_image_is_scanned_once() -> None:
    crew, ended = run(lambda wanted, _: wanted.name, 9, jobs=3)
    assert {name: one.result for name, one in ended.items()} == {
        wanted.name: wanted.name for wanted in images(9)
    }
    assert crew.stopped_by is None


@pytest.mark.parametrize("jobs", [1, 3])
def test_so_many_at_a_time_and_no_more(jobs: int) -> None:
    together = threading.Barrier(jobs)
    now, most, lock = [0], [0], threading.Lock()

    def scan(_wanted: Wanted, _progress: Progress) -> str:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait(SECONDS)
        with lock:
            now[0] -= 1
        return ""

    run(scan, 2 * jobs, jobs)
    assert most == [jobs]


def test_one_that_fails_stops_no_other() -> None:
    def scan(wanted: Wanted, _progress: Progress) -> str:
        if wanted.name.endswith("0"):
            raise Unreachable("registry.example.com: no answer\x1b[2J: try again")
        if wanted.name.endswith("1"):
            raise KeyError("a fault of ours")
        return "fine"

    _, ended = run(scan, 4)
    assert [one.result for _, one in sorted(ended.items())] == [None, None, "fine", "fine"]
    assert ended["team/nb:0"].problem == "registry.example.com: no answer?[2J: try again"
    assert ended["team/nb:1"].problem == (
        "internal error, please report it: KeyError: 'a fault of ours'"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_unwinds_what_runs_and_begins_nothing_more(number: signal.Signals) -> None:
    begun: list[str] = []
    cleaned: list[str] = []
    pause = threading.Event()

    def scan(wanted: Wanted, progress: Progress) -> str:
        begun.append(wanted.name)
        if wanted.name == "team/nb:0":
            return "done before"
        try:
            os.kill(os.getpid(), number)
            while True:
                progress.stage("waiting for the server")
                pause.wait(0.01)
        finally:
            progress.stage("removing the container")
            cleaned.append(wanted.name)

    handler = signal.getsignal(number)
    crew, ended = run(scan, 5, jobs=1)
    assert crew.stopped_by == number
    assert [one.result for one in ended.values()] == ["done before"]
    assert begun == ["team/nb:0", "team/nb:1"]
    assert cleaned == ["team/nb:1"]
    assert signal.getsignal(number) is handler


def test_after_a_signal_nothing_begins_though_what_ran_ended_well() -> None:
    begun: list[str] = []
    watching = Watching()

    def scan(wanted: Wanted, _progress: Progress) -> str:
        begun.append(wanted.name)
        os.kill(os.getpid(), signal.SIGTERM)
        assert watching.spoke.wait(SECONDS)
        return "done"

    ended = list(Crew(scan, watching).run(images(3), 1))
    assert [one.result for one in ended] == ["done"]
    assert begun == ["team/nb:0"]


def test_no_handler_of_errors_takes_the_unwinding_for_an_error_of_the_image() -> None:
    def scan(_wanted: Wanted, progress: Progress) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            try:
                progress.advance(1)
            except Exception as error:
                raise AssertionError from error

    crew, ended = run(scan, 1)
    assert (crew.stopped_by, ended) == (signal.SIGTERM, {})


def test_a_second_signal_waits_for_nothing() -> None:
    hang = threading.Event()
    watching = Watching()

    def scan(_wanted: Wanted, _progress: Progress) -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        assert watching.spoke.wait(SECONDS)  # the first was taken
        os.kill(os.getpid(), signal.SIGINT)
        hang.wait(SECONDS)
        return ""

    crew = Crew(scan, watching)
    began = time.monotonic()
    assert list(crew.run(images(1), 1)) == []
    assert time.monotonic() - began < SECONDS / 2
    hang.set()
    assert crew.stopped_by == signal.SIGTERM


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:

        def scan(_wanted: Wanted, progress: Progress) -> str:
            os.kill(os.getpid(), signal.SIGHUP)
            progress.stage("going on")
            return "done"

        crew, ended = run(scan, 2)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert crew.stopped_by is None
    assert [one.result for one in ended.values()] == ["done", "done"]
