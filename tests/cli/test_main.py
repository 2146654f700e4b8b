"""What holds for every command: help, exit codes, variables, outputs, and errors that are sentences."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml

from tests.cli.running import Ended, nbgate
from tests.stores.samples import scan_document
from webhook import __version__
from webhook.cli.main import nbgate as program
from webhook.stores.scanfile import write_scan

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
NOTEBOOK = EXAMPLES / "notebook.yaml"
POLICY = EXAMPLES / "policy.yaml"
NBGATE = Path(sys.executable).with_name("nbgate")

Found = tuple[tuple[str, ...], click.Command, click.Context]


def commands() -> Iterator[Found]:
    """Walk the program: each command with its words and its context."""
    context = click.Context(program, info_name="nbgate", auto_envvar_prefix="NBGATE")
    yield from _below((), program, context)


def _below(
    words: tuple[str, ...], command: click.Command, context: click.Context
) -> Iterator[Found]:
    yield words, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            below = click.Context(found, parent=context, info_name=name)
            yield from _below((*words, name), found, below)


WALKED = list(commands())
LEAVES = [(words, command) for words, command, _ in WALKED if not isinstance(command, click.Group)]


@dataclass(frozen=True, slots=True)
class Flag:
    """An option of a command, where it stands."""

    words: tuple[str, ...]
    option: click.Option
    context: click.Context

    @property
    def name(self) -> str:
        return max(self.option.opts, key=len)

    @property
    def variable(self) -> str:
        flag = self.name.removeprefix("--").replace("-", "_")
        return "_".join(("NBGATE", *self.words, flag)).upper()


FLAGS = [
    Flag(words, parameter, context)
    for words, command, context in WALKED
    for parameter in command.params
    if words and isinstance(parameter, click.Option)
]


def variable_of(flag: Flag) -> str:
    return flag.variable


# -- help ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [words for words, _, _ in WALKED], ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_helps_and_needs_nothing_for_it(
    tmp_path: Path, words: tuple[str, ...], flag: str
) -> None:
    ended = nbgate(tmp_path, *words, flag)
    assert (ended.code, ended.err) == (0, "")
    assert re.match(rf"Usage: .*{' '.join(words)} \[OPTIONS\]", ended.out)
    assert list(tmp_path.iterdir()) == []


def test_the_help_names_every_command_with_its_own_first_line(tmp_path: Path) -> None:
    out = nbgate(tmp_path, "--help").out
    for words, command, _ in WALKED:
        if len(words) == 1:
            assert re.search(rf"^ +{words[0]} +\S", out, re.MULTILINE)
            assert (command.help or "").strip()


@pytest.mark.parametrize("flag", FLAGS, ids=variable_of)
def test_every_flag_says_what_it_is_for(flag: Flag) -> None:
    assert flag.option.help


def test_the_version_is_the_package_s(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "--version")
    assert (ended.code, ended.out) == (0, f"nbgate, version {__version__}\n")


# -- exit codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [words for words, _, _ in WALKED], ids=" ".join)
def test_a_flag_that_there_is_not_is_bad_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = nbgate(tmp_path, *words, "--no-such-flag")
    assert (ended.code, ended.out) == (2, "")
    assert "--no-such-flag" in ended.err


@pytest.mark.parametrize("words", [(), ("scan",), ("scans",), ("policy",), ("certs",), ("review",)])
def test_a_command_that_lacks_something_says_so_and_exits_2(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = nbgate(tmp_path, *words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: ")


@pytest.mark.parametrize("words", [("revew",), ("scans", "lst"), ("certs", "rotat")])
def test_a_command_that_there_is_not_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = nbgate(tmp_path, *words)
    assert ended.code == 2
    assert f"No such command {words[-1]!r}" in ended.err


FILE, FOLDER, NOWHERE = "<a file>", "<a folder>", "<nowhere>"
CODES: list[tuple[int, tuple[str, ...]]] = [
    (1, ("review", str(NOTEBOOK))),
    (0, ("review", "--policy", str(POLICY), str(NOTEBOOK))),
    (2, ("review", NOWHERE)),
    (2, ("review", FOLDER)),
    (2, ("review", str(NOTEBOOK), "--policy", NOWHERE)),
    (2, ("review", str(NOTEBOOK), "--scans", NOWHERE)),
    (0, ("scans", "list")),
    (2, ("scans", "list", "--scans", NOWHERE)),
    (0, ("scans", "import", str(EXAMPLES / "scans.yaml"))),
    (2, ("scans", "import", NOWHERE)),
    (2, ("scans", "show", "nothing")),
    (2, ("scan", "No/Image")),
    (2, ("scan", "nb:1", "--auth-file", NOWHERE)),
    (3, ("scan", "oci:nowhere", "--save", FILE)),
    (3, ("scan", "oci:nowhere", "--probe", "none")),
    (0, ("scans", "prune", "--older-than", "1h")),
    (0, ("policy", "check", str(POLICY))),
    (2, ("policy", "check")),
    (0, ("policy", "show")),
    (2, ("policy", "show", "--policy", NOWHERE)),
    (2, ("audit", NOWHERE)),
    (0, ("certs", "issue")),
    (2, ("certs", "issue", "--host", "a b")),
    (2, ("certs", "show")),
    (2, ("certs", "show", FILE)),
    (2, ("serve", "--listen", "nonsense")),
    (2, ("serve", "--listen", "127.0.0.1:0", "--policy", NOWHERE)),
    (3, ("serve", "--listen", "192.0.2.1:0")),
    (2, ("controller", "--listen", "nonsense")),
    (3, ("controller", "--listen", "192.0.2.1:0")),
]


@pytest.mark.parametrize(("code", "words"), CODES, ids=str)
def test_exit_codes(tmp_path: Path, code: int, words: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("neither YAML: nor: PEM")
    (tmp_path / "folder").mkdir()
    places = {FILE: "file", FOLDER: "folder", NOWHERE: "nowhere"}
    named = [str(tmp_path / places[word]) if word in places else word for word in words]
    ended = (
        program_in(tmp_path / "home", *named)
        if words[0] == "serve"
        else nbgate(tmp_path / "home", *named)
    )
    assert ended.code == code, ended
    if code > 1:
        assert ended.out == ""
        assert ended.err
        assert "internal error" not in ended.err
    for place in (NOWHERE, FOLDER, FILE):
        if place in words:
            assert str(tmp_path / places[place]) in ended.err


def program_in(home: Path, *words: str | bytes, shell: str = "", **environment: str) -> Ended:
    """Run nbgate in a process of its own, `shell` after it: redirections and pipes."""
    own = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    run = subprocess.run(
        ["bash", "-c", f'set -o pipefail; "$0" "$@" {shell}', str(NBGATE), *words],
        capture_output=True,
        env={**own, "NBGATE_HOME": str(home), **environment},
        timeout=60,
        check=False,
    )
    return Ended(run.returncode, run.stdout.decode("utf-8", "replace"), run.stderr.decode())


def test_a_home_that_is_a_file_is_told_of_by_every_command_that_needs_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("")
    for words in (("review", str(NOTEBOOK)), ("scans", "list"), ("certs", "issue"), ("audit",)):
        ended = nbgate(home, *words)
        assert ended.code in (2, 3), words
        assert str(home) in ended.err
        assert "internal error" not in ended.err


# -- variables -------------------------------------------------------------------------------------


def test_no_two_flags_share_a_variable() -> None:
    names = [flag.variable for flag in FLAGS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("flag", FLAGS, ids=variable_of)
def test_every_flag_reads_the_variable_of_its_name(flag: Flag) -> None:
    before = os.environ.get(flag.variable)
    os.environ[flag.variable] = "value"
    try:
        assert flag.option.resolve_envvar_value(flag.context) == "value"
    finally:
        del os.environ[flag.variable]
        if before is not None:
            os.environ[flag.variable] = before


def test_a_variable_does_what_its_flag_does(tmp_path: Path) -> None:
    manifest = tmp_path / "pod.yaml"
    manifest.write_text("kind: Pod\nmetadata: {name: a, labels: {notebook-name: a}}\n")
    flagged = nbgate(tmp_path, "review", manifest, "-n", "mine", "-o", "json")
    told = nbgate(
        tmp_path, "review", manifest, NBGATE_REVIEW_NAMESPACE="mine", NBGATE_REVIEW_OUTPUT="json"
    )
    assert told == flagged
    assert told.json[0]["namespace"] == "mine"


def test_a_flag_wins_over_its_variable(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "policy", "show", "-o", "json", NBGATE_POLICY_SHOW_OUTPUT="yaml")
    assert ended.json["kind"] == "NotebookPolicy"


def test_a_variable_of_paths_is_read(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "review", NOTEBOOK, NBGATE_REVIEW_POLICY=str(POLICY))
    assert ended.code == 0
    folder = tmp_path / "mine"
    write_scan(folder, scan_document())
    listed = nbgate(tmp_path, "scans", "list", "-o", "json", NBGATE_SCANS_LIST_SCANS=str(folder))
    assert len(listed.json) == 1


def test_a_variable_of_a_switch_is_read(tmp_path: Path) -> None:
    nbgate(tmp_path, "certs", "issue")
    ended = nbgate(tmp_path, "certs", "show", NBGATE_CERTS_SHOW_CA_BUNDLE="true")
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*\n", ended.out)


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (("policy", "show"), "NBGATE_POLICY_SHOW_OUTPUT"),
        (("certs", "issue"), "NBGATE_CERTS_ISSUE_DAYS"),
        (("serve",), "NBGATE_SERVE_LISTEN"),
        (("serve",), "NBGATE_SERVE_WORKERS"),
    ],
)
def test_a_variable_s_bad_value_is_bad_usage(
    tmp_path: Path, words: tuple[str, ...], variable: str
) -> None:
    ended = nbgate(tmp_path, *words, **{variable: "nonsense"})  # type: ignore[arg-type]  # no variable is called given
    assert ended.code == 2
    assert "nonsense" in ended.err


def test_an_empty_variable_is_none(tmp_path: Path) -> None:
    ended = nbgate(
        tmp_path, "policy", "show", NBGATE_POLICY_SHOW_POLICY="", NBGATE_POLICY_SHOW_OUTPUT=""
    )
    assert ended.code == 0
    assert ended.out.startswith("FIELD")


# -- the home --------------------------------------------------------------------------------------


def test_state_lives_in_the_home_that_is_named(tmp_path: Path) -> None:
    home = tmp_path / "a" / "b"
    nbgate(home, "scans", "import", EXAMPLES / "scans.yaml")
    nbgate(home, "certs", "issue")
    assert len(list((home / "scans").glob("*.json"))) == 2
    assert {path.name for path in (home / "certs").glob("*.crt")} == {"ca.crt", "tls.crt"}
    (home / "policy.yaml").write_bytes(POLICY.read_bytes())
    assert nbgate(home, "policy", "show", "-o", "json").json["metadata"]["name"] == "first-week"


def test_a_relative_home_is_below_the_working_directory(tmp_path: Path) -> None:
    subprocess.run(
        [str(NBGATE), "scans", "list"],
        cwd=tmp_path,
        env={**os.environ, "NBGATE_HOME": "x"},
        check=True,
    )
    assert (tmp_path / "x" / "scans").is_dir()


@pytest.mark.parametrize("named", [{}, {"NBGATE_HOME": ""}])
def test_without_a_name_it_is_in_the_user_s_home(tmp_path: Path, named: dict[str, str]) -> None:
    own = {k: v for k, v in os.environ.items() if not k.startswith("NBGATE_")}
    environment = {**own, "HOME": str(tmp_path), **named}
    subprocess.run([str(NBGATE), "scans", "list"], env=environment, check=True)
    assert (tmp_path / ".local/share/nbgate/scans").is_dir()


def test_a_tilde_is_the_user_s_home(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path), "NBGATE_HOME": "~/x"}
    subprocess.run([str(NBGATE), "scans", "list"], env=environment, check=True)
    assert (tmp_path / "x" / "scans").is_dir()


# -- outputs ---------------------------------------------------------------------------------------

PRINTING = [words for words, command in LEAVES if any("-o" in p.opts for p in command.params)]


def test_every_command_but_those_that_serve_prints_for_programs() -> None:
    assert {words for words, _ in LEAVES} - set(PRINTING) == {("serve",), ("controller",)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with scans, certificates, and an audit log of one denial."""
    made = tmp_path_factory.mktemp("home")
    nbgate(made, "scans", "import", EXAMPLES / "scans.yaml")
    nbgate(made, "certs", "issue")
    line = {"time": "2026-01-01T00:00:00Z", "decision": "denied", "namespace": "a", "notebook": "b"}
    (made / "audit.jsonl").write_text(json.dumps(line) + "\n")
    return made


