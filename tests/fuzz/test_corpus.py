"""Every input of the corpus goes through its target, and the corpus is what may stand in a repository."""

import pytest

from tests.fuzz.corpus import FOLDER, MOST_BYTES, MOST_FILES, inputs, kept
from tests.fuzz.targets import TARGETS
from tests.pages import read, table

NAMES = sorted(TARGETS)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_that_is_kept_or_made_is_read_as_its_target_says(name: str) -> None:
    target = TARGETS[name]
    for data in inputs(target):
        target.check_in_time(data)


def test_every_target_has_inputs_and_every_input_has_a_target() -> None:
    folders = {path.name for path in FOLDER.iterdir() if path.is_dir()}
    assert folders == set(TARGETS)
    assert all(kept(target) for target in TARGETS.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_corpus_is_small(name: str) -> None:
    found = kept(TARGETS[name])
    assert len(found) <= MOST_FILES
    assert [file for file, data in found.items() if len(data) > MOST_BYTES] == []


def test_git_keeps_the_corpus_byte_by_byte() -> None:
    assert (FOLDER / ".gitattributes").read_text() == "* -text\n"


def test_no_key_and_no_certificate_is_kept() -> None:
    """One that is not whole shows its first bytes all the same: DER in base64 begins with MI."""
    for path in FOLDER.rglob("*"):
        if path.is_file():
            assert b"\nMI" not in path.read_bytes(), path


def test_the_page_about_fuzzing_names_every_target() -> None:
    rows = table(read("fuzzing.md"), "target", "reads", "asserts besides")
    assert sorted(name for row in rows for name in row[0]) == NAMES
