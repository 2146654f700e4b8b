"""What nbgate is built of is pinned: each package by version and hash, and the image has no root and no compiler."""

import re
from pathlib import Path

import pytest

from tests.pages import ROOT

LOCKED = sorted((ROOT / "requirements").glob("*.txt"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def requirements(path: Path) -> list[str]:
    """Give the logical lines of a requirements file."""
    text = path.read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_every_package_is_of_one_version_and_known_by_hash(path: Path) -> None:
    found = requirements(path)
    assert found
    pinned = re.compile(
        r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+( ;[^-]*)?( +--hash=sha256:[0-9a-f]{64})+ *"
    )
    assert [line for line in found if not pinned.fullmatch(line)] == []


def test_a_package_without_a_hash_would_be_found(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    for line in ("left-pad==1.0", "left-pad>=1.0 --hash=sha256:" + "0" * 64, "-r more.txt"):
        path.write_text(line)
        with pytest.raises(AssertionError):
            test_every_package_is_of_one_version_and_known_by_hash(path)


@pytest.mark.parametrize("text", [DOCKERFILE, MAKEFILE], ids=["Dockerfile", "Makefile"])
def test_whoever_installs_packages_asks_for_their_hashes(text: str) -> None:
    installs = [line for line in text.splitlines() if re.search(r"pip install.* -r ", line)]
    assert installs
    assert [line for line in installs if "--require-hashes" not in line] == []


def test_the_image_runs_as_a_number_that_is_not_root_and_has_no_compiler() -> None:
    _, last = DOCKERFILE.rsplit("\nFROM ", 1)
    (user,) = re.findall(r"^USER (\S+)$", last, re.MULTILINE)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert "\nRUN " not in last
    assert re.findall(r"^COPY .*$", last, re.MULTILINE) == [
        "COPY --from=build /opt/nbgate /opt/nbgate"
    ]
