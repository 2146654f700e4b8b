"""The images that `nbgate scan` is asked for: checked, all of them, before anything is scanned."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from webhook.cli.exits import BadInput
from webhook.core.reference import InvalidReference, Reference, parse, quoted
from webhook.core.words import clean
from webhook.scanner.sources.naming import parse_name

STANDARD_INPUT = "-"
# Ten thousand references of a hundred characters; a platform has hundreds of images.
_LIST_LIMIT = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One image to scan.

    Attributes:
        name: as it was written: a reference, `oci:DIR` or `docker-archive:FILE`.
        alias: the reference that its result is for, where that is not the name.
    """

    name: str
    alias: str | None = None

    @property
    def shown(self) -> str:
        """The name, fit for one line: folders may be called anything."""
        return clean(self.name)

    @property
    def is_local(self) -> bool:
        """Whether it is a layout or an archive on this machine."""
        return not isinstance(parse_name(self.name), Reference)

    @property
    def repository(self) -> str:
        """The name without tag and digest, written out; of a place on this machine the name as it is."""
        parsed = parse_name(self.name)
        return parsed.repository if isinstance(parsed, Reference) else parsed.text


def read_wanted(words: Sequence[str], alias: str | None) -> tuple[Wanted, ...]:
    """Read the words of a command line, `-` for standard input; an image that is named twice is scanned once.

    Raises BadInput with everything that is wrong with any of them.
    """
    faults: list[str] = []
    wanted: dict[str, Wanted] = {}
    for where, name in _named(words):
        try:
            wanted.setdefault(_identity(name), Wanted(name=name, alias=alias))
        except InvalidReference as error:
            faults.append(f"{where}{quoted(name)} is no image: {error}")
    if faults:
        raise BadInput("\n".join(("nothing was scanned:", *faults) if len(faults) > 1 else faults))
    if not wanted:
        raise BadInput("standard input names no image: write one a line")
    _check_alias(alias, list(wanted.values()))
    return tuple(wanted.values())


def _named(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Give each name with the beginning of what is said of it."""
    for word in words:
        if word == STANDARD_INPUT:
            yield from _listed(_read_input().splitlines())
        else:
            yield "", word


def _listed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, 1):
        name = line.strip()
        if name and not name.startswith("#"):
            yield f"standard input, line {number}: ", name


def _read_input() -> str:
    if sys.stdin is None:
        raise BadInput("standard input is closed: name the images")
    data = sys.stdin.buffer.read(_LIST_LIMIT + 1)
    if len(data) > _LIST_LIMIT:
        raise BadInput(f"standard input is larger than {_LIST_LIMIT} bytes: split it")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInput("standard input is not UTF-8: write one image a line") from error


def _identity(name: str) -> str:
    """Give what is the same for two spellings of one image. Raises InvalidReference."""
    parsed = parse_name(name)
    return parsed.canonical if isinstance(parsed, Reference) else parsed.text


def _check_alias(alias: str | None, wanted: Sequence[Wanted]) -> None:
    if alias is None:
        return
    try:
        parse(alias)
    except InvalidReference as error:
        raise BadInput(f"--as: {quoted(alias)} is no image: {error}") from None
    if len(wanted) != 1 or not wanted[0].is_local:
        raise BadInput(
            "--as names the one image of an oci:DIR or a docker-archive:FILE: give just that one"
        )