ARGUMENTS: dict[tuple[str, ...], tuple[str, ...]] = {
    ("review",): (str(NOTEBOOK),),
    ("policy", "check"): (str(POLICY),),
    ("scans", "import"): (str(EXAMPLES / "scans.yaml"),),
    ("scans", "show"): ("docker.io/library/nginx:1.25",),
    ("scans", "prune"): ("--dry-run", "--older-than", "1h"),
}


# What `scan` prints tells when it was made: tests/cli/test_scan.py compares it. The others need a cluster.
ELSEWHERE = {("scan",), ("certs", "rotate"), ("certs", "inject"), ("doctor",)}
REPEATABLE = [words for words in PRINTING if words not in ELSEWHERE]


@pytest.mark.parametrize("words", REPEATABLE, ids=" ".join)
def test_json_and_yaml_parse_and_agree(home: Path, words: tuple[str, ...]) -> None:
    arguments = ARGUMENTS.get(words, ())
    as_json = nbgate(home, *words, *arguments, "-o", "json")
    as_yaml = nbgate(home, *words, *arguments, "-o", "yaml")
    as_table = nbgate(home, *words, *arguments)
    assert as_json.code == as_yaml.code == as_table.code in (0, 1)
    assert as_json.json == as_yaml.yaml == yaml.safe_load(as_json.out)
    assert as_table.out.endswith("\n")
    assert "\x1b" not in as_json.out + as_yaml.out + as_table.out


