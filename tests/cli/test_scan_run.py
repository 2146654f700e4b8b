"""Many scans from the first to the exit code: what is printed where, what is kept, and what it all amounts to."""

import json
import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.cli.running import nbgate
from tests.cli.scanning import scanned
from webhook.cli.exits import CouldNot
from webhook.cli.output import Format
from webhook.cli.scanrun import Request, run
from webhook.cli.scanstore import FolderStore, Store
from webhook.cli.scanwanted import Wanted
from webhook.core.scan import ScanDocument
from webhook.scanner.errors import ScanError, Unreachable
from webhook.scanner.progress import Progress
from webhook.scanner.scanning import Scanned
from webhook.stores.scandir import load_scans

GOOD, BAD, OPEN, GONE = (f"quay.io/team/{name}:1" for name in ("good", "bad", "open", "gone"))
LOCAL = "docker-archive:nb.tar"
RESULTS: Mapping[str, Scanned | ScanError] = {
    GOOD: scanned(GOOD),
    BAD: scanned(BAD, fails={"uid-1000": "user root has UID 0"}),
    OPEN: scanned(OPEN, unknown={"nb-prefix": "only starting the image can tell"}),
    GONE: Unreachable("quay.io/team/gone: no answer; try again later"),
    LOCAL: scanned("localhost/nb:latest", savable="it has no manifest: push it"),
}


def scan(wanted: Wanted, progress: Progress) -> Scanned:
    progress.stage("reading layers")
    found = RESULTS[wanted.name]
    if isinstance(found, ScanError):
        raise found
    return found


def request(
    *names: str,
    store: Store | None = None,
    output: Format = "table",
    listed: bool | None = None,
    probed: bool = True,
) -> Request:
    return Request(
        images=tuple(Wanted(name=name) for name in names),
        jobs=2,
        store=store,
        output=output,
        listed=len(names) > 1 if listed is None else listed,
        probed=probed,
    )


# -- exit codes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "code"),
    [
        ([GOOD], 0),
        ([OPEN], 0),
        ([GOOD, OPEN], 0),
        ([BAD], 1),
        ([GOOD, BAD, OPEN], 1),
        ([GONE], 3),
        ([GONE, BAD, GOOD], 3),
    ],
)
def test_the_exit_code_tells_the_worst(names: list[str], code: int) -> None:
    assert run(request(*names), scan) == code


def test_a_signal_s_exit_code_is_the_shell_s_and_what_is_finished_is_printed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def until_stopped(wanted: Wanted, progress: Progress) -> Scanned:
        if wanted.name == GOOD:
            return scan(wanted, progress)
        os.kill(os.getpid(), signal.SIGTERM)
        while True:
            progress.stage("waiting for the server")

    asked = request(GOOD, BAD, OPEN, store=FolderStore(tmp_path), output="json")
    code = run(replace(asked, jobs=1), until_stopped)
    told = capsys.readouterr()
    assert code == 128 + signal.SIGTERM
    assert [item["spec"]["image"] for item in json.loads(told.out)["items"]] == [GOOD]
    assert [one.reference for one in load_scans(tmp_path).scans] == [GOOD]
    assert "nbgate: stopped: 2 of 3 not scanned" in told.err.splitlines()


# -- what is printed -------------------------------------------------------------------------------


def test_results_come_in_the_order_asked_for_whichever_ends_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(request(OPEN, GOOD, BAD, output="json"), scan)
    items = json.loads(capsys.readouterr().out)["items"]
    assert [item["spec"]["image"] for item in items] == [OPEN, GOOD, BAD]


