"""LayerContents as one JSON document, and back."""

from typing import Self

from pydantic import Base64Bytes, BaseModel, ConfigDict, ValidationError, model_validator

from webhook.scanner.layers.contents import HomeEntry, LayerContents, Mention, Script
from webhook.scanner.layers.places import HOME
from webhook.scanner.layers.reading import RULES

# Must grow whenever the document changes its shape.
FORMAT = 2
VERSION = f"{FORMAT}.{RULES}"


class NoEntry(ValueError):
    """A document is none of this version, or not of that layer, or broken."""


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    version: str
    digest: str
    diff_id: str
    passwd: Base64Bytes | None
    passwd_link: str | None
    scripts: dict[str, tuple[Mention, ...]]
    home: dict[str, tuple[int, int]]
    home_files: tuple[str, ...]
    home_sizes: tuple[int, ...]
    hidden: tuple[str, ...]

    @model_validator(mode="after")
    def _check(self) -> Self:
        below = f"{HOME}/"
        names = {path.removeprefix(below).partition("/")[0] for path in self.home_files}
        there = (
            all(path.startswith(below) for path in self.home_files) and names <= self.home.keys()
        )
        if len(self.home_files) != len(self.home_sizes) or not there:
            raise ValueError("the files in the home do not fit together")
        return self


def encode(digest: str, contents: LayerContents) -> bytes:
    """Write what was read of the layer with this digest; equal contents give equal bytes."""
    passwd = contents.passwd
    document = _Document.model_construct(
        version=VERSION,
        digest=digest,
        diff_id=contents.diff_id,
        passwd=passwd,
        passwd_link=contents.passwd_link,
        scripts={path: tuple(sorted(s.mentions)) for path, s in contents.scripts.items()},
        home={name: (entry.files, entry.size) for name, entry in contents.home.items()},
        home_files=contents.home_files,
        home_sizes=contents.home_sizes,
        hidden=tuple(sorted(contents.hidden)),
    )
    return document.model_dump_json().encode()


def decode(digest: str, data: bytes) -> LayerContents:
    """Read back what `encode` wrote. Raises NoEntry."""
    try:
        found = _Document.model_validate_json(data)
    except ValidationError as error:
        raise NoEntry("it is no document of what was read of a layer") from error
    if found.version != VERSION or found.digest != digest:
        raise NoEntry("it is of another version, or of another layer")
    return LayerContents(
        diff_id=found.diff_id,
        passwd=found.passwd,
        passwd_link=found.passwd_link,
        scripts={
            p: Script(path=p, mentions=frozenset(words)) for p, words in found.scripts.items()
        },
        home={n: HomeEntry(files=files, size=size) for n, (files, size) in found.home.items()},
        home_files=found.home_files,
        home_sizes=found.home_sizes,
        hidden=frozenset(found.hidden),
    )
