from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.scanner.probes.servers import (
    Direct,
    Headers,
    http_server,
    raw_server,
    sends,
)
from webhook.scanner.probes.listening import Listener
from webhook.scanner.probes.observation import Run
from webhook.scanner.probes.waiting import Clock, Patience, Started, watch

PREFIX = "/notebook/nbgate-probe/p1"
PATIENCE = Patience(timeout=30, settle=5, interval=0.5)


@dataclass
class Time:
    """A clock that goes only while somebody sleeps."""

    now: float = 100.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Program:
    """A started program on a real port, that ends at a time of the clock."""

    connector: Direct
    time: Time
    ends: float = float("inf")
    listeners: Sequence[Listener] = ()
    words: tuple[str, ...] = ("its last words",)
    why: str = ""
    opens: float = 0.0

    def connect(self, timeout: float) -> socket.socket:
        if self.time.now < self.opens:
            raise ConnectionRefusedError(111, "Connection refused")
        return self.connector.connect(timeout)

    def exited(self) -> bool:
        return self.time.now >= self.ends

    def ending(self) -> tuple[int | None, str]:
        return 3, self.why

    def listening(self) -> Sequence[Listener]:
        return self.listeners

    def log(self) -> tuple[str, ...]:
        return self.words


@dataclass
class Watched:
    time: Time = field(default_factory=Time)

    def run(self, program: Started, patience: Patience = PATIENCE) -> Run:
        clock = Clock(now=lambda: self.time.now, sleep=self.time.sleep)
        return watch(program, PREFIX, patience, home=True, confined=False, clock=clock)


def served(
    answer: Callable[[float, str], int], ends: float = 1e9, opens: float = 0
) -> tuple[Run, float]:
    """Watch a server whose status depends on the seconds since its start and the path; with them the time it took."""
    watched = Watched()
    begin = watched.time.now

    def respond(path: str, _: Mapping[str, str]) -> tuple[int, Headers]:
        return answer(watched.time.now - begin, path), []

    with http_server(respond) as server:
        program = Program(server, watched.time, ends=begin + ends, opens=begin + opens)
        run = watched.run(program)
    return run, watched.time.now - begin


def nowhere() -> Direct:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return Direct(taken.getsockname()[1])


def test_a_good_answer_ends_the_wait_at_once_and_the_other_pages_are_asked_for() -> None:
    run, took = served(lambda _, path: 200 if path.startswith(PREFIX) else 404)
    assert took == 0
    assert run.ending == "answered"
    assert run.prefix is not None
    assert run.prefix.good
    assert run.root is not None
    assert run.rewritten is not None
    assert (run.root.status, run.rewritten.status) == (404, 404)
    assert (run.home, run.confined, run.exit_code, run.reason) == (True, False, None, "")
    assert run.log == ("its last words",)


def test_a_server_that_opens_late_is_waited_for_and_its_time_told() -> None:
    run, took = served(lambda *_: 200, opens=12)
    assert (run.ending, run.seconds, took) == ("answered", 12, 12)


def test_an_answer_that_is_not_good_counts_once_it_has_stayed_the_same() -> None:
    run, took = served(lambda _, path: 200 if path == "/" else 404)
    assert (run.ending, took) == ("answered", 5)
    assert run.prefix is not None
    assert run.root is not None
    assert (run.prefix.status, run.root.status) == (404, 200)


def test_a_server_that_answers_is_asked_less_often() -> None:
    asked: list[tuple[float, str]] = []

    def answer(seconds: float, path: str) -> int:
        asked.append((seconds, path))
        return 404

    served(answer)
    assert [seconds for seconds, path in asked if path == f"{PREFIX}/"] == [0, 1, 2, 3, 4, 5]


def test_a_server_that_answers_404_while_it_starts_is_not_judged_by_that() -> None:
    run, took = served(lambda seconds, _: 404 if seconds < 4 else 200)
    assert run.prefix is not None
    assert (run.prefix.status, took) == (200, 4)


def test_an_answer_that_changes_starts_the_settling_anew() -> None:
    run, took = served(lambda seconds, _: 404 if seconds < 4 else 401)
    assert run.prefix is not None
    assert (run.prefix.status, took) == (401, 9)


def test_5xx_is_waited_on_until_it_gets_better() -> None:
    run, took = served(lambda seconds, _: 503 if seconds < 20 else 200)
    assert run.prefix is not None
    assert (run.prefix.status, took) == (200, 20)


def test_5xx_is_waited_on_until_time_is_up_and_is_then_the_answer() -> None:
    run, took = served(lambda *_: 503)
    assert run.prefix is not None
    assert (run.ending, run.prefix.status, took) == ("answered", 503, 30)


def test_nothing_at_all_is_silent_when_time_is_up() -> None:
    watched = Watched()
    listeners = (Listener(port=9999, loopback=False), Listener(port=80, loopback=True))
    run = watched.run(Program(nowhere(), watched.time, listeners=listeners))
    assert (run.ending, run.seconds) == ("silent", 30)
    assert (run.prefix, run.root, run.rewritten) == (None, None, None)
    assert (run.listening, run.loopback, run.reason) == ((80, 9999), False, "")


def test_a_port_that_takes_connections_and_speaks_no_http_is_silent_and_told() -> None:
    watched = Watched()
    with raw_server(sends(b"SSH-2.0-OpenSSH_9.2\r\n")) as server:
        run = watched.run(Program(server, watched.time))
    assert (run.ending, run.seconds) == ("silent", 30)
    assert run.reason.startswith("8888 takes connections, but what it sends is not HTTP")
    assert len(run.reason) <= 200


def test_a_server_for_its_own_machine_only_is_not_waited_for_to_the_end() -> None:
    watched = Watched()
    listeners = (Listener(port=8888, loopback=True),)
    run = watched.run(Program(nowhere(), watched.time, listeners=listeners))
    assert (run.ending, run.seconds, run.loopback) == ("silent", 5, True)


def test_a_process_that_ends_is_not_waited_for() -> None:
    watched = Watched()
    run = watched.run(Program(nowhere(), watched.time, ends=107, why="out of memory"))
    assert (run.ending, run.exit_code, run.reason) == ("exited", 3, "out of memory")
    assert run.seconds == 7
    assert run.log == ("its last words",)


def test_a_process_that_ends_before_its_answers_have_settled_has_exited() -> None:
    run, took = served(lambda *_: 404, ends=3)
    assert (run.ending, run.exit_code, took) == ("exited", 3, 3)


def test_an_answer_on_the_last_look_before_the_end_counts() -> None:
    run, _ = served(lambda *_: 200, ends=0)
    assert run.ending == "answered"


def test_real_time_passes_where_no_clock_is_given() -> None:
    patience = Patience(timeout=0.2, interval=0.01)
    run = watch(Program(nowhere(), Time()), PREFIX, patience, home=True, confined=True)
    assert run.ending == "silent"
    assert 0.2 <= run.seconds < 5
