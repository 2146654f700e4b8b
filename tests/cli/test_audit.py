"""`nbgate audit` finds what it is asked for, shows it safely, and says what it could not read."""

import gzip
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from tests.cli.running import Ended, nbgate
from tests.server.refusals import DENYING, NOW, a_request, judged
from tests.stores.auditentries import DIGEST, a_record, violating, write_log
from webhook.core.document import format_time
from webhook.server.auditlog import AuditFile
from webhook.server.recorder import Recorder

MARCH = "2026-03-01T12:00:00Z"
RECORDS = [
    a_record(uid="1", time="2026-01-01T00:00:00Z", namespace="team-a", notebook="one", user="ada"),
    a_record(
        uid="2",
        time="2026-02-01T00:00:00Z",
        namespace="team-b",
        notebook="two",
        user="bob",
        image="nginx",
        canonicalImage="docker.io/library/nginx:latest",
        violations=violating("port-8888", "nb-prefix"),
        suppressed=41,
    ),
    a_record(
        uid="3",
        time=MARCH,
        namespace="team-b",
        notebook="one",
        user="ada",
        image=f"quay.io/x/y:2@{DIGEST}",
        canonicalImage=f"quay.io/x/y:2@{DIGEST}",
        digest=DIGEST,
        decision="warned",
        dryRun=True,
        violations=violating("stale", action="Warn"),
    ),
]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_log(tmp_path / "audit.jsonl", *RECORDS)
    return tmp_path


def found(home: Path, *options: str) -> list[str]:
    ended = nbgate(home, "audit", "-o", "json", *options)
    assert ended.code == 0, ended.err
    return [record["uid"] for record in ended.json]


def refused(home: Path, *options: str) -> str:
    ended = nbgate(home, "audit", *options)
    assert (ended.code, ended.out) == (2, "")
    return ended.err


def test_without_options_everything_in_the_home_is_shown(home: Path) -> None:
    assert nbgate(home, "audit", "-o", "json").json == RECORDS
    assert nbgate(home, "audit", "-o", "yaml").yaml == RECORDS


COLUMNS = ["TIME", "NAMESPACE", "NOTEBOOK", "USER", "IMAGE", "DECISION", "REASONS", "COUNT"]


def test_the_table_has_a_line_for_each_record(home: Path) -> None:
    lines = nbgate(home, "audit").out.splitlines()
    assert re.split(" {3,}", lines[0].strip()) == COLUMNS
    assert re.split(" {3,}", lines[1].strip()) == [
        *("2026-01-01T00:00:00Z", "team-a", "one", "ada", "quay.io/x/y:1"),
        *("denied", "uid-1000", "1"),
    ]
    assert lines[2].split()[-3:] == ["port-8888,", "nb-prefix", "42"]
    assert f"quay.io/x/y:2@{DIGEST[:19]} " in lines[3]
    assert "warned (dry run)" in lines[3]


@pytest.mark.parametrize(
    ("options", "uids"),
    [
        (["--namespace", "team-b"], ["2", "3"]),
        (["--namespace", "team-a", "--namespace", "team-b"], ["1", "2", "3"]),
        (["--notebook", "one"], ["1", "3"]),
        (["--notebook", "one", "--namespace", "team-b"], ["3"]),
        (["--user", "ada"], ["1", "3"]),
        (["--decision", "warned"], ["3"]),
        (["--decision", "warned", "--decision", "allowed"], ["3"]),
        (["--requirement", "nb-prefix"], ["2"]),
        (["--requirement", "nb-prefix", "--requirement", "stale"], ["2", "3"]),
        (["--image", "nginx"], ["2"]),
        (["--image", "docker.io/library/nginx:latest"], ["2"]),
        (["--image", "quay.io/**"], ["1", "3"]),
        (["--image", "quay.io/x/y:2", "--image", "nginx"], ["2", "3"]),
        (["--since", "2026-02-01T00:00:00Z"], ["2", "3"]),
        (["--until", "2026-02-01T00:00:00Z"], ["1"]),
        (["--since", "2026-01-31T23:00:00-01:00", "--until", MARCH], ["2"]),
        (["--limit", "2"], ["2", "3"]),
        (["--limit", "1", "--user", "bob"], ["2"]),
    ],
)
def test_options_select(home: Path, options: list[str], uids: list[str]) -> None:
    assert found(home, *options) == uids


