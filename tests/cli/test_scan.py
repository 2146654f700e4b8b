"""`nbgate scan` as people call it, on images that lie on this machine; nothing is started here."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.cli.layouts import ROOT, archive, layout
from tests.cli.running import Ended, nbgate
from webhook.cli.scan import command
from webhook.core.requirements import REQUIREMENTS
from webhook.scanner.scanning import NO_PROBE
from webhook.scanner.sources.naming import parse_name
from webhook.stores.scandir import load_scans

NAME = "quay.io/team/nb:1"
STATIC = {"user-jovyan", "uid-1000", "home-jovyan"}


@pytest.fixture
def good(tmp_path: Path) -> str:
    """Give an image whose user is right; whether it serves is not known without starting it."""
    return f"oci:{layout(tmp_path / 'good', name=NAME)}"


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return f"oci:{layout(tmp_path / 'bad', ROOT)}"


def scan(home: Path, *words: str | Path, given: bytes = b"", **env: str) -> Ended:
    return nbgate(home, "scan", "--probe", "none", *words, given=given, **env)


def test_what_is_not_decided_is_no_failure_and_says_how_to_decide_it(
    tmp_path: Path, good: str
) -> None:
    ended = scan(tmp_path, good)
    assert ended.code == 0
    header, row, *_ = ended.out.splitlines()
    assert dict(zip(header.split()[1:8], row.split()[1:8], strict=True)) == {
        "PORT": "unknown",
        "PREFIX": "unknown",
        "ORIGIN": "unknown",
        "USER": "pass",
        "UID": "pass",
        "HOME": "pass",
        "EMPTY": "unknown",
    }
    assert row.split()[0] == good
    assert row.split()[-2:] == ["Unknown", "Unknown"]
    assert NO_PROBE in ended.out
    assert "--probe podman or --probe cluster" in ended.err.splitlines()[-1]


def test_an_image_that_does_not_conform_exits_with_1(tmp_path: Path, bad: str) -> None:
    ended = scan(tmp_path, bad, "-o", "json")
    assert ended.code == 1
    failed = [c["requirement"] for c in ended.json["status"]["checks"] if c["result"] == "Fail"]
    assert set(failed) == STATIC


def test_one_that_cannot_be_scanned_stops_no_other_and_exits_with_3(
    tmp_path: Path, good: str, bad: str
) -> None:
    ended = scan(tmp_path, bad, f"oci:{tmp_path}/nowhere", good, "-o", "json")
    assert ended.code == 3
    assert len(ended.json["items"]) == 2
    assert f"nbgate: oci:{tmp_path}/nowhere: " in ended.err


def test_json_and_yaml_agree_but_for_the_time(tmp_path: Path, good: str) -> None:
    as_json, as_yaml = (
        scan(tmp_path, good, "-o", "json").json,
        scan(tmp_path, good, "-o", "yaml").yaml,
    )
    for document in (as_json, as_yaml):
        for field in ("resolvedAt", "scannedAt"):
            del document["status"][field]
    assert as_json == as_yaml
    assert as_json["spec"]["image"] == NAME
    assert [c["requirement"] for c in as_json["status"]["checks"]] == [*REQUIREMENTS]


def test_a_result_goes_through_a_pipe_to_import(tmp_path: Path, good: str) -> None:
    given = scan(tmp_path, good, "-o", "yaml").out.encode()
    assert nbgate(tmp_path, "scans", "import", "-", given=given).code == 0
    assert [one.reference for one in load_scans(tmp_path / "scans").scans] == [NAME]


def test_what_is_saved_in_the_home_is_what_admission_reads(tmp_path: Path, bad: str) -> None:
    assert scan(tmp_path, bad, "--as", NAME, "--save", tmp_path / "scans").code == 1
    manifest = {
        "apiVersion": "kubeflow.org/v1",
        "kind": "Notebook",
        "metadata": {"name": "nb", "namespace": "team-a"},
        "spec": {"template": {"spec": {"containers": [{"name": "nb", "image": NAME}]}}},
    }
    ended = nbgate(tmp_path, "review", "-", given=json.dumps(manifest).encode())
    assert ended.code == 1
    assert "[uid-1000]" in ended.out


def test_a_result_without_a_name_for_pods_or_a_digest_is_not_saved(
    tmp_path: Path, bad: str
) -> None:
    folder = tmp_path / "kept"
    ended = scan(tmp_path, bad, f"docker-archive:{archive(tmp_path / 'a.tar')}", "--save", folder)
    assert ended.code == 3
    assert list(folder.iterdir()) == []
    assert "--as" in ended.err
    assert "push the image" in ended.err


def test_images_may_come_from_standard_input(tmp_path: Path, good: str) -> None:
    ended = scan(tmp_path, "-", "-o", "json", given=f"# ours\n{good}\n{good}\n".encode())
    assert ended.code == 0
    assert [item["spec"]["image"] for item in ended.json["items"]] == [NAME]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["Team/NB"], "'Team/NB' is no image"),
        (["https://quay.io/a"], "is no image"),
        (["a:1", "--platform", "amd64"], "--platform"),
        (["a:1", "--platform", "\x1b[2J/x"], "--platform"),
        (["a:1", "--plain-http", "http://a.b"], "--plain-http"),
        (["a:1", "--token-realm", ""], "--token-realm"),
        (["a:1", "--token-realm", "a b"], "'a b' is no registry: write HOST or HOST:PORT"),
        (["a:1", "--save", ""], "--save: the name is empty: name a folder"),
        (["a:1", "--timeout", "2"], "--timeout"),
        (["a:1", "--timeout", "2h"], "--timeout"),
        (["a:1", "--jobs", "0"], "--jobs"),
        (["a:1", "--auth-file", "/nowhere"], "--auth-file"),
        (["a:1", "--as", "b:1"], "--as"),
    ],
)
def test_what_cannot_be_asked_is_told_before_anything_is_scanned(
    tmp_path: Path, words: list[str], told: str
) -> None:
    ended = scan(tmp_path, *words)
    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert "scanning" not in ended.err
    assert all(line.isprintable() for line in ended.err.splitlines())


def test_logins_that_cannot_be_read_are_told_before_anything_is_scanned(
    tmp_path: Path, good: str
) -> None:
    (tmp_path / "logins.json").write_text("{")
    ended = scan(tmp_path, good, "--auth-file", tmp_path / "logins.json")
    assert (ended.code, ended.out) == (2, "")
    assert f"--auth-file: {tmp_path / 'logins.json'}" in ended.err
    assert "scanning" not in ended.err


def test_every_image_that_is_malformed_is_told_at_once(tmp_path: Path, good: str) -> None:
    ended = scan(tmp_path, good, "A", "-", given=b"b:1\nc d\n")
    assert (ended.code, ended.out) == (2, "")
    assert [line.partition(" is no image")[0] for line in ended.err.splitlines()] == [
        "nbgate: nothing was scanned:",
        "'A'",
        "standard input, line 2: 'c d'",
    ]


def test_a_platform_that_the_image_is_not_built_for_is_told(tmp_path: Path, good: str) -> None:
    ended = scan(tmp_path, good, "--platform", "linux/arm64/v8")
    assert ended.code == 3
    assert "linux/arm64" in ended.err


def test_what_was_read_of_layers_is_kept_in_the_home_unless_told(tmp_path: Path, good: str) -> None:
    scan(tmp_path / "a", good, "--no-cache")
    assert not (tmp_path / "a" / "cache").exists()
    scan(tmp_path / "b", good)
    assert list((tmp_path / "b" / "cache" / "layers").iterdir())


def test_a_home_that_cannot_be_written_stops_no_scan(tmp_path: Path, good: str) -> None:
    home = tmp_path / "home"
    home.write_text("")
    ended = scan(home, good)
    assert ended.code == 0
    assert "layers are not cached" in ended.err


def test_variables_do_what_flags_do(tmp_path: Path, bad: str) -> None:
    folder = tmp_path / "kept"
    ended = nbgate(
        tmp_path, "scan", bad, NBGATE_SCAN_AS=NAME, NBGATE_SCAN_SAVE=str(folder),
        NBGATE_SCAN_PROBE="none", NBGATE_SCAN_PLATFORM="linux/amd64 linux/amd64",
    )  # fmt: skip
    assert ended.code == 1
    assert [one.reference for one in load_scans(folder).scans] == [NAME]


def test_without_podman_nothing_is_started_and_that_is_said(tmp_path: Path, good: str) -> None:
    ended = nbgate(tmp_path, "scan", good, PATH=str(tmp_path))
    assert ended.code == 0
    assert ended.err.splitlines()[0] == (
        "nbgate: images are not started, for podman is not installed; "
        "what only a start can tell stays unknown"
    )


def test_podman_that_was_asked_for_and_is_not_there_ends_it_at_once(
    tmp_path: Path, good: str
) -> None:
    ended = nbgate(tmp_path, "scan", "--probe", "podman", good, PATH=str(tmp_path))
    assert (ended.code, ended.out) == (3, "")
    assert "podman cannot be run" in ended.err
    assert "--probe none" in ended.err


@pytest.mark.parametrize("words", [["--probe", "cluster"], ["--save", "cluster"]])
def test_a_cluster_that_is_not_configured_is_told_with_the_cure(
    tmp_path: Path, good: str, words: list[str]
) -> None:
    config = tmp_path / "kubeconfig"
    ended = nbgate(tmp_path, "scan", good, *words, KUBECONFIG=str(config))
    assert (ended.code, ended.out) == (3, "")
    assert "KUBECONFIG" in ended.err
    assert "scanning" not in ended.err


# -- docs/scanning.md ------------------------------------------------------------------------------

ROOT_FOLDER = Path(__file__).parents[2]
PAGE = (ROOT_FOLDER / "docs" / "scanning.md").read_text()


def shown() -> list[str]:
    """Give every command of the page that scans."""
    lines = re.findall(r"nbgate scan [^`|\n]*", re.sub(r"`[^`\n]*`", "", PAGE))
    return [line.strip() for line in lines]


@pytest.mark.parametrize("line", shown())
def test_a_command_that_the_page_shows_is_one(line: str) -> None:
    words = shlex.split(line.partition(" > ")[0].partition(" < ")[0])[2:]
    context = command.make_context("scan", words)
    for name in context.params["images"]:
        assert name == "-" or parse_name(name) is not None


def test_the_page_shows_commands() -> None:
    assert len(shown()) > 8


def test_every_flag_is_named_on_the_page() -> None:
    flags = {max(option.opts, key=len) for option in command.params} - {"images", "--output"}
    assert {flag for flag in flags if flag not in PAGE} == set()


def messages() -> list[str]:
    rows = PAGE.partition("| message | what to do |\n|---|---|\n")[2].splitlines()
    return [row.split("`")[1] for row in rows if row.startswith("| `")]


def test_every_message_that_the_page_explains_is_one() -> None:
    sources = [*(ROOT_FOLDER / "webhook" / "scanner").rglob("*.py")]
    sources += (ROOT_FOLDER / "webhook" / "cli").glob("scan*.py")
    # What podman says itself stands in no source of ours.
    said = "".join(path.read_text() for path in sources) + "operation not permitted"
    joined = re.sub(r'"\s*f?"', "", said)
    assert len(messages()) > 10
    assert [message for message in messages() if message not in joined] == []
