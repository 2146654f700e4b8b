"""The command line as a person meets it, run in this process: arguments, bytes in, exit code and text out."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from webhook.cli.main import main

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "docs" / "examples"
REVIEWS = ROOT / "tests" / "data" / "reviews"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and all that it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Read what was printed with -o json."""
        return orjson.loads(self.out)

    def yaml(self) -> Any:
        """Read what was printed with -o yaml."""
        return yaml.safe_load(self.out)


def nbgate(*words: str | Path, stdin: bytes = b"", home: Path, **environment: str) -> Ended:
    """Run `nbgate WORDS` through its entry point, with no NBGATE_ variables but the home's and those given."""
    out, err = _stream(b""), _stream(b"")
    argv = ["nbgate", *(os.fspath(word) for word in words)]
    variables = {"NBGATE_HOME": str(home), **environment}
    with _process(argv, _stream(stdin), variables), redirect_stdout(out), redirect_stderr(err):
        with pytest.raises(SystemExit) as ended:
            main()
        out.flush()
        err.flush()
    code = ended.value.code
    assert isinstance(code, int), f"the exit code is {code!r}"
    return Ended(code=code, out=_written(out), err=_written(err))


def _stream(data: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="\n")


def _written(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


@contextmanager
def _process(argv: list[str], stdin: io.TextIOWrapper, variables: dict[str, str]) -> Iterator[None]:
    """Stand in for a new process: its arguments, its standard input and its environment."""
    argv_before, stdin_before, environment_before = sys.argv, sys.stdin, dict(os.environ)
    own = {k: v for k, v in environment_before.items() if not k.startswith("NBGATE_")}
    try:
        sys.argv, sys.stdin = argv, stdin
        os.environ.clear()
        os.environ.update({**own, **variables})
        yield
    finally:
        sys.argv, sys.stdin = argv_before, stdin_before
        os.environ.clear()
        os.environ.update(environment_before)
