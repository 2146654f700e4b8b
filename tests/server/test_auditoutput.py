"""Standard output gets every record that it can take, and never stops the server."""

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.server.refusals import a_record
from tests.server.writing import ended, in_threads
from webhook.server.auditoutput import PATIENCE_SECONDS, StandardOutput


@dataclass
class Pipe:
    """A pipe, and what the sink that writes to it reports."""

    reading: int
    writing: int
    told: list[str] = field(default_factory=list)

    def fileno(self) -> int:
        return self.writing

    def sink(self) -> StandardOutput:
        return StandardOutput(self, self.told.append)

    def fill(self) -> None:
        """Write until nothing more fits, as if its reader stood still."""
        os.set_blocking(self.writing, False)
        for size in (65536, 1):
            try:
                while True:
                    os.write(self.writing, b"\n" * size)
            except BlockingIOError:
                pass
        os.set_blocking(self.writing, True)

    def lines(self) -> list[bytes]:
        """Close the writing end and read the rest."""
        os.close(self.writing)
        with os.fdopen(os.dup(self.reading), "rb") as reader:
            return [line for line in reader.read().split(b"\n") if line]


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe(*os.pipe())
    yield made
    for descriptor in (made.reading, made.writing):
        try:
            os.close(descriptor)
        except OSError:  # the test closed it
            continue


def append(sink: StandardOutput, uid: str) -> None:
    sink.append(a_record(uid=uid), durable=True)


def healthy(sink: StandardOutput) -> bool:
    return sink.condition.ok


def test_a_record_is_there_at_once_as_one_line(pipe: Pipe) -> None:
    record = a_record()
    pipe.sink().append(record, durable=False)
    written = os.read(pipe.reading, 65536)
    assert written.endswith(b"\n")
    assert json.loads(written) == record


def test_threads_do_not_mix_their_lines(pipe: Pipe) -> None:
    sink, lines = pipe.sink(), list[bytes]()

    def read(_: int) -> None:
        with os.fdopen(os.dup(pipe.reading), "rb") as reader:
            lines.extend(reader)

    def write(number: int) -> None:
        for step in range(200):
            append(sink, f"{number}-{step}")

    reader = in_threads(1, read)
    ended(in_threads(4, write))
    os.close(pipe.writing)
    ended(reader)
    assert sorted(json.loads(line)["uid"] for line in lines) == sorted(
        f"{n}-{s}" for n in range(4) for s in range(200)
    )
    assert pipe.told == []


def test_a_reader_that_went_away_is_reported_once_and_nothing_else_happens(pipe: Pipe) -> None:
    sink = pipe.sink()
    os.close(pipe.reading)
    for number in range(5):
        append(sink, str(number))
    assert len(pipe.told) == 1
    assert "Broken pipe" in pipe.told[0]
    assert not healthy(sink)
    assert sink.condition.message.endswith("records left out: 5")


@pytest.mark.parametrize("closed", ["stream", "from the start", "descriptor"])
def test_a_closed_standard_output_is_reported_once(pipe: Pipe, closed: str) -> None:
    stream = os.fdopen(os.dup(pipe.writing), "w")
    os.close(pipe.writing)
    stream.close()
    streams = {"stream": stream, "from the start": None, "descriptor": pipe}
    sink = StandardOutput(streams[closed], pipe.told.append)
    append(sink, "1")
    append(sink, "2")
    assert len(pipe.told) == 1
    assert "closed" in pipe.told[0] or "Bad file descriptor" in pipe.told[0]


def test_a_reader_that_stands_still_holds_up_one_request_for_a_second(pipe: Pipe) -> None:
    sink = pipe.sink()
    pipe.fill()
    begun = time.monotonic()
    append(sink, "1")
    first = time.monotonic() - begun
    for number in range(100):
        append(sink, str(number))
    assert PATIENCE_SECONDS * 0.9 < first < PATIENCE_SECONDS * 3
    assert time.monotonic() - begun - first < PATIENCE_SECONDS, "the others did not wait"
    assert len(pipe.told) == 1
    assert "nobody reads it" in pipe.told[0]


def test_when_it_is_read_again_writing_goes_on_and_says_how_many_are_missing(pipe: Pipe) -> None:
    sink = pipe.sink()
    pipe.fill()
    append(sink, "lost")
    append(sink, "lost too")
    os.read(pipe.reading, 1 << 20)
    append(sink, "again")
    assert healthy(sink)
    assert len(pipe.told) == 2
    assert pipe.told[1].endswith("audit records left out: 2")
    assert [json.loads(line)["uid"] for line in pipe.lines()] == ["again"]


def test_a_short_pause_of_the_reader_loses_nothing(pipe: Pipe) -> None:
    sink = pipe.sink()
    pipe.fill()
    reader = threading.Timer(0.1, os.read, (pipe.reading, 1 << 20))
    reader.start()
    append(sink, "kept")
    reader.join()
    assert pipe.told == []
    assert [json.loads(line)["uid"] for line in pipe.lines()] == ["kept"]


def test_a_line_that_was_cut_is_closed_before_the_next_one(pipe: Pipe) -> None:
    """A descriptor that another program made non-blocking takes a part of a long line."""
    sink = pipe.sink()
    os.set_blocking(pipe.writing, False)
    long = {"violations": [{"message": "x" * 500}] * 100}
    sink.append(long, durable=False)
    sink.append(long, durable=False)
    assert len(pipe.told) == 1
    cut_off = os.read(pipe.reading, 1 << 20)
    assert not cut_off.endswith(b"\n")
    append(sink, "whole")
    lines = (cut_off + os.read(pipe.reading, 1 << 20)).splitlines()
    assert json.loads(lines[-1])["uid"] == "whole"


def test_a_file_takes_records_too(tmp_path: Path) -> None:
    told: list[str] = []
    with (tmp_path / "out").open("a") as stream:
        append(StandardOutput(stream, told.append), "1")
    assert json.loads((tmp_path / "out").read_bytes())["uid"] == "1"
    assert told == []
