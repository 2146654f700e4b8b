"""The corpus: inputs that are kept, one file each, in a folder for each target."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.fuzz.target import Target

FOLDER = Path(__file__).parent / "corpus"
MOST_FILES = 40
MOST_BYTES = 8 * 1024


def kept(target: Target) -> Mapping[str, bytes]:
    """Read a target's inputs, by the names of their files."""
    return {path.name: path.read_bytes() for path in files(target)}


def files(target: Target) -> Iterator[Path]:
    """List a target's files, in the order of their names."""
    return iter(sorted(path for path in (FOLDER / target.name).glob("*") if path.is_file()))


def inputs(target: Target) -> list[bytes]:
    """Give all inputs: those that are kept, and those that are made."""
    return [*kept(target).values(), *target.seeds()]
