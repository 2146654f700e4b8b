"""How the findings are printed."""

from __future__ import annotations

import io

from rich.console import Console

from webhook.cli.doctortable import print_examined
from webhook.doctor.check import Check
from webhook.doctor.examination import Examined
from webhook.doctor.finding import Finding, ok, warning, worst, wrong

CURE = (
    "kubectl -n nbgate-system get pods -l app.kubernetes.io/component=webhook -o wide --show-labels"
)


def examined(name: str, *findings: Finding) -> Examined:
    return Examined(Check(id=name, why="Because.", look=lambda _: ()), findings)


def printed(*found: Examined, width: int = 10_000, terminal: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        force_terminal=terminal,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=True,
    )
    print_examined(console, found)
    return out.getvalue()


def test_a_command_stands_whole_on_a_line_of_its_own_however_narrow_the_terminal() -> None:
    lines = printed(examined("service", wrong("leads nowhere", "service/nbgate", CURE)), width=60)
    assert [line for line in lines.splitlines() if CURE in line]


def test_one_command_for_several_findings_stands_once_below_the_last() -> None:
    text = printed(examined("definitions", wrong("one", cure=CURE), wrong("two", cure=CURE)))
    assert text.count(CURE) == 1
    assert text.index("two") < text.index(CURE)


def test_the_end_counts_the_checks() -> None:
    text = printed(examined("a", ok("fine")), examined("b", warning("hm"), wrong("no")))
    assert text.splitlines()[-1] == "2 checks: 1 ok, 1 wrong"


def test_what_others_wrote_reaches_no_terminal_as_a_control_sequence() -> None:
    text = printed(examined("a", wrong("\x1b[2J[bold]x", "pod/\x1b", "echo \x1b")))
    assert "\x1b" not in text
    assert "[bold]x" in text


def test_colours_stand_on_a_terminal_only() -> None:
    found = examined("a", wrong("no"))
    assert "\x1b[" in printed(found, terminal=True)
    assert "\x1b[" not in printed(found)


def test_the_worst_counts() -> None:
    assert worst(["ok", "warning", "unknown", "wrong"]) == "wrong"
    assert worst(["warning", "unknown"]) == "unknown"
    assert worst([]) == "ok"