@pytest.mark.parametrize("words", PRINTING, ids=" ".join)
def test_an_output_that_there_is_not_is_bad_usage(home: Path, words: tuple[str, ...]) -> None:
    ended = nbgate(home, *words, *ARGUMENTS.get(words, ()), "-o", "xml")
    assert (ended.code, ended.out) == (2, "")
    assert "'xml' is not one of 'table', 'json', 'yaml'" in ended.err


@pytest.mark.parametrize("words", REPEATABLE, ids=" ".join)
def test_tables_are_as_wide_as_their_content_off_a_terminal(
    home: Path, words: tuple[str, ...]
) -> None:
    """A pipe has no width: `grep` and `awk` would meet folded lines."""
    arguments = ARGUMENTS.get(words, ())
    narrow = nbgate(home, *words, *arguments, COLUMNS="20")
    assert narrow.out == nbgate(home, *words, *arguments, COLUMNS="500").out


# -- errors ----------------------------------------------------------------------------------------


def test_an_error_is_on_standard_error_and_begins_with_the_program_s_name(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "review", tmp_path / "nowhere")
    assert ended.out == ""
    assert ended.err.startswith(f"nbgate: {tmp_path / 'nowhere'}: ")
    assert ended.err.count("\n") == 1


def test_a_policy_s_faults_are_what_was_asked_for_and_so_on_standard_output(tmp_path: Path) -> None:
    ended = nbgate(tmp_path, "policy", "check", NOTEBOOK)
    assert (ended.code, ended.err) == (2, "")
    assert str(NOTEBOOK) in ended.out


