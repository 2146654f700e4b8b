"""The audit file of a running server is moved, cut, deleted or in the way: no refusal that was answered is lost."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server.load import Load, namespaces_in, under_load
from tests.server.running import RunningServer


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server whose audit log is in a folder of its own."""
    home = tmp_path_factory.mktemp("home")
    with RunningServer(home, "--audit-log", str(home / "audit" / "log.jsonl")) as running:
        yield running


@pytest.fixture
def log(logged: RunningServer) -> Path:
    return logged.home / "audit" / "log.jsonl"


def complaints(server: RunningServer) -> list[str]:
    return [line for line in server.log if '"error"' in line]


def condition(server: RunningServer) -> tuple[str, str]:
    """What /readyz says of the audit log; it never keeps a replica from being ready."""
    ready = server.client.get("/readyz")
    assert ready.status_code == 200
    [found] = [c for c in ready.json()["conditions"] if c["type"] == "AuditLog"]
    return found["status"], found["message"]


def assert_all_recorded(load: Load, kept: list[str], server: RunningServer) -> None:
    """Every refusal that was answered stands in some file; and nobody met an error."""
    assert load.failures == []
    assert set(load.refused) <= set(kept)
    assert condition(server)[0] == "True"


def move_away(log: Path, aside: Path) -> None:
    log.rename(aside)


def move_the_folder_away(log: Path, aside: Path) -> None:
    """As when a volume is mounted over it, or an operator sorts files."""
    log.parent.rename(aside.with_suffix(".folder"))
    aside.symlink_to(aside.with_suffix(".folder") / log.name)


def delete(log: Path, aside: Path) -> None:
    """What stood in it until then is gone with it, and kept aside here through a descriptor."""
    held = os.open(log, os.O_RDONLY)
    log.unlink()
    written = b""
    while part := os.read(held, 1 << 20):
        written += part
    os.close(held)
    # a line that was being written at that moment is written again, into the next file
    aside.write_bytes(written[: written.rfind(b"\n") + 1])


def replace_by_a_link(log: Path, aside: Path) -> None:
    """In one step, as `ln -sfn` does: between two the server would make a file of its own there, rightly."""
    aside.hardlink_to(log.resolve())
    target, link = aside.with_suffix(".elsewhere"), aside.with_suffix(".link")
    target.touch()
    link.symlink_to(target)
    link.replace(log)


@pytest.mark.parametrize("fault", [move_away, move_the_folder_away, delete, replace_by_a_link])
def test_no_answered_refusal_is_lost(
    logged: RunningServer, log: Path, tmp_path: Path, fault: Callable[[Path, Path], None]
) -> None:
    before, name = len(complaints(logged)), fault.__name__
    asides = [tmp_path / f"aside-{number}" for number in range(5)]
    with under_load(logged, name=name) as load:
        for aside in asides:
            fault(log, aside)
            load.await_more()
    kept = namespaces_in([*asides, log])
    assert_all_recorded(load, kept, logged)
    if fault is not delete:  # for the new file repeats what fell into the deleted one
        assert len(set(kept)) == len(kept)
    assert complaints(logged)[before:] == []


def test_after_copytruncate_the_log_goes_on_from_its_start(
    logged: RunningServer, log: Path, tmp_path: Path
) -> None:
    """What comes between copy and cut is lost, as logrotate says of it: so here nothing comes meanwhile."""
    aside = tmp_path / "aside"
    with under_load(logged, name="first") as first:
        pass
    aside.write_bytes(log.read_bytes())
    os.truncate(log, 0)
    with under_load(logged, name="second") as second:
        pass
    assert set(first.refused) <= set(namespaces_in([aside]))
    assert set(second.refused) <= set(namespaces_in([log]))
    assert b"\0" not in log.read_bytes()


def test_something_else_in_the_way_is_told_and_records_go_on_to_the_moved_file(
    logged: RunningServer, log: Path, tmp_path: Path
) -> None:
    """The API server gets each refusal all the while; when the way is free, a new file is begun."""
    aside, folder = tmp_path / "aside", tmp_path / "folder"
    folder.symlink_to(tmp_path)
    with under_load(logged, name="way") as load:
        aside.hardlink_to(log)
        folder.replace(log)
        load.await_more()
        status, message = condition(logged)
        assert (status, "Is a directory" in message) == ("False", True)
        log.unlink()
        load.await_more()
    assert_all_recorded(load, namespaces_in([aside, log]), logged)


def test_a_deleted_file_that_cannot_be_made_again_loses_records_openly(
    logged: RunningServer, log: Path
) -> None:
    """They are counted and told of, stand on standard output, and count in the next record of their kind."""
    with under_load(logged, name="gone") as load:
        load.await_more()
    log.unlink()
    log.mkdir()
    with under_load(logged, clients=1, name="lost") as lost:
        pass
    assert condition(logged)[0] == "False"
    assert "audit record lost" in logged.log[-1]
    failures = logged.client.get("/metrics").text.partition("\nnbgate_audit_failures_total ")[2]
    assert float(failures.split()[0]) >= len(lost.refused)
    assert set(lost.refused) <= set(namespaces_in([logged.home / "stdout"]))
    log.rmdir()
    deadline = time.monotonic() + 5
    while condition(logged)[0] != "True":
        assert time.monotonic() < deadline
    with under_load(logged, clients=1, name="lost") as again:
        again.await_more(len(lost.refused))
    records = [line for line in log.read_text().splitlines() if '"lost-0-1"' in line]
    assert ['"suppressed":1' in line for line in records] == [True]
