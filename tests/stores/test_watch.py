"""The watch goes on whatever happens, and ends when it is told to."""

import threading
import time
from pathlib import Path

import pytest

from tests.stores.samples import IMAGE, as_yaml, policy_document, scan_document
from webhook.core.reference import parse
from webhook.stores.policyfile import PolicyFile
from webhook.stores.scandir import ScanFolder
from webhook.stores.scanfile import write_scan
from webhook.stores.snapshot import FileStore
from webhook.stores.watch import Watcher


class Counted:
    """Something to refresh: counts the calls, works, waits and fails as told."""

    def __init__(self, *, fails: bool = False, works: float = 0.0, waits: float = 0.0) -> None:
        self.calls = 0
        self.fails = fails
        self.works = works
        self.waits = waits
        self.told: list[Exception] = []

    def __call__(self) -> bool:
        self.calls += 1
        time.sleep(self.waits)
        end = time.thread_time() + self.works
        while time.thread_time() < end:
            pass
        if self.fails:
            raise ZeroDivisionError
        return False

    def reached(self, calls: int, *, within: float = 5.0) -> bool:
        return eventually(lambda: self.calls >= calls, within=within)


def eventually(holds: object, *, within: float = 5.0) -> bool:
    assert callable(holds)
    end = time.monotonic() + within
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def test_nothing_runs_before_the_start_or_after_the_stop() -> None:
    counted = Counted()
    threads = threading.active_count()
    watcher = Watcher(counted, counted.told.append, interval=0.01)
    assert (counted.calls, threading.active_count()) == (0, threads)
    watcher.start()
    assert counted.reached(3)
    assert watcher.stop(5)
    calls = counted.calls
    time.sleep(0.05)
    assert (counted.calls, threading.active_count()) == (calls, threads)


def test_an_error_is_told_and_the_calls_go_on() -> None:
    counted = Counted(fails=True)
    watcher = Watcher(counted, counted.told.append, interval=0.01)
    watcher.start()
    assert counted.reached(3)
    assert watcher.stop(5)
    assert len(counted.told) == counted.calls
    assert all(isinstance(error, ZeroDivisionError) for error in counted.told)


def test_an_error_while_telling_an_error_is_shown_and_the_calls_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def tell(error: Exception) -> None:
        raise RuntimeError("nobody listens") from error

    counted = Counted(fails=True)
    watcher = Watcher(counted, tell, interval=0.01)
    watcher.start()
    assert counted.reached(3)
    assert watcher.stop(5)
    assert "nobody listens" in capsys.readouterr().err


def test_a_stop_waits_for_the_call_under_way_only_as_long_as_it_is_told() -> None:
    counted = Counted(waits=0.3)
    watcher = Watcher(counted, counted.told.append)
    watcher.start()
    assert counted.reached(1)
    assert not watcher.stop(0.01)
    assert watcher.alive
    assert watcher.stop(5)
    assert counted.calls == 1


def test_a_stop_does_not_wait_for_the_interval() -> None:
    counted = Counted()
    watcher = Watcher(counted, counted.told.append, interval=60)
    watcher.start()
    assert counted.reached(1)
    started = time.monotonic()
    assert watcher.stop(5)
    assert time.monotonic() - started < 1


def test_calls_that_work_for_long_are_followed_by_longer_rests() -> None:
    counted = Counted(works=0.05)
    watcher = Watcher(counted, counted.told.append, interval=0.01)
    watcher.start()
    time.sleep(0.9)
    watcher.stop(5)
    assert counted.calls <= 3


def test_one_call_that_works_for_long_keeps_nobody_waiting() -> None:
    counted = Counted(works=0.1)
    watcher = Watcher(counted, counted.told.append, interval=0.01)
    watcher.start()
    assert counted.reached(1)
    counted.works = 0.0
    assert counted.reached(4, within=0.7)
    watcher.stop(5)


def test_calls_that_wait_for_long_are_not() -> None:
    counted = Counted(waits=0.2)
    watcher = Watcher(counted, counted.told.append, interval=0.01)
    watcher.start()
    assert counted.reached(3, within=1.5)
    watcher.stop(5)


def test_it_starts_once() -> None:
    watcher = Watcher(Counted(), print)
    watcher.start()
    with pytest.raises(RuntimeError, match="once"):
        watcher.start()
    assert watcher.stop(5)
    assert Watcher(Counted(), print).stop()


@pytest.mark.parametrize("how", ["renamed", "in place"])
def test_a_change_of_scans_and_policy_counts_within_about_a_second(
    tmp_path: Path, how: str
) -> None:
    store = FileStore(ScanFolder(tmp_path), PolicyFile(tmp_path / "policy"), clock=time.monotonic)
    store.refresh()
    told: list[Exception] = []
    watcher = Watcher(store.refresh, told.append)
    watcher.start()
    try:
        if how == "renamed":
            write_scan(tmp_path, scan_document())
        else:
            (tmp_path / "scan.yaml").write_bytes(as_yaml(scan_document()))
        (tmp_path / "policy").write_bytes(as_yaml(policy_document("mine")))
        started = time.monotonic()
        assert eventually(lambda: store.current.scans.find(parse(IMAGE)).scan is not None)
        assert eventually(lambda: store.current.policy.metadata.name == "mine")
        assert time.monotonic() - started < 2  # two intervals, and a slow machine
    finally:
        watcher.stop(5)
    assert not told
