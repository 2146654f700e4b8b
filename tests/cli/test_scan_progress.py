"""What is seen while images are scanned: a bar each on a terminal, a line each in a log."""

import io
import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from webhook.cli.scanprogress import Bars, Lines, bars_on, watching


@pytest.fixture
def out() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def bars(out: io.StringIO) -> Bars:
    """Make bars that are drawn only when they are asked for."""
    return Bars(bars_on(Console(file=out, force_terminal=True, width=80), auto_refresh=False))


def shown(bars: Bars, out: io.StringIO) -> str:
    """Draw the bars of now, as lines of text."""
    before = len(out.getvalue())
    console = Console(file=out, width=80)
    console.print(bars.drawn())
    return out.getvalue()[before:]


def test_a_bar_has_the_image_the_bytes_and_what_is_done(bars: Bars, out: io.StringIO) -> None:
    with bars.watch("quay.io/team/nb:1") as progress:
        assert "resolving" in shown(bars, out)
        progress.stage("reading linux/amd64")
        progress.expect(30_000_000)
        progress.expect(-10_000_000)
        progress.advance(5_000_000)
        line = shown(bars, out)
        assert "quay.io/team/nb:1" in line
        assert "5.0/20.0 MB" in line
        assert "reading linux/amd64" in line
    assert shown(bars, out).strip() == ""


def test_each_image_has_a_bar_of_its_own_for_as_long_as_it_is_scanned(
    bars: Bars, out: io.StringIO
) -> None:
    with bars.watch("a:1"):
        with bars.watch("b:1"):
            assert len(shown(bars, out).splitlines()) == 2
        assert len(shown(bars, out).splitlines()) == 1


def test_a_bar_goes_when_its_scan_fails(bars: Bars, out: io.StringIO) -> None:
    with pytest.raises(ValueError, match="bad"), bars.watch("a:1"):
        raise ValueError("bad")
    assert shown(bars, out).strip() == ""


def test_a_bar_fits_eighty_columns_and_keeps_the_end_of_the_name(
    bars: Bars, out: io.StringIO
) -> None:
    with bars.watch(f"registry.example.com/{'long/' * 20}name:v1") as progress:
        progress.stage("waiting for the server, which takes its time to get ready")
        progress.expect(12_345_678_901)
        progress.advance(1_234_567_890)
        (line,) = shown(bars, out).splitlines()
        assert len(line) <= 80
        assert "name:v1" in line


def test_what_strangers_wrote_is_neither_markup_nor_control(bars: Bars, out: io.StringIO) -> None:
    with bars.watch("a:1") as progress:
        progress.stage("[bold]x[/] \x1b[2J")
        line = shown(bars, out)
        assert "[bold]x[/] ?[2J" in line


def test_what_is_said_stands_above_the_bars(bars: Bars, out: io.StringIO) -> None:
    bars.say("a:1: [odd] failed")
    assert out.getvalue() == "nbgate: a:1: [odd] failed\n"


def test_in_a_log_each_image_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(2)
    for name in ("a:1", "b:1"):
        with lines.watch(name) as progress:
            progress.stage("reading layers")
            progress.expect(10)
            progress.advance(10)
    assert capsys.readouterr().err.splitlines() == [
        "nbgate: scanning a:1 (1 of 2)",
        "nbgate: scanning b:1 (2 of 2)",
    ]


@contextmanager
def standard_error_on_a_terminal() -> Iterator[None]:
    ours, theirs = pty.openpty()
    before = sys.stderr
    try:
        with open(theirs, "w") as sys.stderr:  # noqa: PTH123 - a descriptor is no path
            yield
    finally:
        sys.stderr = before
        os.close(ours)


def chosen(**environment: str) -> type[Lines | Bars]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with watching(1) as watcher:
            return type(watcher)
    finally:
        os.environ.clear()
        os.environ.update(before)


def test_bars_are_for_terminals_that_can_move_their_cursor() -> None:
    with standard_error_on_a_terminal():
        assert chosen(TERM="xterm") is Bars
        assert chosen(TERM="dumb") is Lines
    assert chosen(TERM="xterm", FORCE_COLOR="1") is Lines