@pytest.mark.parametrize(
    ("ago", "uids"),
    [("7d", ["new", "week"]), ("24h", ["new"]), ("1d12h", ["new"]), ("6d24h", ["new", "week"])],
)
def test_a_time_may_say_how_long_ago_it_was(tmp_path: Path, ago: str, uids: list[str]) -> None:
    now = datetime.now(UTC)
    ages = {"new": timedelta(0), "week": timedelta(days=6.9), "old": timedelta(days=7.1)}
    write_log(
        tmp_path / "audit.jsonl",
        *(
            a_record(uid=uid, time=format_time((now - age).timestamp()))
            for uid, age in ages.items()
        ),
    )
    assert sorted(found(tmp_path, "--since", ago)) == sorted(uids)
    assert sorted(found(tmp_path, "--until", ago)) == sorted(set(ages) - set(uids))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "7",
        "0h",
        "d",
        "7dd",
        "-1d",
        "2026-01-31",
        "2026-02-30T00:00:00Z",
        "\u0667d",
    ],
)
def test_what_is_no_time_is_refused_with_examples(home: Path, value: str) -> None:
    err = refused(home, "--since", value)
    assert "--since" in err
    assert (
        "write one like 2026-01-31T12:00:00Z, or how long ago it was, like 7d, 24h or 1h30m" in err
    )


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--image", "Not An Image", "blank"),
        ("--image", "quay.io/x*", "wildcards"),
        ("--requirement", "uid-1001", "uid-1000"),
        ("--decision", "refused", "denied"),
        ("--limit", "0", "1"),
        ("--output", "xml", "json"),
    ],
)
def test_a_wrong_value_is_refused_with_its_cure(
    home: Path, option: str, value: str, told: str
) -> None:
    err = refused(home, option, value)
    assert option in err
    assert told in err


def test_every_option_has_an_environment_variable(home: Path) -> None:
    ended = nbgate(home, "audit", "-o", "json", NBGATE_AUDIT_SINCE="2026-02-01T00:00:00Z")
    assert [record["uid"] for record in ended.json] == ["2", "3"]


def test_a_missing_log_is_bad_input_with_a_cure(tmp_path: Path) -> None:
    assert "audit.jsonl: No such file or directory" in refused(tmp_path)
    assert "let nbgate serve write this one: --audit-log" in refused(tmp_path)
    assert "named.jsonl" in refused(tmp_path, str(tmp_path / "named.jsonl"))


def test_one_missing_log_of_several_prints_nothing_of_the_others(home: Path) -> None:
    refused(home, str(home / "audit.jsonl"), str(home / "missing.jsonl"))


@pytest.mark.parametrize(("output", "out"), [("table", ""), ("json", "[]\n"), ("yaml", "[]\n")])
@pytest.mark.parametrize("summary", [[], ["--summary"]])
def test_nothing_found_is_fine_and_said_on_standard_error(
    home: Path, output: str, out: str, summary: list[str]
) -> None:
    ended = nbgate(home, "audit", "--user", "nobody", "-o", output, *summary)
    assert (ended.code, ended.out) == (0, out)
    assert ended.err == "nbgate: no record matches; 3 were read\n"


def test_a_limit_that_leaves_records_out_says_so(home: Path) -> None:
    ended = nbgate(home, "audit", "--limit", "2")
    assert ended.err == "nbgate: these are the newest 2 of 3 records: --limit shows more\n"
    assert nbgate(home, "audit", "--limit", "3").err == ""


def test_rotated_logs_are_read_together_and_ordered_by_time(home: Path) -> None:
    rotated = home / "audit.jsonl.1.gz"
    rotated.write_bytes(gzip.compress(orjson.dumps(a_record(uid="0", time="2025-12-01T00:00:00Z"))))
    assert found(home, str(home / "audit.jsonl"), str(rotated)) == ["0", "1", "2", "3"]


def test_standard_input_is_a_log_too(tmp_path: Path) -> None:
    lines = b"server log\n" + orjson.dumps(RECORDS[0]) + b"\n"
    ended = nbgate(tmp_path, "audit", "-", "-o", "json", given=lines)
    assert [record["uid"] for record in ended.json] == ["1"]
    assert "standard input:1: is not JSON" in ended.err


def test_unreadable_lines_are_named_and_counted_and_change_nothing_else(home: Path) -> None:
    log = home / "audit.jsonl"
    log.write_bytes(b"{torn\n" * 7 + log.read_bytes())
    ended = nbgate(home, "audit", "-o", "json")
    assert (ended.code, ended.json) == (0, RECORDS)
    told = ended.err.splitlines()
    assert told[0] == f"nbgate: {log}:1: is not JSON"
    assert told[-1] == "nbgate: lines that are no audit records, and were passed over: 7"
    assert len(told) == 6


