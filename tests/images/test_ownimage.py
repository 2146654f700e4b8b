"""The key of nbgate's own image: another one for whatever goes into it, the same for all else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.images.ownimage import PARTS, TREE, key


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small one, with a file of each part."""
    for part in PARTS:
        if (TREE / part).is_dir():
            (tmp_path / part / "room").mkdir(parents=True)
            (tmp_path / part / "room/code.py").write_text("one = 1\n")
        else:
            (tmp_path / part).parent.mkdir(exist_ok=True)
            shutil.copy(TREE / part, tmp_path / part)
    return tmp_path


def test_what_the_dockerfile_copies_is_what_the_key_is_of() -> None:
    lines = (TREE / "Dockerfile").read_text().splitlines()
    copies = [line.split()[1:-1] for line in lines if line.startswith("COPY ")]
    copied = {name for words in copies if "--from" not in words[0] for name in words}

    assert copied | {"Dockerfile"} == set(PARTS)


@pytest.mark.parametrize("part", PARTS)
def test_a_change_of_any_part_is_another_image(tree: Path, part: str) -> None:
    before = key(tree, "sha256:base")
    changed = tree / part / "room/code.py" if (tree / part).is_dir() else tree / part
    changed.write_bytes(changed.read_bytes() + b"\n")

    assert key(tree, "sha256:base") != before


def test_another_base_or_name_is_another_image(tree: Path) -> None:
    before = key(tree, "sha256:base")
    assert key(tree, "sha256:other") != before
    (tree / "webhook/room/code.py").rename(tree / "webhook/room/other.py")
    assert key(tree, "sha256:base") != before


def test_what_is_beside_changes_nothing(tree: Path) -> None:
    before = key(tree, "sha256:base")
    (tree / "tests").mkdir()
    (tree / "tests/test_it.py").write_text("")
    (tree / "webhook/room/__pycache__").mkdir()
    (tree / "webhook/room/__pycache__/code.cpython-311.pyc").write_bytes(b"compiled")

    assert key(tree, "sha256:base") == before
