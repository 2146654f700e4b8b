"""What people read of scans: which image fails what, why, and where the cure is."""

import io

from rich.console import Console

from tests.cli.scanning import scanned
from webhook.cli.scantable import Row, print_scans
from webhook.core.requirements import REQUIREMENTS
from webhook.scanner.scanning import NO_PROBE, Scanned

GOOD = scanned("quay.io/team/good:1")
BAD = scanned(
    "quay.io/team/bad:1",
    fails={
        "uid-1000": 'user root has UID 0: add "USER 1000"',
        "allow-origin": "no header: send it",
    },
    unknown={"empty-home": "it answers neither way"},
    serving="Root",
    notes=("it answers at / only",),
    log=("Traceback: oh no", "last words"),
)


def printed(*scans: Scanned, width: int | None = None, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or 10_000,
        force_terminal=width is not None,
        color_system="standard" if colour else None,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
    )
    print_scans(console, [Row(scan.document.spec.image, scan) for scan in scans])
    return out.getvalue()


def lines(*scans: Scanned, width: int | None = None) -> list[str]:
    return [line.rstrip() for line in printed(*scans, width=width).splitlines()]


def test_the_table_has_a_row_for_each_image_and_a_column_for_each_requirement() -> None:
    header, good, bad, *_ = lines(GOOD, BAD)
    assert header.split()[1:8] == ["PORT", "PREFIX", "ORIGIN", "USER", "UID", "HOME", "EMPTY"]
    assert good.split() == ["quay.io/team/good:1", *["pass"] * 7, "Prefix", "Conforms"]
    assert bad.split() == [
        "quay.io/team/bad:1",
        *["pass", "pass", "FAIL", "pass", "FAIL", "pass", "unknown"],
        *["Root", "Violates"],
    ]


def test_an_image_that_passes_everything_is_its_row_and_no_more() -> None:
    assert len(lines(GOOD)) == 2


def test_each_failing_check_has_its_message_and_a_link_to_its_cure() -> None:
    below = lines(GOOD, BAD)[3:]
    assert below[:2] == ["", "quay.io/team/bad:1"]
    assert [line.split(None, 1) for line in below[2:7]] == [
        ["FAIL", "[allow-origin] no header: send it"],
        ["Fix:", below[3].split()[1]],
        ["FAIL", '[uid-1000] user root has UID 0: add "USER 1000"'],
        ["Fix:", below[5].split()[1]],
        ["unknown", "[empty-home] it answers neither way"],
    ]
    assert below[3].endswith("docs/requirements.md#allow-origin")
    assert below[5].endswith("docs/requirements.md#uid-1000")


def test_notes_and_the_last_output_stand_below() -> None:
    below = lines(BAD)[-4:]
    assert [line.split(None, 1) for line in below] == [
        ["note", "it answers at / only"],
        ["log", "its last output where it did not answer:"],
        ["|", "Traceback: oh no"],
        ["|", "last words"],
    ]


def test_a_note_alone_is_told_of_an_image_that_conforms() -> None:
    assert lines(scanned("a:1", notes=("guarded",)))[-1].split() == ["note", "guarded"]


def test_nothing_that_strangers_wrote_reaches_the_terminal_raw() -> None:
    nasty = scanned(
        "a:1",
        fails={"port-8888": "its last words: \x1b[2J\nFAKE [red]x[/]"},
        notes=("\x1b]0;owned\x07",),
        log=("\x9b31m:smile:",),
    )
    text = printed(nasty, width=200)
    assert all(line.isprintable() for line in text.splitlines())
    assert "[red]x[/]" in text
    assert ":smile:" in text


def test_off_a_terminal_every_message_is_one_line() -> None:
    long = "word " * 100
    assert long.strip() in printed(scanned("a:1", fails={"nb-prefix": long.strip()}))


def test_on_a_narrow_terminal_nothing_is_wider_and_nothing_is_lost() -> None:
    results = {"uid-1000": "FAIL", "allow-origin": "FAIL", "empty-home": "unknown"}
    for width in (60, 80):
        shown = lines(GOOD, BAD, width=width)
        assert max(len(line) for line in shown if "Fix: " not in line) <= width
        text = " ".join(" ".join(shown).split())
        for requirement in REQUIREMENTS:
            assert f"{requirement} pass" in text
            assert f"{requirement} {results.get(requirement, 'pass')}" in text
        assert "quay.io/team/good:1: Conforms, serving Prefix" in text
        assert "quay.io/team/bad:1: Violates, serving Root" in text


def test_on_a_wide_terminal_the_table_is_drawn_and_messages_are_folded_beside_their_label() -> None:
    message = "word " * 60 + "end"
    shown = lines(scanned("a:1", fails={"nb-prefix": message}), width=160)
    assert shown[0].startswith("IMAGE")
    start = next(n for n, line in enumerate(shown) if line.startswith("  FAIL"))
    assert shown[start].index("[nb-prefix]") == len(shown[start + 1]) - len(
        shown[start + 1].lstrip()
    )


def test_an_address_is_never_folded() -> None:
    for width in (40, 200):
        fixes = [line.split()[1] for line in lines(BAD, width=width) if "Fix: " in line]
        assert [fix.partition("#")[2] for fix in fixes] == ["allow-origin", "uid-1000"]


def test_that_nothing_was_started_is_said_once_with_the_hints_of_each_check() -> None:
    hint = f"{NO_PROBE} (it exposes 8888)"
    shown = lines(scanned("a:1", unknown={"port-8888": hint, "nb-prefix": NO_PROBE}))
    assert [line.split(None, 1) for line in shown[4:]] == [
        ["unknown", f"[port-8888] [nb-prefix] {NO_PROBE}"],
        ["hint", "[port-8888] it exposes 8888"],
    ]


def test_results_are_told_apart_by_words_and_by_colour() -> None:
    coloured = printed(BAD, width=200, colour=True)
    assert "\x1b[1;31mFAIL" in coloured
    assert "\x1b[32mpass" in coloured
    assert "\x1b" not in printed(BAD, width=200)


def test_nothing_is_drawn_of_nothing() -> None:
    assert printed() == ""
