"""The fuzzing itself works: what a reader does wrong comes out, and a short run comes to it."""

import json
import re

import pytest
from hypothesis import Phase, find, settings

from tests.fuzz.mutation import ODD, near
from tests.fuzz.parts import joined, parts_of
from tests.fuzz.target import Target, TooSlowError, processor_time
from tests.fuzz.tarlines import tar_of_lines, with_checksums
from tests.scanner.layers.tars import names
from tests.scanner.memory import digest_of

REVIEW = json.dumps({"request": {"uid": "1", "object": {"spec": {"priority": 0}}}}).encode()


def fails(data: bytes) -> str:
    """Read as a careless reader does; name the exception that would have been an answer."""
    try:
        value = json.loads(data)
        value["request"]["uid"].encode()
    except ValueError as error:
        return "huge" if "digits" in str(error) else ""
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        return type(error).__name__
    return ""


@pytest.mark.parametrize("fault", ["KeyError", "RecursionError", "huge"])
def test_a_short_run_comes_to_what_a_careless_reader_does_wrong(fault: str) -> None:
    find(
        near([REVIEW], ODD),
        lambda data: fails(data) == fault,
        settings=settings(
            max_examples=3000, derandomize=True, database=None, phases=[Phase.generate]
        ),
    )


def test_an_expression_that_would_match_for_ever_is_stopped() -> None:
    with pytest.raises(TooSlowError), processor_time(0.2):
        re.fullmatch(r"(?:\s*\n)*%", "\n" * 60)


def test_what_a_reader_may_not_raise_comes_out_of_its_target() -> None:
    target = Target(name="careless", check=json.loads)
    with pytest.raises(json.JSONDecodeError):
        target.check_in_time(b"{")


def test_parts_name_one_another() -> None:
    first, layer, config = parts_of(joined(b"@d2@ @s1@ @u1@", b"!tar+gzip\n0 a b\n", b"{}"))
    assert first.data == f"{digest_of(config.data)} {len(layer.data)} {layer.unpacked}".encode()
    assert layer.unpacked == digest_of(tar_of_lines(b"0 a b\n"))


def test_a_tar_whose_headers_were_changed_gets_right_checksums() -> None:
    tar = tar_of_lines(b"0 some-file content\n5 a-folder\n")
    changed = tar.replace(b"some-file", b"another-1").replace(b"a-folder", b"b-folder")
    assert names(with_checksums(changed)) == ["another-1", "b-folder"]
