"""The servers that are measured: nbgate, and the bare ones, all with one certificate."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from bench import gofloor
from bench.asking import allows, is_ready
from bench.child import CouldNotMeasure, Running, free_port, server
from bench.reviews import make_reviews
from certs.selfsigned import ensure
from webhook.cli.serve import command as serve

_LOOPBACK = ("localhost", "127.0.0.1")
_HERE = "127.0.0.1:{port}"


def _threads() -> int:
    """Look up how many threads `nbgate serve` has by default: the bare servers get as many."""
    found = next(option for option in serve.params if option.name == "threads")
    return int(str(found.default))


class Servers:
    """Starts servers in a folder of their own; each ends with the stack that it is given.

    Args:
        alone: on the one processor that is kept for what is measured.

    Attributes:
        certificates: the folder with the certificate that all of them serve, and its CA.
        has_go: whether there is a floor in Go.

    """

    def __init__(self, folder: Path, *, alone: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.certificates = folder / "certs"
        self._folder, self._alone = folder, alone
        self._review = make_reviews().patched
        ensure(self.certificates, _LOOPBACK, now=datetime.now(UTC))
        self.has_go = not gofloor.unready()

    def nbgate(self, stack: ExitStack, scans: Path, *, empty: bool = False) -> Running:
        """Start nbgate with a folder of scans. Unless it is empty, the first scan must be in it."""
        program = str(Path(sys.executable).with_name("nbgate"))
        options = ["--tls", str(self.certificates), "--scans", str(scans), "--grace", "0"]
        running = self._start(stack, [program, "serve", *options, "--listen", _HERE], is_ready)
        if not empty and not allows(running.port, self._review):
            raise CouldNotMeasure("nbgate denies the review that it should allow")
        return running

    def bare(
        self,
        stack: ExitStack,
        worker: Literal["worker", "gthread"],
        answers: Path | None = None,
        *,
        threads: int | None = None,
    ) -> Running:
        """Start the bare function; it answers `allowed`, or what a file has for each path (bench/floor.py)."""
        arguments = [worker, _HERE, str(self.certificates), str(threads or _threads())]
        arguments += [str(answers)] if answers else []
        return self._answering(stack, [sys.executable, "-m", "bench.floor", *arguments])

    def go(self, stack: ExitStack) -> Running:
        """Start the handler in Go, which there must be."""
        built = gofloor.build(self._folder)
        return self._answering(stack, [str(built), _HERE, str(self.certificates)])

    def _answering(self, stack: ExitStack, command: Sequence[str]) -> Running:
        return self._start(stack, command, partial(allows, review=self._review))

    def _start(
        self, stack: ExitStack, command: Sequence[str], ready: Callable[[int], bool]
    ) -> Running:
        port = free_port()
        home = self._folder / f"home-{port}"
        home.mkdir(exist_ok=True)
        words = [word.format(port=port) if word == _HERE else word for word in command]
        # Go would else have a thread for each processor, and all of them share one.
        settings = {"NBGATE_HOME": str(home), "GOMAXPROCS": "1"}
        return stack.enter_context(
            server(words, port, ready, home / "log", settings, alone=self._alone)
        )
