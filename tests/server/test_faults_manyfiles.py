"""100,000 scan files change at once: decisions go on in time, by the old ones or by the new ones."""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.documents import put, scan
from tests.server.running import RunningServer, recorded

COUNT = 100_000
IMAGE = "registry.example.com/team/notebook:1"
# Each takes some 0.1 ms to read, and a busy machine gives the reader less than half of a processor.
LOADED_SECONDS = 90
# A webhook has seconds; without the change it is a few ms, and the longest pause of a look some 0.2 s.
USUAL_SECONDS, LONGEST_SECONDS = 0.25, 1.5


@pytest.fixture
def home() -> Iterator[Path]:
    """In memory: disks differ, and their time is not what is measured."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="nbgate-", dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


def write_many(folder: Path) -> None:
    """Write that many scans, each of an image of its own; that of IMAGE fails, and comes somewhere among them."""
    folder.mkdir()
    text = json.dumps(scan("registry.example.com/many/0000000:1", name="many-0000000", digit="0"))
    for number in range(COUNT - 1):
        data = text.replace("0000000", f"{number:07}").encode()
        descriptor = os.open(folder / f"{number}.json", os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(descriptor, data)
        os.close(descriptor)
    put(folder / "image.json", scan(IMAGE, digit="b", failing=("uid-1000",)))


def test_a_hundred_thousand_files_that_change_at_once_delay_no_decision(home: Path) -> None:
    put(home / "few" / "image.json", scan(IMAGE, digit="b"))
    write_many(home / "many")
    (home / "scans").symlink_to("few")
    review = recorded("create-pods")
    review["request"]["object"]["spec"]["containers"][0]["image"] = IMAGE
    with RunningServer(home, "--scans", str(home / "scans"), "--audit-log", "none") as server:
        first = ask(server, review)
        point_at(home / "scans", "many")
        seconds, answers = ask_until_it_changes(server, review)
        assert answers == {first, ask(server, review)}
        assert "[uid-1000]" in ask(server, review)
        assert loaded(server) == COUNT
        seconds.sort()
        assert seconds[int(0.99 * len(seconds))] < USUAL_SECONDS
        assert seconds[-1] < LONGEST_SECONDS
        # and all but one are gone at once
        point_at(home / "scans", "few")
        ask_until_it_changes(server, review)
        assert ask(server, review) == first
        assert loaded(server) == 1


def point_at(link: Path, target: str) -> None:
    fresh = link.with_name("fresh")
    fresh.symlink_to(target)
    fresh.replace(link)


def ask(server: RunningServer, review: dict[str, object]) -> str:
    """What is wrong with the image; the pod itself lacks what nbgate would have patched."""
    return str(server.review("validate", review).get("status", {}).get("message", ""))


def ask_until_it_changes(
    server: RunningServer, review: dict[str, object]
) -> tuple[list[float], set[str]]:
    """Ask without pause; give how long each answer took, and all of them."""
    seconds: list[float] = []
    answers: set[str] = set()
    deadline = time.monotonic() + LOADED_SECONDS
    while len(answers) < 2:
        assert time.monotonic() < deadline, "the change does not count"
        started = time.monotonic()
        answers.add(ask(server, review))
        seconds.append(time.monotonic() - started)
        time.sleep(0.002)
    return seconds, answers


def loaded(server: RunningServer) -> int:
    lines = server.client.get("/metrics").text.splitlines()
    return int(sum(float(line.split()[-1]) for line in lines if line.startswith("nbgate_scans{")))
