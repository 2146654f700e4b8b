"""The server on one processor, asked from another, beside two floors.

All servers run at once, and are asked in turn, round for round, so that whatever else the machine does meets them all.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.child import Running, free_port, server
from bench.corpus import make_reviews, write_folder
from bench.load import put
from bench.row import Row
from bench.serverrows import (
    CONNECTIONS,
    GTHREAD,
    WORKER,
    Run,
    Runs,
    Starts,
    load_rows,
    memory_row,
    start_rows,
)
from certs.selfsigned import ensure
from webhook.cli.serve import command as serve

_LOOPBACK = ("localhost", "127.0.0.1")
_HERE = "127.0.0.1:{port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """One thing to ask: its name in the table, the server, the path, and the file that is posted there."""

    name: str
    running: Running
    path: str
    body: Path

    def ask(self, connections: int, seconds: int) -> Run:
        """Put load on it."""
        before = self.running.processor_seconds()
        url = f"https://127.0.0.1:{self.running.port}{self.path}"
        load = put(url, self.body, connections=connections, seconds=seconds)
        return Run(load=load, processor=self.running.processor_seconds() - before)


def _threads() -> int:
    """Look up how many threads `nbgate serve` has by default: the bare servers get as many."""
    found = next(option for option in serve.params if option.name == "threads")
    return int(str(found.default))


class Bench:
    """The servers of one measurement, and the files that they need, in a folder of their own.

    Args:
        scans: a folder with all scans.
        seconds: of load in each run.

    """

    def __init__(self, folder: Path, scans: Path, *, seconds: int, rounds: int) -> None:
        self._folder = folder
        self._scans = scans
        self._seconds = seconds
        self._rounds = rounds
        self._certificates = folder / "certs"
        self._created, self._patched = folder / "created.json", folder / "patched.json"
        reviews = make_reviews()
        self._created.write_bytes(reviews.created)
        self._patched.write_bytes(reviews.patched)
        ensure(self._certificates, _LOOPBACK, now=datetime.now(UTC))

    def rows(self) -> Iterator[Row]:
        """Start the servers, ask them, and end them."""
        few = write_folder(self._folder / "one", 1, in_a_file=1)
        starts = Starts(bare=[], one=[], full=[])
        for _ in range(self._rounds):
            starts.bare.append(self._start_once(self._floor("worker")))
            starts.one.append(self._start_once(self._nbgate(few)))
        with ExitStack() as stack:
            nbgate = self._start(stack, self._nbgate(self._scans))
            starts.full.append(nbgate.seconds)
            worker = self._start(stack, self._floor("worker"))
            gthread = self._start(stack, self._floor("gthread"))
            runs = self._ask(self._targets(nbgate, worker, gthread))
            memory = memory_row(nbgate.most_resident(), worker.most_resident())
        yield from start_rows(starts)
        yield memory
        yield from load_rows(runs)

    def _nbgate(self, scans: Path) -> list[str]:
        program = str(Path(sys.executable).with_name("nbgate"))
        options = ["--tls", str(self._certificates), "--scans", str(scans), "--grace", "0"]
        return [program, "serve", *options, "--listen", _HERE]

    def _floor(self, worker: str) -> list[str]:
        arguments = [worker, _HERE, str(self._certificates), str(_threads())]
        return [sys.executable, "-m", "bench.floor", *arguments]

    def _start_once(self, command: Sequence[str]) -> float:
        with ExitStack() as stack:
            return self._start(stack, command).seconds

    def _start(self, stack: ExitStack, command: Sequence[str]) -> Running:
        port = free_port()
        home = self._folder / f"home-{port}"
        home.mkdir(exist_ok=True)
        words = [word.format(port=port) if word == _HERE else word for word in command]
        first = self._patched.read_bytes()
        return stack.enter_context(
            server(words, port, first, home / "log", {"NBGATE_HOME": str(home)})
        )

    def _targets(self, nbgate: Running, worker: Running, gthread: Running) -> list[_Target]:
        patched = self._patched
        return [
            _Target(name="/validate", running=nbgate, path="/validate", body=patched),
            _Target(name=WORKER, running=worker, path="/", body=patched),
            _Target(name=GTHREAD, running=gthread, path="/", body=patched),
            _Target(name="/mutate", running=nbgate, path="/mutate", body=self._created),
        ]

    def _ask(self, targets: Sequence[_Target]) -> Runs:
        for target in targets:
            target.ask(16, 1)  # the first second is for warming up
        runs: dict[tuple[str, int], list[Run]] = {}
        for _ in range(self._rounds):
            for connections in CONNECTIONS:
                for target in targets:
                    run = target.ask(connections, self._seconds)
                    runs.setdefault((target.name, connections), []).append(run)
        return runs