@pytest.mark.parametrize("words", [("policy", "show"), ("policy", "show", "-o", "json")])
def test_a_full_disk_under_the_output_is_told_of_in_words(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    ended = program_in(tmp_path, *words, shell="> /dev/full")
    assert ended.code == 3
    assert os.strerror(errno.ENOSPC) in ended.err
    assert "internal error" not in ended.err


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
@pytest.mark.parametrize(("policy", "code"), [(POLICY, 0), (EXAMPLES / "none.yaml", 1)], ids=str)
def test_a_reader_that_goes_away_changes_nothing_of_the_exit_code(
    tmp_path: Path, policy: Path, code: int, output: str
) -> None:
    """`nbgate review ... | head -1` under pipefail: allowed stays allowed, and nothing is complained of."""
    flags = ["--policy", str(policy)] if policy.exists() else []
    words = ("review", str(NOTEBOOK), *flags, "-o", output)
    ended = program_in(tmp_path, *words, shell="| sh -c 'exec <&-; sleep 1'")
    assert (ended.code, ended.err) == (code, "")


def test_a_closed_standard_input_is_told_of_in_words(tmp_path: Path) -> None:
    ended = program_in(tmp_path, "review", "-", shell="<&-")
    assert ended.code == 2
    assert "standard input is closed" in ended.err


@pytest.mark.parametrize("named", ["~nobody-of-this-name/x", "~nobody-of-this-name"])
def test_a_home_that_cannot_be_found_is_told_of_with_the_cure(tmp_path: Path, named: str) -> None:
    ended = nbgate(tmp_path, "policy", "show", NBGATE_HOME=named)
    assert ended.code == 2
    assert "set NBGATE_HOME to a folder" in ended.err


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_a_file_s_name_that_is_no_text_is_printed_all_the_same(tmp_path: Path, output: str) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.yaml"
    Path(os.fsdecode(name)).write_bytes(NOTEBOOK.read_bytes())
    ended = program_in(tmp_path, "review", name, "-o", output)
    assert (ended.code, ended.err) == (1, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_a_locale_without_a_letter_ends_no_command(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.yaml").write_text("kind: Pod\nmetadata: {name: wörk ł}\n")
    ended = program_in(tmp_path, "review", str(tmp_path / "a.yaml"), PYTHONIOENCODING=encoding)
    assert (ended.code, ended.err) == (0, "")


def test_commands_load_only_what_they_need() -> None:
    """`nbgate policy show` is asked in shells and scripts: Flask and gunicorn stay out of it."""
    code = (
        "import sys\n"
        "from webhook.cli.main import nbgate\n"
        "nbgate(['policy', 'show'], standalone_mode=False)\n"
        "print([m for m in ('flask', 'gunicorn', 'prometheus_client') if m in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_importing_the_program_reads_no_environment_and_makes_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "NBGATE_HOME": str(tmp_path / "home")}
    code = "import importlib\nfor n in %r: importlib.import_module('webhook.cli.' + n)"
    names = ["serve", "review", "certs", "edge", "audit", "scans", "policy"]
    subprocess.run([sys.executable, "-c", code % names], env=environment, check=True)
    assert not (tmp_path / "home").exists()