def test_one_image_is_one_document_and_several_are_a_list(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(request(GOOD, output="json"), scan)
    one = json.loads(capsys.readouterr().out)
    assert one["kind"] == "ImageScan"
    run(request(GOOD, BAD, output="yaml"), scan)
    several = yaml.safe_load(capsys.readouterr().out)
    assert (several["apiVersion"], several["kind"]) == ("v1", "List")
    assert several["items"][0] == one
    run(request(GOOD, output="json", listed=True), scan)
    assert json.loads(capsys.readouterr().out)["items"] == [one]


@pytest.mark.parametrize("names", [[GOOD], [GOOD, BAD, OPEN]])
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_what_is_printed_for_programs_can_be_imported(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, names: list[str], output: Format
) -> None:
    run(request(*names, output=output), scan)
    given = capsys.readouterr().out.encode()
    ended = nbgate(tmp_path, "scans", "import", "-", given=given)
    assert (ended.code, ended.err) == (0, "")
    assert {one.reference for one in load_scans(tmp_path / "scans").scans} == set(names)


def test_an_image_that_could_not_be_scanned_is_a_line_on_standard_error_and_no_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(request(GONE, GOOD, output="json"), scan)
    told = capsys.readouterr()
    assert [item["spec"]["image"] for item in json.loads(told.out)["items"]] == [GOOD]
    lines = told.err.splitlines()
    assert f"nbgate: {GONE}: no answer; try again later" in lines
    assert "nbgate: 1 of 2 could not be scanned, for the reasons above" in lines


@pytest.mark.parametrize("output", ["table", "json", "yaml"])
def test_of_one_image_that_could_not_be_scanned_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], output: Format
) -> None:
    run(request(GONE, output=output), scan)
    assert capsys.readouterr().out == ""


def test_a_log_says_what_is_begun(capsys: pytest.CaptureFixture[str]) -> None:
    run(request(GOOD, BAD), scan)
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.partition(" (")[0] for line in lines) == [
        f"nbgate: scanning {BAD}",
        f"nbgate: scanning {GOOD}",
    ]
    assert [line.partition(" (")[2] for line in lines] == ["1 of 2)", "2 of 2)"]


@pytest.mark.parametrize("probed", [True, False])
def test_what_is_not_decided_is_told_with_its_cure(
    capsys: pytest.CaptureFixture[str], *, probed: bool
) -> None:
    run(request(OPEN, GOOD, probed=probed), scan)
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "not decided" in line]
    assert line.startswith("nbgate: 1 of 2 are not decided")
    assert ("--probe podman" in line) is not probed
    run(request(GOOD, BAD, probed=probed), scan)
    assert "not decided" not in capsys.readouterr().err


# -- what is kept ----------------------------------------------------------------------------------


def test_results_are_kept_where_admission_finds_them(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "scans"
    assert run(request(GOOD, BAD, GONE, store=FolderStore(folder)), scan) == 3
    assert {one.reference: one.verdict for one in load_scans(folder).scans} == {
        GOOD: "Conforms",
        BAD: "Violates",
    }
    assert f"nbgate: saved 2 results in {folder}" in capsys.readouterr().err.splitlines()


def test_a_result_that_must_not_be_kept_is_told_and_is_no_success(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(request(LOCAL), scan) == 0
    assert run(request(LOCAL, store=FolderStore(tmp_path)), scan) == 3
    assert list(tmp_path.iterdir()) == []
    told = capsys.readouterr()
    assert f"nbgate: {LOCAL} was not saved: it has no manifest: push it" in told.err.splitlines()
    assert "saved 0" not in told.err


class Full:
    """A store whose disk is full."""

    place = "/full"

    def save(self, document: ScanDocument) -> None:
        raise CouldNot(f"/full cannot be written: {document.kind}: no space left")


def test_a_disk_that_is_full_loses_no_result_from_the_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(request(GOOD, BAD, store=Full(), output="json"), scan) == 3
    told = capsys.readouterr()
    assert len(json.loads(told.out)["items"]) == 2
    assert told.err.count("was not saved: /full cannot be written") == 2


def test_a_folder_that_cannot_be_is_told_before_anything_is_scanned(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CouldNot, match=f"--save: {tmp_path}/file is no folder: name one"):
        FolderStore(tmp_path / "file")
