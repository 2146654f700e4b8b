"""Which images are to be scanned: all that is wrong is told before anything is."""

import io
import sys
from collections.abc import Callable, Iterator

import pytest

from webhook.cli.exits import BadInput
from webhook.cli.scanwanted import read_wanted

Give = Callable[[bytes], None]


@pytest.fixture
def give() -> Iterator[Give]:
    """Put bytes on standard input."""
    before = sys.stdin

    def put(data: bytes) -> None:
        sys.stdin = io.TextIOWrapper(io.BytesIO(data))

    yield put
    sys.stdin = before


def names(*words: str, alias: str | None = None) -> list[str]:
    return [wanted.name for wanted in read_wanted(words, alias)]


def test_images_stay_as_they_were_written_and_in_order() -> None:
    assert names("quay.io/b/c:1", "nginx", "oci:dir", "docker-archive:a.tar") == [
        "quay.io/b/c:1",
        "nginx",
        "oci:dir",
        "docker-archive:a.tar",
    ]


def test_two_spellings_of_one_image_are_one() -> None:
    assert names("nginx", "docker.io/library/nginx:latest", "nginx:1", "oci:a", "oci:a") == [
        "nginx",
        "nginx:1",
        "oci:a",
    ]


def test_a_list_on_standard_input_has_one_image_a_line(give: Give) -> None:
    give(b"# our images\n\n  team/a:1  \r\nteam/b:1\nteam/a:1")
    assert names("team/b:1", "-") == ["team/b:1", "team/a:1"]


def test_everything_that_is_wrong_is_told_with_its_place(give: Give) -> None:
    give(b"team/a:1\n\nhttps://quay.io/a\n")
    with pytest.raises(BadInput) as told:
        names("Team/A", "-", "\x1b[2J", "oci:")
    lines = str(told.value).splitlines()
    assert lines[0] == "nothing was scanned:"
    assert [line.partition(" is no image: ")[0] for line in lines[1:]] == [
        "'Team/A'",
        "standard input, line 3: 'https://quay.io/a'",
        "'\\x1b[2J'",
        "'oci:'",
    ]
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("data", [b"", b"# nothing\n\n", b"\xff\xfe", b"x" * (1 << 20) + b"y"])
def test_a_list_that_is_none_is_told(give: Give, data: bytes) -> None:
    give(data)
    with pytest.raises(BadInput, match="standard input"):
        names("-")


def test_an_alias_is_for_the_one_image_that_is_in_no_registry() -> None:
    (wanted,) = read_wanted(["oci:build"], "quay.io/team/nb:1")
    assert (wanted.name, wanted.alias) == ("oci:build", "quay.io/team/nb:1")


@pytest.mark.parametrize(
    ("words", "alias"),
    [
        (["oci:a", "oci:b"], "team/nb:1"),
        (["team/other:1"], "team/nb:1"),
        (["oci:a"], "Team/NB"),
        (["oci:a"], ""),
    ],
)
def test_any_other_alias_is_refused(words: list[str], alias: str) -> None:
    with pytest.raises(BadInput, match="--as"):
        read_wanted(words, alias)
