"""What could not be read: a value that is counted, shown and kept, never an exception."""

import os
from dataclasses import dataclass
from pathlib import Path

from webhook.core.document import Fault


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one document of a file, or with the file.

    Attributes:
        path: the file or folder, printable whatever bytes its name has.
        document: the document's number in the file, from 1; 0 for the file itself or the only document in it.
        field: the path of the field in the document; empty for the document as a whole.
        reason: what is wrong, as a clause, and the cure.
    """

    path: str
    document: int
    field: str
    reason: str

    def __str__(self) -> str:
        number = f"document {self.document}: " if self.document else ""
        field = f"{self.field}: " if self.field else ""
        return f"{self.path}: {number}{field}{self.reason}"


def printable(path: Path | str) -> str:
    """Write a path so that it can stand in one line of a log: control and undecodable bytes escaped."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text if text.isprintable() else ascii(text)[1:-1]


def problem_of(path: Path | str, number: int, fault: Fault) -> Problem:
    """Make a problem of a document's fault."""
    return Problem(printable(path), number, fault.path, fault.problem)