def test_the_summary_counts_by_reason(home: Path) -> None:
    rows = nbgate(home, "audit", "--summary", "-o", "json").json
    assert rows[0] == {
        "requirement": "nb-prefix",
        "action": "Deny",
        "count": 42,
        "notebooks": 1,
        "images": 1,
        "first": "2026-02-01T00:00:00Z",
        "last": "2026-02-01T00:00:00Z",
    }
    assert [row["requirement"] for row in rows] == ["nb-prefix", "port-8888", "stale", "uid-1000"]
    lines = nbgate(home, "audit", "--summary").out.splitlines()
    assert lines[0].split()[:3] == ["REASON", "ACTION", "COUNT"]
    assert lines[1].split()[:5] == ["nb-prefix", "Deny", "42", "1", "1"]


def test_the_summary_is_of_all_records_whatever_the_limit(home: Path) -> None:
    assert len(nbgate(home, "audit", "--summary", "--limit", "1", "-o", "json").json) == 4


def test_a_summary_of_one_requirement_names_no_other(home: Path) -> None:
    ended = nbgate(home, "audit", "--summary", "--requirement", "port-8888", "-o", "json")
    assert [row["requirement"] for row in ended.json] == ["port-8888"]


def test_records_without_a_reason_are_not_summed_up_in_silence(tmp_path: Path) -> None:
    write_log(tmp_path / "audit.jsonl", a_record(decision="allowed", violations=[]))
    ended = nbgate(tmp_path, "audit", "--summary")
    assert ended.out == ""
    assert ended.err == "nbgate: no record names a reason; 1 match\n"


NASTY = "\x1b[31m\x9b2J\u202e\u2066\x07\n\t[red]:smile:"


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
@pytest.mark.parametrize("summary", [[], ["--summary"]])
def test_nothing_that_users_write_reaches_the_terminal_raw(
    tmp_path: Path, output: str, summary: list[str]
) -> None:
    texts = dict.fromkeys(["user", "namespace", "notebook", "image", "uid"], NASTY)
    record = a_record(
        **texts, exemptions=[NASTY], violations=[{"requirement": NASTY, "action": NASTY}]
    )
    ended = nbgate(
        write_log(tmp_path / "audit.jsonl", record).parent, "audit", "-o", output, *summary
    )
    assert ended.code == 0
    assert all(line.isprintable() for line in ended.out.split("\n"))
    assert "[red]:smile:" in ended.out, "and nothing in it is read as markup"


def test_long_cells_are_cut(tmp_path: Path) -> None:
    texts = dict.fromkeys(["user", "namespace", "notebook", "image"], "x" * 5000)
    record = a_record(**texts, exemptions=["x" * 500], violations=violating("x" * 500))
    out = nbgate(write_log(tmp_path / "audit.jsonl", record).parent, "audit").out
    assert max(map(len, out.splitlines())) < 600
    assert "xxx..." in out


def on_terminal(home: Path, *arguments: str) -> str:
    """What a terminal of 100 columns is sent."""
    master, slave = pty.openpty()
    environment = {**os.environ, "NBGATE_HOME": str(home), "COLUMNS": "100", "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    program = "from webhook.cli.main import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=slave, stderr=slave, env=environment
    ) as running:
        os.close(slave)
        sent = b""
        try:
            while chunk := os.read(master, 65536):
                sent += chunk
        except OSError:  # Linux ends a terminal so
            os.close(master)
    assert running.returncode == 0
    return sent.decode()


def test_colour_is_for_terminals_only(home: Path) -> None:
    assert "\x1b[31mdenied" in on_terminal(home, "audit")
    assert "\x1b" not in nbgate(home, "audit").out


def test_what_the_recorder_wrote_is_what_the_auditor_finds(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    ticks = iter(range(0, 10_000, 100))
    recorder = Recorder(
        [AuditFile(log)], level="warned", report=pytest.fail, clock=lambda: float(next(ticks))
    )
    for _ in range(8):
        request = a_request()
        recorder.record(
            request, judged(request), DENYING, endpoint="validate", now=NOW, seconds=0.001
        )
    ended: Ended = nbgate(
        tmp_path, "audit", "--notebook", "my-nb", "--requirement", "unscanned", "-o", "json"
    )
    assert [record["suppressed"] for record in ended.json] == [0, 5]
    [row] = nbgate(tmp_path, "audit", "--summary", "--requirement", "unscanned", "-o", "json").json
    assert row["count"] + recorder.outstanding() == 8
